// SPDX-License-Identifier: GPL-2.0

//! Pages that the built-in driver lends, with nothing behind them, to those who map foreign memory
//! there. We need none: this is for tests.
//!
//! C header: [`include/xen/balloon.h`](srctree/include/xen/balloon.h).

use crate::bindings;
use core::ptr::null_mut;
use kernel::{
    bindings::page,
    error::to_result,
    prelude::*, //
};

/// Pages that are borrowed. Dropped, they are returned.
///
/// # Invariants
///
/// They are what `xen_alloc_ballooned_pages()` has lent, and nothing is mapped there.
pub struct Borrowed(KVVec<*mut page>);

impl Borrowed {
    /// Borrows so many pages. What the built-in driver does not have it takes of the domain's.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(pages: usize) -> Result<Self> {
        let count = u32::try_from(pages)?;
        let mut borrowed = KVVec::from_elem(null_mut(), pages, GFP_KERNEL)?;
        // SAFETY: There is room for that many.
        to_result(unsafe { bindings::xen_alloc_ballooned_pages(count, borrowed.as_mut_ptr()) })?;
        // INVARIANT: They were lent just now.
        Ok(Self(borrowed))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and there are no more than fitted a `u32`.
        unsafe { bindings::xen_free_ballooned_pages(self.0.len() as u32, self.0.as_mut_ptr()) };
    }
}
