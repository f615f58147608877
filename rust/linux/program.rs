// SPDX-License-Identifier: GPL-2.0

//! The memory of the calling program.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/mman.h`](srctree/include/linux/mman.h).

use crate::{
    bindings,
    stand_in, //
};
use core::ops::Range;
use kernel::{
    mm::virt::{
        flags,
        vm_flags_t,
        VmaRef, //
    },
    page::PAGE_SIZE,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// Memory that is more than pages: replacing it would change what it is.
const SPECIAL: vm_flags_t = flags::SHARED
    | flags::PFNMAP
    | flags::MIXEDMAP
    | flags::IO
    | flags::HUGETLB
    | flags::DONTCOPY
    | flags::WIPEONFORK
    | bindings::XENOXIDE_VM_SPECIAL as vm_flags_t;

/// Whole pages of a program's memory.
///
/// # Invariants
///
/// It begins with a page and has at least one; no address in it overflows.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    address: usize,
    pages: usize,
}

impl Span {
    /// Returns so many `bytes` from `address` on.
    ///
    /// # Errors
    ///
    /// `EINVAL` if they are not whole pages, or none.
    pub fn new(address: u64, bytes: u64) -> Result<Self> {
        let (address, bytes) = (usize::try_from(address)?, usize::try_from(bytes)?);
        let whole = address % PAGE_SIZE == 0 && bytes % PAGE_SIZE == 0 && bytes > 0;
        if !whole || address.checked_add(bytes).is_none() {
            return Err(EINVAL);
        }
        // INVARIANT: Just checked.
        Ok(Self {
            address,
            pages: bytes / PAGE_SIZE,
        })
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Returns the address of a page.
    pub fn address(&self, page: usize) -> usize {
        self.address.wrapping_add(page.wrapping_mul(PAGE_SIZE))
    }

    /// Copies a page to `to`, which has as many bytes.
    ///
    /// Context: process context of the program, may sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` if it cannot be read.
    pub fn read(&self, page: usize, to: &mut [u8]) -> Result {
        let from = UserSlice::new(UserPtr::from_addr(self.address(page)), to.len());
        from.reader().read_slice(to)
    }

    /// Calls `each` with the runs among `pages` that are private anonymous memory of the calling
    /// program, or stand in for such, and nothing special: what can be replaced, if it does not change
    /// meanwhile.
    ///
    /// Context: process context of the program, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory somewhere, `EBUSY` where it can be written, `EACCES` where it
    /// can be executed or not be read; `ESRCH` if there is no program.
    pub fn replaceable(&self, pages: Range<usize>, mut each: impl FnMut(Range<usize>)) -> Result {
        let end = self.address(pages.end.min(self.pages));
        let mut at = self.address(pages.start);
        let task = kernel::current!();
        let memory = task.mm().ok_or(ESRCH)?.mmap_read_lock();
        while at < end {
            let area = memory.vma_lookup(at).ok_or(ENOMEM)?;
            let until = area.end().min(end);
            if is_replaceable(area)? {
                let page = |address: usize| (address - self.address) / PAGE_SIZE;
                each(page(at)..page(until));
            }
            at = until;
        }
        Ok(())
    }
}

/// Whether an area of memory is private, anonymous and nothing special.
fn is_replaceable(area: &VmaRef) -> Result<bool> {
    // SAFETY: It is there, and locked for reading.
    let anonymous = unsafe {
        let area = area.as_ptr();
        (*area).vm_ops.is_null() && (*area).vm_file.is_null()
    };
    let (has, special) = match stand_in::is_mapped(area) {
        true => (area.flags(), SPECIAL & !flags::MIXEDMAP),
        false if anonymous => (area.flags(), SPECIAL),
        false => return Ok(false),
    };
    if has & special != 0 {
        return Ok(false);
    }
    match has {
        has if has & flags::WRITE != 0 => Err(EBUSY),
        has if has & flags::EXEC != 0 || has & flags::READ == 0 => Err(EACCES),
        _ => Ok(true),
    }
}
