// SPDX-License-Identifier: GPL-2.0

//! A page with a content that does not change, granted to other domains for reading.
//!
//! C header: [`include/xen/grant_table.h`](srctree/include/xen/grant_table.h).

use crate::{
    bindings as xen_bindings,
    xen::domain::DomId, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    page::{
        Page,
        PAGE_SIZE, //
    },
    prelude::*, //
};

/// What a grant is to be for reading only.
const READ_ONLY: i32 = 1;

/// A page that others may read. Dropping it ends all grants of it; the page itself stays until the
/// last of those domains has unmapped it.
///
/// # Invariants
///
/// - `page` is written by nobody from the end of [`Frame::new`] on.
/// - `grants` are grants of it, for reading, and belong to us; for each there is a reference of the
///   page.
pub struct Frame {
    page: Page,
    grants: KVec<u32>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Frame {}

impl Frame {
    /// Allocates a page with the content `bytes`, which may be shorter: then zeroes follow.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINVAL` if it is more than a page.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > PAGE_SIZE {
            return Err(EINVAL);
        }
        let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO)?;
        // SAFETY: The page is ours alone, and `bytes` is valid for reading as many.
        unsafe { page.write_raw(bytes.as_ptr(), 0, bytes.len()) }?;
        // INVARIANT: There is no grant.
        Ok(Self {
            page,
            grants: KVec::new(),
        })
    }

    /// Lets `domain` map the page for reading, and returns the grant's reference.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the grant table is full, `ENOMEM`.
    pub fn grant(&mut self, domain: DomId) -> Result<u32> {
        self.grants.reserve(1, GFP_KERNEL)?;
        let page = self.page.as_ptr();
        let mut head = 0;
        // SAFETY: `head` is valid for writing.
        let count = unsafe { xen_bindings::gnttab_alloc_grant_references(1, &mut head) };
        if count < 0 {
            return Err(ENOSPC);
        }
        // SAFETY: `head` begins a list that belongs to us, and has one.
        let reference = unsafe { xen_bindings::gnttab_claim_grant_reference(&mut head) };
        let reference = u32::try_from(reference).map_err(|_| ENOSPC)?;
        // SAFETY: The reference is ours and not in use; the page is ours.
        unsafe {
            xen_bindings::xenoxide_get_page(page);
            xen_bindings::gnttab_grant_foreign_access_ref(
                reference,
                domain.number(),
                xen_bindings::xenoxide_page_to_gfn(page),
                READ_ONLY,
            );
        }
        // There is room. INVARIANT: It is a grant of the page, which has one more reference.
        self.grants.push(reference, GFP_KERNEL)?;
        Ok(reference)
    }

    /// Ends a grant, if there is one of that number. Returns it if the domain still has it mapped.
    ///
    /// Context: process context.
    pub fn end(&mut self, reference: u32) -> Option<Overdue> {
        let at = self.grants.iter().position(|&grant| grant == reference)?;
        self.grants.remove(at).ok()?;
        // INVARIANT: By the type invariants it was ours, and with it a reference of the page.
        let mut grant = Overdue {
            reference,
            page: NonNull::new(self.page.as_ptr()),
        };
        (!grant.try_end()).then_some(grant)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        while let Some(reference) = self.grants.pop() {
            // SAFETY: By the type invariants the grant is ours. This takes its reference of the page.
            unsafe { xen_bindings::gnttab_end_foreign_access(reference, self.page.as_ptr()) };
        }
    }
}

/// A grant that is over, but that its domain still has mapped. It takes an entry of the grant table, and
/// keeps the page. When it is dropped the kernel keeps both, and looks again each second
/// (`gnttab_end_foreign_access()`).
///
/// # Invariants
///
/// If there is a page, then the reference is a grant of it that belongs to us, and so does a reference
/// of the page.
pub struct Overdue {
    reference: u32,
    /// [`None`] when it has ended.
    page: Option<NonNull<bindings::page>>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Overdue {}

impl Overdue {
    /// Its number in the grant table.
    pub fn reference(&self) -> u32 {
        self.reference
    }

    /// Ends it, unless the domain still has it mapped. Returns whether it has ended.
    ///
    /// Context: any but hard interrupts.
    pub fn try_end(&mut self) -> bool {
        let Some(page) = self.page else {
            return true;
        };
        // SAFETY: By the type invariants the grant is ours. On success it is not used again.
        if unsafe { xen_bindings::gnttab_try_end_foreign_access(self.reference) } == 0 {
            return false;
        }
        // INVARIANT: It is ours no more.
        self.page = None;
        // SAFETY: By the type invariants the reference of the page, a single one, was ours.
        unsafe { bindings::__free_pages(page.as_ptr(), 0) };
        true
    }
}

impl Drop for Overdue {
    fn drop(&mut self) {
        if let Some(page) = self.page {
            // SAFETY: By the type invariants both are ours.
            unsafe { xen_bindings::gnttab_end_foreign_access(self.reference, page.as_ptr()) };
        }
    }
}
