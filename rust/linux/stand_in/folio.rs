// SPDX-License-Identifier: GPL-2.0

//! Folios of a file in memory: one page, or many where the kernel is set so
//! (`/sys/kernel/mm/transparent_hugepage/shmem_enabled`).

use crate::bindings as xen_bindings;
use core::{
    ops::Range,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    page::PAGE_SIZE,
    prelude::*, //
};

/// A folio that nobody else sees or changes; dropping it ends that.
///
/// # Invariants
///
/// It is one of a file in memory, locked by us, and a reference to it is ours.
pub(super) struct Folio(NonNull<bindings::folio>);

impl Folio {
    /// Returns the folio that has a page of a file, full of zeroes if there was none. [`None`] if there is
    /// none and it shall not be made.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINVAL` if the file has no such page, `EIO` if it cannot be swapped in.
    ///
    /// # Safety
    ///
    /// `file` must be open, and one in memory; nobody else may be calling this for it.
    pub(super) unsafe fn get(
        file: *mut bindings::file,
        page: usize,
        make: bool,
    ) -> Result<Option<Self>> {
        let mut folio = null_mut();
        // SAFETY: By the requirements; `folio` is valid for writing.
        to_result(unsafe { xen_bindings::xenoxide_memory_folio(file, page, make, &mut folio) })?;
        // INVARIANT: It was locked, and referenced.
        Ok(NonNull::new(folio).map(Self))
    }

    /// Returns which pages of the file it has.
    pub(super) fn pages(&self) -> Range<usize> {
        let folio = self.0.as_ptr();
        // SAFETY: By the type invariants.
        let (first, count) = unsafe {
            (
                xen_bindings::xenoxide_folio_index(folio),
                xen_bindings::xenoxide_folio_pages(folio),
            )
        };
        first..first + count
    }

    /// Writes one of its pages.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is none of them, or `content` is not a page.
    pub(super) fn write(&self, page: usize, content: &[u8]) -> Result {
        let pages = self.pages();
        if !pages.contains(&page) || content.len() != PAGE_SIZE {
            return Err(EINVAL);
        }
        let from = content.as_ptr().cast();
        // SAFETY: By the type invariants; it has the page, and there are as many bytes.
        unsafe {
            xen_bindings::xenoxide_memory_folio_write(self.0.as_ptr(), page - pages.start, from)
        };
        Ok(())
    }
}

impl Drop for Folio {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; this takes the reference.
        unsafe { xen_bindings::xenoxide_memory_folio_end(self.0.as_ptr()) };
    }
}
