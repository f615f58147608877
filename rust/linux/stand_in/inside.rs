// SPDX-License-Identifier: GPL-2.0

//! Memory as a program has it, and frames of our own, for tests.
//!
//! C headers: [`include/kunit/test.h`](srctree/include/kunit/test.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h).

use super::{
    Frames,
    Keeper,
    Opened, //
};
use crate::bindings as xen_bindings;
use core::{
    ops::Range,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    error::to_result,
    page::{
        Page,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// Anonymous memory of the calling thread of the kernel, which gets memory as programs have it.
/// Dropping it unmaps what is mapped there then.
///
/// # Invariants
///
/// Nobody else uses the addresses.
pub struct Memory {
    address: usize,
    pages: usize,
}

/// Maps a file, or anonymous memory, at an address or anywhere.
fn map(
    file: *mut bindings::file,
    (address, pages): (usize, usize),
    (protection, flags): (usize, usize),
) -> Result<usize> {
    // SAFETY: The kernel checks what it is told. Nobody but tests has memory in this thread.
    let mapped =
        unsafe { bindings::vm_mmap(file, address, pages * PAGE_SIZE, protection, flags, 0) };
    match i32::try_from(mapped as isize) {
        Ok(error) if error < 0 => Err(Error::from_errno(error)),
        _ => Ok(mapped),
    }
}

impl Memory {
    /// Returns so many pages of zeroes.
    ///
    /// Context: a KUnit test, in its thread.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(pages: usize) -> Result<Self> {
        // SAFETY: The thread is the kernel's, and ends with the test.
        to_result(unsafe { bindings::kunit_attach_mm() })?;
        let how = (xen_bindings::XENOXIDE_PROT, xen_bindings::XENOXIDE_MAP);
        // INVARIANT: The kernel has chosen addresses that nobody uses.
        Ok(Self {
            address: map(null_mut(), (0, pages), how)?,
            pages,
        })
    }

    /// Returns the address of a page.
    pub fn address(&self, page: usize) -> usize {
        self.address + page * PAGE_SIZE
    }

    /// Fills a page with a byte.
    ///
    /// # Errors
    ///
    /// `EFAULT` if it cannot be written.
    pub fn fill(&self, page: usize, byte: u8) -> Result {
        let content = KVec::from_elem(byte, PAGE_SIZE, GFP_KERNEL)?;
        let to = UserPtr::from_addr(self.address(page));
        UserSlice::new(to, PAGE_SIZE).writer().write_slice(&content)
    }

    /// Returns the byte that a page is full of; [`None`] if it has several.
    ///
    /// # Errors
    ///
    /// `EFAULT` if it cannot be read.
    pub fn byte(&self, page: usize) -> Result<Option<u8>> {
        let mut content = KVec::new();
        let from = UserPtr::from_addr(self.address(page));
        UserSlice::new(from, PAGE_SIZE).read_all(&mut content, GFP_KERNEL)?;
        let first = content.first().copied();
        let is_first = |byte: &u8| Some(*byte) == first;
        Ok(first.filter(|_| content.iter().all(is_first)))
    }

    /// Maps what is open over all pages to be executed, as a program could try. What was there is
    /// unmapped by then.
    ///
    /// # Errors
    ///
    /// What `mmap(2)` has.
    pub fn execute<F: Frames, K: Keeper<F>>(&self, opened: &Opened<F, K>) -> Result {
        let protection = xen_bindings::XENOXIDE_PROT_READ | xen_bindings::XENOXIDE_PROT_EXEC;
        let how = (protection, xen_bindings::XENOXIDE_MAP_OVER);
        let place = (self.address, self.pages);
        map(opened.file.as_ptr(), place, how).map(drop)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. Files that were mapped are closed at once.
        unsafe {
            bindings::vm_munmap(self.address, self.pages * PAGE_SIZE);
            bindings::flush_delayed_fput();
        }
    }
}

/// Pages of our own that stand in for others: each is full of a byte.
///
/// # Invariants
///
/// Nobody writes them, and they stay as long as this does.
pub struct OwnFrames {
    pages: KVec<(Page, Atomic<bool>)>,
}

impl OwnFrames {
    /// Returns a page for each byte; for 0 there is none, from the start.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(bytes: &[u8]) -> Result<impl PinInit<Self, Error>> {
        let mut pages = KVec::new();
        for &byte in bytes {
            let page = Page::alloc_page(GFP_KERNEL)?;
            let content = KVec::from_elem(byte, PAGE_SIZE, GFP_KERNEL)?;
            // SAFETY: The page is ours alone, and there are as many bytes.
            unsafe { page.write_raw(content.as_ptr(), 0, PAGE_SIZE) }?;
            pages.push((page, Atomic::new(byte != 0)), GFP_KERNEL)?;
        }
        // INVARIANT: Nobody has written them but this.
        Ok(try_init!(Self { pages }? Error))
    }

    fn page(&self, page: usize) -> Option<&Page> {
        let (page, is_there) = self.pages.get(page)?;
        is_there.load(Relaxed).then_some(page)
    }
}

// SAFETY: By the type invariants programs may read the pages; they are freed after nobody has them
// mapped any more, with the object that they belong to.
unsafe impl Frames for OwnFrames {
    fn number(&self, page: usize) -> Option<usize> {
        let page = self.page(page)?;
        // SAFETY: It is a page.
        Some(unsafe { xen_bindings::xenoxide_page_to_pfn(page.as_ptr()) })
    }

    fn read(&self, page: usize, to: &mut [u8]) -> Result {
        let page = self.page(page).ok_or(ENOENT)?;
        // SAFETY: `to` is valid for writing, and by the type invariants nobody writes the page.
        unsafe { page.read_raw(to.as_mut_ptr(), 0, to.len()) }
    }

    unsafe fn release(&self, pages: Range<usize>) {
        for (_, is_there) in self.pages.get(pages).unwrap_or_default() {
            is_there.store(false, Relaxed);
        }
    }
}
