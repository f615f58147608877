// SPDX-License-Identifier: GPL-2.0

//! Memory that another domain may read and write while we do.
//!
//! There are no references to its bytes: they are copied, out of the compiler's sight and once for
//! each call, or they are words that are loaded and stored whole.
//!
//! Atomic operations come from the `core` crate here. The kernel's lose their `LOCK` prefix, and its
//! barriers their instruction, when the kernel finds that it has one CPU only; the other domain
//! runs on another one all the same ("virt" barriers, `Documentation/memory-barriers.txt`).

use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::{
        fence,
        AtomicU32,
        AtomicU64,
        Ordering, //
    }, //
};
use kernel::{
    alloc::Flags,
    bindings,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*, //
};

/// Orders all that was loaded and stored before it before all that comes after it, for the other
/// domain as well.
///
/// Context: any.
pub fn barrier() {
    fence(Ordering::SeqCst);
}

/// 32 bits that the other domain may write at any time.
#[repr(transparent)]
pub struct Word32(AtomicU32);

impl Word32 {
    /// Loads the word. What was loaded before it or after it may be older or newer.
    pub fn load(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Loads the word, before all that is loaded or stored after this.
    pub fn load_acquire(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Stores the word.
    pub fn store(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Stores the word, after all that was loaded or stored before this.
    pub fn store_release(&self, value: u32) {
        self.0.store(value, Ordering::Release);
    }
}

/// 64 bits that the other domain may write at any time.
#[repr(transparent)]
pub struct Word64(AtomicU64);

impl Word64 {
    /// Loads the word. What was loaded before it or after it may be older or newer.
    pub fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Loads the word, before all that is loaded or stored after this.
    pub fn load_acquire(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Stores the word.
    pub fn store(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Stores the word, after all that was loaded or stored before this.
    pub fn store_release(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }

    /// Stores `value` and returns what it replaced, in one step. A full [`barrier`].
    pub fn swap(&self, value: u64) -> u64 {
        self.0.swap(value, Ordering::SeqCst)
    }

    /// Sets the bits of `bits` and returns the word as it was, in one step. A full [`barrier`].
    pub fn fetch_or(&self, bits: u64) -> u64 {
        self.0.fetch_or(bits, Ordering::SeqCst)
    }
}

/// Bytes in a row that another domain may read and write at any time.
///
/// # Invariants
///
/// The kernel has `len` bytes mapped at `address`, as long as `'a`.
pub struct Bytes<'a> {
    address: NonNull<u8>,
    len: usize,
    lifetime: PhantomData<&'a ()>,
}

impl Bytes<'_> {
    /// # Safety
    ///
    /// So many bytes must be mapped there, for reading, and no one may have references to them, as
    /// long as the object is there.
    #[inline]
    pub unsafe fn new(address: NonNull<u8>, len: usize) -> Self {
        // INVARIANT: By the requirements.
        Self {
            address,
            len,
            lifetime: PhantomData,
        }
    }

    /// Returns where they are.
    pub fn address(&self) -> NonNull<u8> {
        self.address
    }

    /// Copies what is at `offset` to `to`.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are not so many bytes; then nothing is copied.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        if offset
            .checked_add(to.len())
            .is_none_or(|end| end > self.len)
        {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariants so many bytes can be read there, and `to` can be written.
        // The two do not overlap: nobody has references to the memory.
        unsafe {
            xen_bindings::xenoxide_shared_copy(
                to.as_mut_ptr().cast(),
                self.address.as_ptr().add(offset).cast(),
                to.len(),
            )
        };
        Ok(())
    }

    /// Copies `len` bytes from `offset` to `dest`, and returns how many it were: fewer if `dest`
    /// has no more room, or there are no more, or what follows in a program's memory is not there
    /// just now: see [`make_room`].
    ///
    /// Context: any.
    #[inline]
    pub fn copy_out(&self, offset: usize, len: usize, dest: &mut IovIterDest<'_>) -> usize {
        let len = len.min(self.len.saturating_sub(offset));
        if len == 0 {
            return 0;
        }
        // SAFETY: By the type invariants so many bytes can be read there. The type `IovIterDest` says
        // that it may be written.
        unsafe {
            let from = self.address.as_ptr().add(offset);
            xen_bindings::xenoxide_shared_copy_out(from.cast(), len, dest.as_raw())
        }
    }
}

/// Makes what of a program's memory is to be written next be there, up to `len` bytes. Returns
/// whether something of it is now.
///
/// Context: process context, sleeps until whoever has it gives it.
pub fn make_room(dest: &mut IovIterDest<'_>, len: usize) -> bool {
    // SAFETY: The type `IovIterDest` says that it may be written.
    unsafe { bindings::fault_in_iov_iter_writeable(dest.as_raw(), len) < len }
}

/// A number of pages, one after the other though they lie anywhere, that another domain may read
/// and write at any time.
///
/// Offsets and lengths are in bytes.
///
/// # Invariants
///
/// Each of `pages` is the address of a page in the kernel's own mapping of memory, which stays
/// there as long as the object.
pub struct Memory {
    pages: KVec<NonNull<u8>>,
}

// SAFETY: The addresses mean the same on each CPU.
unsafe impl Send for Memory {}
// SAFETY: All access is by atomic words and by copies that may meet writes of others anyway.
unsafe impl Sync for Memory {}

impl Memory {
    /// Returns an object for `pages` pages that has none yet.
    pub(crate) fn with_capacity(pages: usize, flags: Flags) -> Result<Self> {
        // INVARIANT: There is no page.
        Ok(Self {
            pages: KVec::with_capacity(pages, flags)?,
        })
    }

    /// Adds a page at the end.
    ///
    /// # Safety
    ///
    /// The page must be mapped where the kernel maps all memory, and no one may have references to
    /// its bytes, as long as the object is there.
    pub(crate) unsafe fn push(&mut self, page: NonNull<bindings::page>, flags: Flags) -> Result {
        // SAFETY: By the requirements the page is one that the kernel maps.
        let address = unsafe { xen_bindings::xenoxide_page_va(page.as_ptr()) } as *mut u8;
        // INVARIANT: By the requirements.
        self.pages
            .push(NonNull::new(address).ok_or(EINVAL)?, flags)?;
        Ok(())
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.pages.len() << PAGE_SHIFT
    }

    /// Returns whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Calls `f` with the address and the length of each stretch of `len` bytes from `offset` on
    /// that lies within one page, until it did less than that. Returns how many bytes it did.
    #[inline]
    fn stretches(
        &self,
        offset: usize,
        len: usize,
        mut f: impl FnMut(NonNull<u8>, usize) -> usize,
    ) -> usize {
        let mut done = 0;

        while done < len {
            let Some(at) = offset.checked_add(done) else {
                break;
            };
            let Some(page) = self.pages.get(at >> PAGE_SHIFT) else {
                break;
            };
            let within = at & (PAGE_SIZE - 1);
            let step = (PAGE_SIZE - within).min(len - done);
            // SAFETY: It is within the page.
            let did = f(unsafe { page.add(within) }, step);
            done += did;
            if did < step {
                break;
            }
        }
        done
    }

    /// Copies `len` bytes from `source` to `offset`, and returns how many it were: fewer if
    /// `source` has no more, or cannot be read any further, or the memory ends.
    ///
    /// Context: that of `source`: process context, may sleep, if it is a program's memory.
    pub fn copy_in(&self, offset: usize, len: usize, source: &mut IovIterSource<'_>) -> usize {
        self.stretches(offset, len, |to, step| {
            // SAFETY: By the type invariants `to` is valid for writing so many bytes. The type
            // `IovIterSource` says that it may be read.
            unsafe { bindings::_copy_from_iter(to.as_ptr().cast(), step, source.as_raw()) }
        })
    }

    /// Copies `len` bytes from `offset` to `dest`, and returns how many it were: fewer if `dest`
    /// has no more room, or cannot be written any further, or the memory ends.
    ///
    /// Context: that of `dest`: process context, may sleep, if it is a program's memory.
    #[inline]
    pub fn copy_out(&self, offset: usize, len: usize, dest: &mut IovIterDest<'_>) -> usize {
        self.stretches(offset, len, |from, step| {
            // SAFETY: By the type invariants `from` is valid for reading so many bytes. The type
            // `IovIterDest` says that it may be written.
            unsafe { bindings::_copy_to_iter(from.as_ptr().cast(), step, dest.as_raw()) }
        })
    }

    /// Fails if there are not `len` bytes from `offset` on.
    fn check(&self, offset: usize, len: usize) -> Result {
        match offset.checked_add(len) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(EINVAL),
        }
    }

    /// Copies what is at `offset` to `to`.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the memory ends before; then nothing is copied.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        self.check(offset, to.len())?;
        let mut rest = to.as_mut_ptr();
        self.stretches(offset, to.len(), |from, step| {
            // SAFETY: By the type invariants `from` is valid for reading so many bytes, and the
            // stretches are no longer than `to` together. The two do not overlap: nobody has
            // references to the memory.
            unsafe {
                xen_bindings::xenoxide_shared_copy(rest.cast(), from.as_ptr().cast(), step);
                rest = rest.add(step);
            }
            step
        });
        Ok(())
    }

    /// Copies `from` to `offset`.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the memory ends before; then nothing is copied.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result {
        self.check(offset, from.len())?;
        let mut rest = from.as_ptr();
        self.stretches(offset, from.len(), |to, step| {
            // SAFETY: By the type invariants `to` is valid for writing so many bytes, and the
            // stretches are no longer than `from` together. The two do not overlap: nobody has
            // references to the memory.
            unsafe {
                xen_bindings::xenoxide_shared_copy(to.as_ptr().cast(), rest.cast(), step);
                rest = rest.add(step);
            }
            step
        });
        Ok(())
    }

    /// Returns the address of the `size` bytes at `offset`, if they are aligned to that and there.
    fn aligned(&self, offset: usize, size: usize) -> Option<NonNull<u8>> {
        if offset % size != 0 {
            return None;
        }
        let page = self.pages.get(offset >> PAGE_SHIFT)?;
        // SAFETY: It is within the page.
        Some(unsafe { page.add(offset & (PAGE_SIZE - 1)) })
    }

    /// Returns the address of the `len` bytes at `offset`, if they are aligned to eight, within one
    /// page, and there.
    pub(super) fn within_page(&self, offset: usize, len: usize) -> Option<NonNull<u8>> {
        let rest = PAGE_SIZE - offset % PAGE_SIZE;
        if len > rest {
            return None;
        }
        self.aligned(offset, size_of::<Word64>())
    }

    /// Returns the word at `offset`, or [`None`] if that is not aligned or beyond the end.
    pub fn word32(&self, offset: usize) -> Option<&Word32> {
        let address = self.aligned(offset, size_of::<Word32>())?;
        // SAFETY: By the type invariants there are so many bytes, aligned, as long as `self` is.
        Some(unsafe { address.cast().as_ref() })
    }

    /// Returns the word at `offset`, or [`None`] if that is not aligned or beyond the end.
    pub fn word64(&self, offset: usize) -> Option<&Word64> {
        let address = self.aligned(offset, size_of::<Word64>())?;
        // SAFETY: By the type invariants there are so many bytes, aligned, as long as `self` is.
        Some(unsafe { address.cast().as_ref() })
    }
}
