// SPDX-License-Identifier: GPL-2.0

//! Memory shared with another domain by grants: [`Granted`] by us, [`Mapped`] from the other one;
//! [`Region`] is either.
//!
//! It is [`Memory`] that the other domain may write at any time: what is read from it may be
//! something else the next time.
//!
//! C headers: [`include/xen/grant_table.h`](srctree/include/xen/grant_table.h),
//! [`include/xen/interface/grant_table.h`](srctree/include/xen/interface/grant_table.h).

use super::{
    domain::DomId,
    shared::Memory, //
};
use crate::bindings as xen_bindings;
use core::{
    mem,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    alloc::Flags,
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_uint, //
    },
    page::Page,
    prelude::*, //
};

/// How many grants one call of the hypervisor maps or unmaps.
pub(crate) const BATCH: usize = 128;

/// A grant that is not mapped.
const NO_HANDLE: u32 = u32::MAX;

/// Memory of this domain that another one may map, for reading and writing.
///
/// Dropping it ends the grants. Pages that the other domain has mapped stay out of use until it
/// unmaps them: the kernel keeps them and looks again each second (`gnttab_end_foreign_access()`).
///
/// When the domain has been saved or migrated, it finds an empty grant table: nobody can map the
/// memory any more, which stays usable by us. Ending grants that are not in the table is harmless:
/// they count as unused, and the pages are free at once. When the suspend was called off, the
/// table is as it was.
///
/// # Invariants
///
/// - `memory` is that of `pages`, in their order; we have a reference of each of them.
/// - `refs` belong to us and are grants of the first pages, in their order. Pages beyond them are
///   granted to nobody.
pub struct Granted {
    memory: Memory,
    pages: KVec<NonNull<bindings::page>>,
    refs: KVec<u32>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Granted {}
// SAFETY: A shared one only hands out numbers and the memory, which is `Sync`.
unsafe impl Sync for Granted {}

impl Granted {
    /// Allocates `pages` pages of zeroes and grants them to `to`.
    ///
    /// Context: that of an allocation with `flags`.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the grant table is full, `ENOMEM`, `EINVAL` for no page or more than 65535.
    pub fn new(to: DomId, pages: usize, flags: Flags) -> Result<Self> {
        let count = u16::try_from(pages).ok().filter(|&n| n > 0).ok_or(EINVAL)?;
        // INVARIANT: There is no page and no grant.
        let mut this = Self {
            memory: Memory::with_capacity(pages, flags)?,
            pages: KVec::with_capacity(pages, flags)?,
            refs: KVec::with_capacity(pages, flags)?,
        };

        let mut head = 0;
        // SAFETY: `head` is valid for writing.
        to_result(unsafe { xen_bindings::gnttab_alloc_grant_references(count, &mut head) })?;
        let result = (0..pages).try_for_each(|_| this.add(to, &mut head, flags));
        // SAFETY: What is left of the list belongs to us, if anything is.
        unsafe { xen_bindings::gnttab_free_grant_references(head) };
        result.map(|()| this)
    }

    /// Grants one more page, with a reference of the list that begins with `head`.
    fn add(&mut self, to: DomId, head: &mut u32, flags: Flags) -> Result {
        let page = Page::alloc_page(flags | __GFP_ZERO)?;
        let raw = NonNull::new(page.as_ptr()).ok_or(ENOMEM)?;

        // There is room for all of them: nothing fails between one and the next.
        self.pages.push(raw, flags)?;
        // INVARIANT: The reference of the page is ours from here on.
        mem::forget(page);
        // SAFETY: By the type invariants the page stays ours while the memory is there.
        unsafe { self.memory.push(raw, flags) }?;
        // SAFETY: `head` begins a list that belongs to us.
        let reference = unsafe { xen_bindings::gnttab_claim_grant_reference(head) };
        let reference = u32::try_from(reference).map_err(|_| ENOSPC)?;
        // INVARIANT: It is granted next.
        self.refs.push(reference, flags)?;
        // SAFETY: The reference is ours and not in use, and so is the page.
        unsafe {
            xen_bindings::gnttab_grant_foreign_access_ref(
                reference,
                to.number(),
                xen_bindings::xenoxide_page_to_gfn(raw.as_ptr()),
                0,
            )
        };
        Ok(())
    }

    /// Returns the grants, by which the other domain maps the pages.
    pub fn refs(&self) -> &[u32] {
        &self.refs
    }

    /// Ends the grants if the other domain has nothing mapped, and frees the memory.
    ///
    /// Context: any but hard interrupts.
    ///
    /// # Errors
    ///
    /// The memory itself, if the other domain still has something mapped. What it had not mapped
    /// it cannot map any more: [`Granted::refs`] tells only of the rest then.
    pub fn try_end(mut self) -> Result<(), Self> {
        while let Some(&reference) = self.refs.last() {
            // SAFETY: By the type invariants the grant is ours. On success it is not used again.
            if unsafe { xen_bindings::gnttab_try_end_foreign_access(reference) } == 0 {
                return Err(self);
            }
            // INVARIANT: The last page that was granted is so no more.
            self.refs.pop();
        }
        Ok(())
    }
}

impl Deref for Granted {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        &self.memory
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        let (granted, ours) = self.pages.split_at(self.refs.len());

        for (page, &reference) in granted.iter().zip(&self.refs) {
            // SAFETY: By the type invariants both are ours. This takes our reference of the page,
            // and drops it when the other domain does not use the page any more.
            unsafe { xen_bindings::gnttab_end_foreign_access(reference, page.as_ptr()) };
        }
        for page in ours {
            // SAFETY: By the type invariants the page is ours, and nobody else has it.
            unsafe { bindings::__free_pages(page.as_ptr(), 0) };
        }
    }
}

/// Memory of another domain that is mapped here, for reading and writing. Dropping it unmaps it.
///
/// It must be dropped before the domain is suspended: a mapping does not survive that.
///
/// # Invariants
///
/// - `memory` is that of `pages`, in their order. They came from `gnttab_alloc_pages()` and belong
///   to us.
/// - Where `handles` has something else than [`NO_HANDLE`], the page of that index has a grant of
///   that handle mapped into it. There are no more handles than pages.
/// - `unmaps` has room for [`BATCH`] operations, or for one for each page.
pub struct Mapped {
    memory: Memory,
    pages: KVec<*mut bindings::page>,
    handles: KVec<u32>,
    unmaps: KVec<xen_bindings::gnttab_unmap_grant_ref>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Mapped {}
// SAFETY: A shared one only hands out the memory, which is `Sync`.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps the grants `refs` of `from`: all or none.
    ///
    /// `from` must be another domain, unless this is a PV one: in others Xen takes a frame that the
    /// domain maps from itself away from where it was (`p2m_add_page()`,
    /// `xen/arch/x86/mm/p2m.c`), and never puts it back.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EACCES` if `from` has not granted one of them to us for writing, `ESRCH` if there is no
    /// such domain, `ENOSPC` if the hypervisor lets us map no more, `ENOMEM`, `EINVAL` for no
    /// grant; `EIO` for all else that Xen says.
    pub fn new(from: DomId, refs: &[u32]) -> Result<Self> {
        if refs.is_empty() {
            return Err(EINVAL);
        }
        let mut this = Self::unmapped(refs.len())?;
        let mut operations = KVec::with_capacity(refs.len().min(BATCH), GFP_KERNEL)?;

        for batch in refs.chunks(BATCH) {
            this.map(from, batch, &mut operations)?;
        }
        Ok(this)
    }

    /// Takes `count` pages that grants can be mapped into.
    fn unmapped(count: usize) -> Result<Self> {
        let number = c_int::try_from(count)?;
        let memory = Memory::with_capacity(count, GFP_KERNEL)?;
        let handles = KVec::with_capacity(count, GFP_KERNEL)?;
        let unmaps = KVec::with_capacity(count.min(BATCH), GFP_KERNEL)?;
        let mut pages = KVec::from_elem(core::ptr::null_mut(), count, GFP_KERNEL)?;

        // SAFETY: There is room for so many pages.
        to_result(unsafe { xen_bindings::gnttab_alloc_pages(number, pages.as_mut_ptr()) })?;
        // INVARIANT: The pages are ours, and nothing is mapped.
        let mut this = Self {
            memory,
            pages,
            handles,
            unmaps,
        };
        for &page in &this.pages {
            let page = NonNull::new(page).ok_or(ENOMEM)?;
            // SAFETY: By the type invariants the page stays ours while the memory is there.
            unsafe { this.memory.push(page, GFP_KERNEL) }?;
        }
        Ok(this)
    }

    /// Maps `refs` into the pages that come next, with room for the operations at hand.
    fn map(
        &mut self,
        from: DomId,
        refs: &[u32],
        operations: &mut KVec<xen_bindings::gnttab_map_grant_ref>,
    ) -> Result {
        let first = self.handles.len();
        let pages = self
            .pages
            .get_mut(first..first + refs.len())
            .ok_or(EINVAL)?;

        operations.clear();
        for (&page, &reference) in pages.iter().zip(refs) {
            let mut operation = pin_init::zeroed();
            // SAFETY: The page is ours; nothing is mapped into it.
            unsafe {
                xen_bindings::xenoxide_set_map_op(
                    &mut operation,
                    xen_bindings::xenoxide_page_va(page),
                    reference,
                    from.number(),
                )
            };
            operations.push(operation, GFP_KERNEL)?;
        }
        // SAFETY: There is an operation for each of the pages, which are ours and fit for it.
        let done = to_result(unsafe {
            xen_bindings::gnttab_map_refs(
                operations.as_mut_ptr(),
                core::ptr::null_mut(),
                pages.as_mut_ptr(),
                refs.len() as c_uint,
            )
        });
        let mut result = Ok(());
        for operation in operations.iter() {
            let status = i32::from(operation.status);
            let mapped = status == xen_bindings::GNTST_okay as i32;
            // INVARIANT: The handle is that of what was mapped here, if anything was.
            let handle = if mapped { operation.handle } else { NO_HANDLE };
            self.handles.push(handle, GFP_KERNEL)?;
            if !mapped && result.is_ok() {
                result = Err(map_error(status));
            }
        }
        result.and(done)
    }

    /// Returns how many pages from `first` on are mapped, at most a batch.
    fn run(&self, first: usize) -> usize {
        let mapped = |&&handle: &&u32| handle != NO_HANDLE;
        let handles = self.handles.get(first..).unwrap_or_default();

        handles.iter().take(BATCH).take_while(mapped).count()
    }

    /// Unmaps the `count` pages from `first` on, a [`Mapped::run`], and returns whether it could.
    fn unmap(&mut self, first: usize, count: usize) -> bool {
        let (Some(pages), Some(handles)) = (
            self.pages.get_mut(first..first + count),
            self.handles.get(first..first + count),
        ) else {
            return false;
        };

        self.unmaps.clear();
        for (&mut page, &handle) in pages.iter_mut().zip(handles) {
            let mut operation = pin_init::zeroed();
            // SAFETY: By the type invariants the grant is mapped there.
            unsafe {
                xen_bindings::xenoxide_set_unmap_op(
                    &mut operation,
                    xen_bindings::xenoxide_page_va(page),
                    handle,
                )
            };
            // By the type invariants there is room.
            if self.unmaps.push(operation, GFP_NOWAIT).is_err() {
                return false;
            }
        }
        let mut queue = xen_bindings::gntab_unmap_queue_data {
            unmap_ops: self.unmaps.as_mut_ptr(),
            pages: pages.as_mut_ptr(),
            count: count as c_uint,
            ..pin_init::zeroed()
        };
        // SAFETY: By the type invariants the grants are mapped into the pages, for each of which
        // there is an operation. This waits until nobody else uses one of them.
        let result = to_result(unsafe { xen_bindings::gnttab_unmap_refs_sync(&mut queue) });
        result.is_ok() && self.unmaps.iter().all(|operation| operation.status == 0)
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let mut first = 0;
        let mut lost = 0;

        while first < self.handles.len() {
            let run = self.run(first);
            if run > 0 && !self.unmap(first, run) {
                // Nobody knows what is behind these pages: they are never used again.
                for page in self.pages.iter_mut().skip(first).take(run) {
                    *page = core::ptr::null_mut();
                }
                lost += run;
            }
            first += run.max(1);
        }
        if lost > 0 {
            pr_err!("{lost} pages lost: Xen does not unmap grants\n");
            self.pages.retain(|page| !page.is_null());
        }
        // SAFETY: By the type invariants the pages are ours, and nothing is mapped into them.
        unsafe {
            xen_bindings::gnttab_free_pages(self.pages.len() as c_int, self.pages.as_mut_ptr())
        };
    }
}

impl Deref for Mapped {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        &self.memory
    }
}

/// Memory that is shared by this domain's grants, or by the other one's.
pub enum Region {
    /// It is ours.
    Own(Granted),
    /// It is the other domain's.
    Peers(Mapped),
}

impl Region {
    /// The grants, where they are ours.
    pub fn refs(&self) -> &[u32] {
        match self {
            Region::Own(granted) => granted.refs(),
            Region::Peers(_) => &[],
        }
    }
}

impl Deref for Region {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        match self {
            Region::Own(granted) => granted,
            Region::Peers(mapped) => mapped,
        }
    }
}

/// Returns what the failure of mapping a grant comes to.
pub(crate) fn map_error(status: i32) -> Error {
    match status {
        xen_bindings::GNTST_bad_domain => ESRCH,
        // The last one is what Xen says of a grant that is not there, or for somebody else.
        xen_bindings::GNTST_bad_gntref
        | xen_bindings::GNTST_permission_denied
        | xen_bindings::GNTST_general_error => EACCES,
        xen_bindings::GNTST_no_device_space => ENOSPC,
        _ => EIO,
    }
}
