// SPDX-License-Identifier: GPL-2.0

//! Physical addresses without memory, where the hypervisor is to put some of other domains.
//!
//! C headers: [`include/linux/ioport.h`](srctree/include/linux/ioport.h),
//! [`include/linux/io.h`](srctree/include/linux/io.h).

use crate::bindings as xen_bindings;
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    page::PAGE_SHIFT,
    prelude::*, //
};

/// Addresses are taken by that, so that the kernel has no descriptions of pages for some.
const SECTION: u64 = xen_bindings::XENOXIDE_SECTION;

/// What the kernel maps by one entry of a table.
const HUGE: u64 = 2 << 20;

/// Physical addresses of this domain's that are ours, all in a row, and mapped by the kernel.
///
/// Unlike memory they take next to nothing, however many there are.
///
/// # Invariants
///
/// - `resource` came from a [`KBox`], and is among the kernel's resources.
/// - `base` is where `len` bytes from the start of `resource` on are mapped.
pub struct Space {
    resource: NonNull<bindings::resource>,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Space {}
// SAFETY: It does not change.
unsafe impl Sync for Space {}

impl Space {
    /// Reserves so many bytes.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there are not so many addresses in a row, `EINVAL` if it is none, `ENOMEM`.
    pub fn new(len: usize) -> Result<Self> {
        let mapped = (len as u64).next_multiple_of(HUGE);
        let resource = bindings::resource {
            name: c"Xen window".as_char_ptr(),
            flags: (bindings::IORESOURCE_MEM | bindings::IORESOURCE_BUSY) as usize,
            ..pin_init::zeroed()
        };
        let resource = KBox::new(resource, GFP_KERNEL)?;
        let raw = KBox::into_raw(resource);
        // SAFETY: The kernel's resources are there; this one is ours, and stays until it is released.
        let ret = unsafe {
            bindings::allocate_resource(
                &raw mut bindings::iomem_resource,
                raw,
                mapped.next_multiple_of(SECTION),
                SECTION,
                u64::MAX,
                SECTION,
                None,
                null_mut(),
            )
        };
        if let Err(error) = to_result(ret) {
            // SAFETY: It came from a box, and nobody else knows it.
            drop(unsafe { KBox::from_raw(raw) });
            return Err(error);
        }
        // SAFETY: It is a resource, and nobody else's addresses.
        let base = unsafe {
            bindings::memremap(
                (*raw).start,
                mapped as usize,
                bindings::MEMREMAP_WB as usize,
            )
        };
        let Some(base) = NonNull::new(base.cast()) else {
            // SAFETY: It is among the kernel's; then nobody else knows it.
            unsafe {
                bindings::release_resource(raw);
                drop(KBox::from_raw(raw));
            }
            return Err(ENOMEM);
        };
        // INVARIANT: They were just made. A box's address is not null.
        let resource = NonNull::new(raw).ok_or(ENOMEM)?;
        Ok(Self {
            resource,
            base,
            len,
        })
    }

    /// Returns the physical address of the first byte.
    pub fn start(&self) -> u64 {
        // SAFETY: By the type invariants it is there, and it does not change.
        unsafe { (*self.resource.as_ptr()).start }
    }

    /// Returns the number of the first frame.
    pub fn first_frame(&self) -> usize {
        self.start() as usize >> PAGE_SHIFT
    }

    /// Returns where the kernel has the byte at `offset` mapped; [`None`] behind the last one. There
    /// is nothing to be read but where the hypervisor has put something.
    #[inline]
    pub fn address(&self, offset: usize) -> Option<NonNull<u8>> {
        if offset >= self.len {
            return None;
        }
        // SAFETY: By the type invariants it is mapped.
        Some(unsafe { self.base.add(offset) })
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; nobody uses any of it any more.
        unsafe {
            bindings::memunmap(self.base.as_ptr().cast());
            bindings::release_resource(self.resource.as_ptr());
            drop(KBox::from_raw(self.resource.as_ptr()));
        }
    }
}
