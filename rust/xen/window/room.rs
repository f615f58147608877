// SPDX-License-Identifier: GPL-2.0

//! Where the slots of a window are.

use super::{
    entry::Entry,
    operations::Operations, //
};
use crate::{
    bindings as xen_bindings,
    once::Once,
    space::Space,
    xen::{
        domain::{
            self,
            Kind, //
        },
        grant::BATCH, //
    }, //
};
use core::{
    convert::Infallible,
    ffi::c_int,
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::AtomicU32, //
};
use kernel::{
    bindings,
    error::to_result,
    page::PAGE_SIZE,
    prelude::*, //
};

/// Slots whose account was allocated together.
pub(super) struct Chunk {
    pub(super) entries: KBox<[Entry; BATCH]>,
    /// The handles of what is mapped.
    pub(super) handles: KBox<[AtomicU32; BATCH]>,
    /// Only where there is no space for all slots.
    pages: Option<Pages>,
}

/// Pages of the kernel's, into which grants are mapped.
///
/// # Invariants
///
/// They came from `gnttab_alloc_pages()` and belong to us.
struct Pages(KVec<*mut bindings::page>);

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Pages {}
// SAFETY: They are only handed to the hypercalls of who has made an entry busy.
unsafe impl Sync for Pages {}

impl Pages {
    fn new() -> Result<Self> {
        let mut pages = KVec::from_elem(null_mut(), BATCH, GFP_KERNEL)?;
        // SAFETY: There is room for so many pages.
        to_result(unsafe { xen_bindings::gnttab_alloc_pages(BATCH as c_int, pages.as_mut_ptr()) })?;
        // INVARIANT: They are ours.
        Ok(Self(pages))
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let Some(Pages(pages)) = &mut self.pages else {
            return;
        };
        // What is still busy could not be unmapped: nobody knows what is behind such a page.
        let mut entries = self.entries.iter();
        pages.retain(|_| entries.next().is_some_and(Entry::is_empty));
        // SAFETY: By the type invariants these pages are ours, and nothing is mapped into them.
        unsafe { xen_bindings::gnttab_free_pages(pages.len() as c_int, pages.as_mut_ptr()) };
    }
}

/// Where the slots are, and what there is of them.
///
/// # Invariants
///
/// - An entry that counts users has a grant mapped into its slot, for reading, with its handle. One
///   that is empty has nothing mapped. What a busy one has, only who made it so knows.
/// - `space`, if there is any, has room for all slots; else chunks have pages.
pub(super) struct Room {
    /// Addresses without memory. A PV domain has no such: there mappings need pages of the kernel's.
    space: Option<Space>,
    chunks: KVVec<Once<Chunk>>,
}

impl Room {
    /// Returns room for so many slots.
    pub(super) fn new(slots: u32) -> Result<Self> {
        let count = (slots as usize).div_ceil(BATCH);
        let space = match domain::kind() {
            Some(Kind::Pv) => None,
            _ => Some(Space::new(count * BATCH * PAGE_SIZE)?),
        };
        let mut chunks = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            chunks.push(Once::empty(), GFP_KERNEL)?;
        }
        // INVARIANT: There are no entries.
        Ok(Self { space, chunks })
    }

    /// Returns how many slots there are.
    pub(super) fn slots(&self) -> u32 {
        (self.chunks.len() * BATCH) as u32
    }

    /// Returns the chunk of a slot, if it is there, and its place there.
    #[inline]
    pub(super) fn chunk(&self, slot: u32) -> Option<(&Chunk, usize)> {
        let slot = slot as usize;
        Some((self.chunks.get(slot / BATCH)?.get()?, slot % BATCH))
    }

    /// Returns a slot's entry, if its chunk is there.
    #[inline]
    pub(super) fn entry(&self, slot: u32) -> Option<&Entry> {
        let (chunk, at) = self.chunk(slot)?;
        chunk.entries.get(at)
    }

    /// Returns the entries of those slots behind one that the kernel has mapped behind it.
    #[inline]
    pub(super) fn behind(&self, slot: u32) -> &[Entry] {
        match (&self.space, self.chunk(slot)) {
            (Some(_), Some((chunk, at))) => chunk.entries.get(at + 1..).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// Returns all entries that there are.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let chunks = self.chunks.iter().filter_map(Once::get);
        chunks.flat_map(|chunk| chunk.entries.iter())
    }

    /// Allocates the chunk of a slot, if it is not there.
    pub(super) fn allocate(&self, slot: u32) -> Result {
        let chunk = self.chunks.get(slot as usize / BATCH).ok_or(EINVAL)?;
        if chunk.get().is_some() {
            return Ok(());
        }
        let pages = match &self.space {
            Some(_) => None,
            None => Some(Pages::new()?),
        };
        let entries = pin_init::init_array_from_fn::<_, BATCH, _, Infallible>(|_| Entry::new());
        let handles =
            pin_init::init_array_from_fn::<_, BATCH, _, Infallible>(|_| AtomicU32::new(0));
        // INVARIANT: Nothing is mapped.
        let new = Chunk {
            entries: KBox::init(entries, GFP_KERNEL)?,
            handles: KBox::init(handles, GFP_KERNEL)?,
            pages,
        };
        chunk.set(KBox::new(new, GFP_KERNEL)?);
        Ok(())
    }

    /// Returns where the kernel has a slot mapped, if its chunk is there.
    #[inline]
    pub(super) fn address(&self, slot: u32) -> Option<NonNull<u8>> {
        match &self.space {
            Some(space) => space.address(slot as usize * PAGE_SIZE),
            None => {
                let page = self.page(slot)?;
                // SAFETY: By the type invariants it is a page of the kernel's.
                NonNull::new(unsafe { xen_bindings::xenoxide_page_va(page) } as *mut u8)
            }
        }
    }

    /// Returns the page of a slot, where slots have pages.
    fn page(&self, slot: u32) -> Option<*mut bindings::page> {
        let (chunk, at) = self.chunk(slot)?;
        chunk.pages.as_ref()?.0.get(at).copied()
    }

    /// Returns the number of a slot's frame, where programs may have that mapped: a PV domain sees
    /// machine frames.
    #[inline]
    pub(super) fn frame(&self, slot: u32) -> Option<usize> {
        Some(self.space.as_ref()?.first_frame() + slot as usize)
    }

    /// Returns what Xen calls the place of a slot, and its page, if it has one.
    pub(super) fn target(&self, slot: u32) -> Option<(u64, *mut bindings::page)> {
        match &self.space {
            Some(space) => Some((
                space.start() + u64::from(slot) * PAGE_SIZE as u64,
                null_mut(),
            )),
            None => {
                let address = self.address(slot)?;
                Some((address.addr().get() as u64, self.page(slot)?))
            }
        }
    }

    /// Does operations that map.
    ///
    /// # Safety
    ///
    /// They are for targets of slots that are busy, with nothing mapped.
    pub(super) unsafe fn map(&self, operations: &mut Operations) -> Result {
        let count = operations.maps.len() as u32;
        match &self.space {
            Some(_) => {
                // SAFETY: By the requirements nothing is at these addresses, which are ours.
                unsafe { xen_bindings::gnttab_batch_map(operations.maps.as_mut_ptr(), count) };
                Ok(())
            }
            // SAFETY: There is an operation for each of the pages, which are ours, and into which
            // nothing is mapped.
            None => to_result(unsafe {
                xen_bindings::gnttab_map_refs(
                    operations.maps.as_mut_ptr(),
                    null_mut(),
                    operations.pages.as_mut_ptr(),
                    count,
                )
            }),
        }
    }

    /// Does operations that unmap.
    ///
    /// # Safety
    ///
    /// They are for what is mapped in slots that are busy, and that nobody has.
    pub(super) unsafe fn unmap(&self, operations: &mut Operations) -> Result {
        let count = operations.unmaps.len() as u32;
        if self.space.is_some() {
            // SAFETY: By the requirements.
            return to_result(unsafe {
                xen_bindings::xenoxide_grant_unmap(operations.unmaps.as_mut_ptr(), count)
            });
        }
        let mut queue = xen_bindings::gntab_unmap_queue_data {
            unmap_ops: operations.unmaps.as_mut_ptr(),
            pages: operations.pages.as_mut_ptr(),
            count,
            ..pin_init::zeroed()
        };
        // SAFETY: There is an operation for each of the pages, into which the grants are mapped.
        // This waits until nobody else uses one of them.
        to_result(unsafe { xen_bindings::gnttab_unmap_refs_sync(&mut queue) })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.entries().all(Entry::is_empty) {
            // Whoever got such an address would map something over what is there: Xen would end
            // the domain.
            core::mem::forget(self.space.take());
        }
    }
}
