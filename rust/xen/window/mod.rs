// SPDX-License-Identifier: GPL-2.0

//! A window on the memory of another domain: slots of one page each, into which its grants are
//! mapped for reading, and unmapped, in any order.
//!
//! What is in a slot may change at any time: the other domain may write its pages.
//!
//! C header: [`include/xen/grant_table.h`](srctree/include/xen/grant_table.h).

mod entry;
mod view;

pub use view::{
    Frame,
    View, //
};

use crate::{
    bindings as xen_bindings,
    vfs::Mount,
    xen::{
        domain::DomId,
        grant::{
            map_error,
            BATCH, //
        },
        shared::Memory, //
    }, //
};
use core::{
    ptr::NonNull,
    sync::atomic::{
        AtomicU32,
        AtomicU64,
        Ordering::{
            Acquire,
            Relaxed,
            Release, //
        }, //
    }, //
};
use entry::{
    Entry,
    BUSY,
    EMPTY,
    LEAVING,
    ONE,
    RECENT, //
};
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_uint, //
    },
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex,
        SetOnce, //
    }, //
};

/// Slots whose pages were allocated together.
///
/// # Invariants
///
/// - `memory` is that of `pages`, in their order. They came from `gnttab_alloc_pages()` and belong
///   to us.
/// - An entry that counts users has a grant mapped into its page, for reading, with its handle. One
///   that is [`EMPTY`] has nothing mapped. What a [`BUSY`] one has, only who made it so knows.
struct Chunk {
    memory: Memory,
    pages: KVec<*mut bindings::page>,
    entries: KVec<Entry>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Chunk {}
// SAFETY: Pages are only handed to the hypercalls of who has made an entry busy; `Memory` is `Sync`.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// Allocates pages for a batch of slots.
    fn new() -> Result<Self> {
        let memory = Memory::with_capacity(BATCH, GFP_KERNEL)?;
        let mut entries = KVec::with_capacity(BATCH, GFP_KERNEL)?;
        for _ in 0..BATCH {
            entries.push(Entry::new(), GFP_KERNEL)?;
        }
        let mut pages = KVec::from_elem(core::ptr::null_mut(), BATCH, GFP_KERNEL)?;

        // SAFETY: There is room for so many pages.
        to_result(unsafe { xen_bindings::gnttab_alloc_pages(BATCH as c_int, pages.as_mut_ptr()) })?;
        // INVARIANT: The pages are ours, and nothing is mapped.
        let mut this = Self {
            memory,
            pages,
            entries,
        };
        for &page in &this.pages {
            let page = NonNull::new(page).ok_or(ENOMEM)?;
            // SAFETY: By the type invariants the page stays ours while the memory is there.
            unsafe { this.memory.push(page, GFP_KERNEL) }?;
        }
        Ok(this)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // What is still busy could not be unmapped: nobody knows what is behind such a page.
        let mut at = 0;
        let entries = &self.entries;
        self.pages.retain(|_| {
            let empty = entries
                .get(at)
                .is_some_and(|entry| entry.users.load(Acquire) == EMPTY);
            at += 1;
            empty
        });
        // SAFETY: By the type invariants these pages are ours, and nothing is mapped into them.
        unsafe {
            xen_bindings::gnttab_free_pages(self.pages.len() as c_int, self.pages.as_mut_ptr())
        };
    }
}

/// Memory for the arguments of a hypercall.
struct Operations {
    maps: KVec<xen_bindings::gnttab_map_grant_ref>,
    unmaps: KVec<xen_bindings::gnttab_unmap_grant_ref>,
    pages: KVec<*mut bindings::page>,
    slots: KVec<u32>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Operations {}

/// Calls of the hypervisor, each for a batch of pages.
#[derive(Clone, Copy, Default)]
pub struct Calls {
    /// Those that map.
    pub maps: u64,
    /// Those that unmap.
    pub unmaps: u64,
}

/// A window on the memory of one domain.
///
/// # Invariants
///
/// Programs have frames of the window mapped by way of `mounts` only, and only those of slots that
/// say so, see [`Entry::shown`].
#[pin_data(PinnedDrop)]
pub struct Window {
    domain: DomId,
    chunks: KVVec<SetOnce<Chunk>>,
    #[pin]
    operations: Mutex<Operations>,
    #[pin]
    mounts: Mutex<KVec<Arc<Mount>>>,
    maps: AtomicU64,
    unmaps: AtomicU64,
    /// How many slots are to be unmapped that nobody uses any more.
    left: AtomicU32,
}

impl Window {
    /// Returns a window on the memory of `domain`, which must not be this one, with room for as
    /// many `slots`, numbered from 0. Pages for them are allocated when they are needed.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(domain: DomId, slots: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            domain,
            chunks: {
                let count = (slots as usize).div_ceil(BATCH);
                let mut chunks = KVVec::with_capacity(count, GFP_KERNEL)?;
                for _ in 0..count {
                    chunks.push(SetOnce::new(), GFP_KERNEL)?;
                }
                chunks
            },
            operations <- new_mutex!(Operations {
                maps: KVec::with_capacity(BATCH, GFP_KERNEL)?,
                unmaps: KVec::with_capacity(BATCH, GFP_KERNEL)?,
                pages: KVec::with_capacity(BATCH, GFP_KERNEL)?,
                slots: KVec::with_capacity(BATCH, GFP_KERNEL)?,
            }),
            mounts <- new_mutex!(KVec::new()),
            maps: AtomicU64::new(0),
            unmaps: AtomicU64::new(0),
            left: AtomicU32::new(0),
        })
    }

    /// Returns how often the hypervisor was called.
    pub fn calls(&self) -> Calls {
        Calls {
            maps: self.maps.load(Relaxed),
            unmaps: self.unmaps.load(Relaxed),
        }
    }

    /// Takes note of where files are mounted that may show frames of the window.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn add_mount(&self, mount: Arc<Mount>) -> Result {
        Ok(self.mounts.lock().push(mount, GFP_KERNEL)?)
    }

    /// Files that are not mounted there any more.
    pub fn remove_mount(&self, mount: &Arc<Mount>) {
        let removed = {
            let mut mounts = self.mounts.lock();
            let at = mounts.iter().position(|other| Arc::ptr_eq(other, mount));
            at.and_then(|at| mounts.remove(at).ok())
        };
        drop(removed);
    }

    /// Takes the frames of slots away from programs.
    fn hide(&self, slots: &[u32]) {
        let mounts = self.mounts.lock();
        for &slot in slots {
            if let Some((chunk, at)) = self.place(slot) {
                if let Some(entry) = chunk.entries.get(at) {
                    entry.shown.hide(&mounts);
                }
            }
        }
    }

    /// Returns how many slots there are.
    pub fn slots(&self) -> u32 {
        (self.chunks.len() * BATCH) as u32
    }

    /// Returns the chunk of a slot, and its place there.
    #[inline]
    fn place(&self, slot: u32) -> Option<(&Chunk, usize)> {
        let slot = slot as usize;
        Some((self.chunks.get(slot / BATCH)?.as_ref()?, slot % BATCH))
    }

    /// Returns the chunk of a slot, allocated if it was not, and its place there.
    fn placed(&self, slot: u32) -> Result<(&Chunk, usize)> {
        let chunk = self.chunks.get(slot as usize / BATCH).ok_or(EINVAL)?;
        if chunk.as_ref().is_none() {
            // Only who holds the lock comes here.
            chunk.populate(Chunk::new()?);
        }
        self.place(slot).ok_or(ENOMEM)
    }

    /// Maps grants of the domain into slots, for reading, a batch for each call of the hypervisor.
    /// `result` gets each slot, in order, and whether its grant is mapped now.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// For a slot: `EBUSY` if something is mapped there, `EACCES` if that is not granted to us,
    /// `ESRCH` if there is no such domain, `ENOSPC` if the hypervisor lets us map no more, `ENOMEM`,
    /// `EINVAL` if there is no such slot; `EIO` for all else that Xen says.
    pub fn map(&self, wanted: &[(u32, u32)], mut result: impl FnMut(u32, Result)) {
        let mut operations = self.operations.lock();
        for batch in wanted.chunks(BATCH) {
            self.map_batch(&mut operations, batch, &mut result);
        }
    }

    fn map_batch(
        &self,
        operations: &mut Operations,
        batch: &[(u32, u32)],
        result: &mut impl FnMut(u32, Result),
    ) {
        operations.clear();
        for &(slot, reference) in batch {
            if let Err(error) = self.prepare_map(operations, slot, reference) {
                result(slot, Err(error));
            }
        }
        if operations.maps.is_empty() {
            return;
        }
        self.maps.fetch_add(1, Relaxed);
        // SAFETY: There is an operation for each of the pages, which are ours, and into which
        // nothing is mapped: their entries were empty, and are busy.
        let done = to_result(unsafe {
            xen_bindings::gnttab_map_refs(
                operations.maps.as_mut_ptr(),
                core::ptr::null_mut(),
                operations.pages.as_mut_ptr(),
                operations.maps.len() as c_uint,
            )
        });
        for (&slot, operation) in operations.slots.iter().zip(&operations.maps) {
            result(slot, self.finish_map(slot, operation, done));
        }
    }

    /// Makes a slot's entry busy, and the operation that maps a grant there.
    fn prepare_map(&self, operations: &mut Operations, slot: u32, reference: u32) -> Result {
        let (chunk, at) = self.placed(slot)?;
        let entry = chunk.entries.get(at).ok_or(EINVAL)?;
        let page = *chunk.pages.get(at).ok_or(EINVAL)?;
        let taken = entry.users.compare_exchange(EMPTY, BUSY, Acquire, Relaxed);
        taken.map_err(|_| EBUSY)?;

        let mut operation = pin_init::zeroed();
        // SAFETY: The page is ours; nothing is mapped into it.
        unsafe {
            xen_bindings::xenoxide_set_map_op_readonly(
                &mut operation,
                xen_bindings::xenoxide_page_va(page),
                reference,
                self.domain.number(),
            )
        };
        let pushed = operations.push_map(slot, page, operation);
        if pushed.is_err() {
            entry.users.store(EMPTY, Release);
        }
        pushed
    }

    /// Learns what came of mapping a grant.
    fn finish_map(
        &self,
        slot: u32,
        operation: &xen_bindings::gnttab_map_grant_ref,
        done: Result,
    ) -> Result {
        let (chunk, at) = self.place(slot).ok_or(EINVAL)?;
        let entry = chunk.entries.get(at).ok_or(EINVAL)?;
        let status = i32::from(operation.status);

        if status != xen_bindings::GNTST_okay as i32 {
            entry.users.store(EMPTY, Release);
            return Err(map_error(status));
        }
        // INVARIANT: The grant is mapped, and that is its handle.
        entry.handle.store(operation.handle, Relaxed);
        entry.users.store(ONE, Release);
        done
    }

    /// Unmaps what is in the slots, a batch for each call of the hypervisor. `result` gets each slot,
    /// and whether it is empty now: what Xen does not unmap stays. It does not get those that are
    /// used: nobody begins to use them any more, and the last one who does makes them
    /// [left over](Window::left_over).
    ///
    /// Context: process context, may sleep.
    pub fn unmap(&self, slots: &[u32], mut result: impl FnMut(u32, bool)) {
        let mut operations = self.operations.lock();
        for batch in slots.chunks(BATCH) {
            operations.clear();
            for &slot in batch {
                match self.prepare_unmap(&mut operations, slot) {
                    Ok(()) | Err(EAGAIN) => {}
                    Err(_) => result(slot, false),
                }
            }
            // Nobody gets to see them from here on: they are busy.
            self.hide(&operations.slots);
            let done = self.unmap_batch(&mut operations);
            for (&slot, operation) in operations.slots.iter().zip(&operations.unmaps) {
                let empty = done && operation.status == xen_bindings::GNTST_okay as i16;
                if !empty {
                    pr_err!("Xen does not unmap a grant: its page is lost\n");
                } else if let Some((chunk, at)) = self.place(slot) {
                    if let Some(entry) = chunk.entries.get(at) {
                        // INVARIANT: Nothing is mapped any more.
                        entry.users.store(EMPTY, Release);
                    }
                }
                result(slot, empty);
            }
        }
    }

    /// Makes a slot's entry busy, and the operation that unmaps what is there. `EAGAIN` if it is used.
    fn prepare_unmap(&self, operations: &mut Operations, slot: u32) -> Result {
        let (chunk, at) = self.place(slot).ok_or(EINVAL)?;
        let entry = chunk.entries.get(at).ok_or(EINVAL)?;
        let page = *chunk.pages.get(at).ok_or(EINVAL)?;
        entry.leave()?;

        let mut operation = pin_init::zeroed();
        // SAFETY: By the type invariants the grant is mapped there.
        unsafe {
            xen_bindings::xenoxide_set_unmap_op(
                &mut operation,
                xen_bindings::xenoxide_page_va(page),
                entry.handle.load(Relaxed),
            )
        };
        let pushed = operations.push_unmap(slot, page, operation);
        if pushed.is_err() {
            entry.users.store(ONE, Release);
        }
        pushed
    }

    /// Does the operations that unmap. Returns whether it could.
    fn unmap_batch(&self, operations: &mut Operations) -> bool {
        if operations.unmaps.is_empty() {
            return true;
        }
        let mut queue = xen_bindings::gntab_unmap_queue_data {
            unmap_ops: operations.unmaps.as_mut_ptr(),
            pages: operations.pages.as_mut_ptr(),
            count: operations.unmaps.len() as c_uint,
            ..pin_init::zeroed()
        };
        self.unmaps.fetch_add(1, Relaxed);
        // SAFETY: There is an operation for each of the pages, into which the grants are mapped.
        // This waits until nobody else uses one of them.
        to_result(unsafe { xen_bindings::gnttab_unmap_refs_sync(&mut queue) }).is_ok()
    }

    /// Returns what is mapped in a slot, to be read; as long as that is there it stays mapped.
    /// [`None`] if nothing is, or if it is to be unmapped.
    ///
    /// Context: any.
    pub fn view(&self, slot: u32) -> Option<View<'_>> {
        let (chunk, at) = self.place(slot)?;
        let entry = chunk.entries.get(at)?;
        // INVARIANT: It counts us.
        entry.enter().then_some(View {
            window: self,
            chunk,
            entry,
            at,
        })
    }

    /// Returns what is mapped in a slot if it has that name.
    ///
    /// Context: any.
    #[inline]
    pub fn view_named(&self, slot: u32, name: u64) -> Option<View<'_>> {
        let (chunk, at) = self.place(slot)?;
        let entry = chunk.entries.get(at)?;
        if entry.name.load(Relaxed) != name || !entry.enter() {
            return None;
        }
        // INVARIANT: It counts us.
        let view = View {
            window: self,
            chunk,
            entry,
            at,
        };
        // From here on the name stays as it is.
        (entry.name.load(Acquire) == name).then_some(view)
    }

    /// Gives what is mapped in a slot a name, until it is unmapped.
    ///
    /// Context: any; nobody unmaps it meanwhile.
    pub fn set_name(&self, slot: u32, name: u64) {
        if let Some((chunk, at)) = self.place(slot) {
            if let Some(entry) = chunk.entries.get(at) {
                entry.name.store(name, Release);
            }
        }
    }

    /// Returns whether a slot was used since this was asked last.
    ///
    /// Context: any.
    pub fn was_used(&self, slot: u32) -> bool {
        let entry = self.place(slot);
        let entry = entry.and_then(|(chunk, at)| chunk.entries.get(at));
        entry.is_some_and(Entry::forget_use)
    }

    /// Whether there are slots that are left over.
    ///
    /// Context: any.
    #[inline]
    pub fn has_left_over(&self) -> bool {
        self.left.load(Relaxed) > 0
    }

    /// Calls `each` with those slots that were to be unmapped while they were used, and are not used
    /// any more: to be unmapped now. Perhaps somebody else does already.
    ///
    /// Context: any.
    pub fn left_over(&self, mut each: impl FnMut(u32)) {
        if self.left.swap(0, Acquire) == 0 {
            return;
        }
        for slot in 0..self.slots() {
            let entry = self.place(slot);
            let entry = entry.and_then(|(chunk, at)| chunk.entries.get(at));
            if entry.is_some_and(|entry| entry.users.load(Relaxed) & !RECENT == LEAVING | ONE) {
                each(slot);
            }
        }
    }

    /// Unmaps all that is mapped, and not used.
    fn clear(&self) {
        for slot in 0..self.slots() {
            let mapped = self
                .place(slot)
                .and_then(|(chunk, at)| chunk.entries.get(at));
            if mapped.is_some_and(|entry| entry.users.load(Relaxed) & !(RECENT | LEAVING) == ONE) {
                self.unmap(&[slot], |_, _| {});
            }
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Window {
    fn drop(self: Pin<&mut Self>) {
        self.clear();
    }
}

impl Operations {
    fn clear(&mut self) {
        self.maps.clear();
        self.unmaps.clear();
        self.pages.clear();
        self.slots.clear();
    }

    fn push(&mut self, slot: u32, page: *mut bindings::page) -> Result {
        self.slots.push(slot, GFP_KERNEL)?;
        Ok(self.pages.push(page, GFP_KERNEL)?)
    }

    fn push_map(
        &mut self,
        slot: u32,
        page: *mut bindings::page,
        operation: xen_bindings::gnttab_map_grant_ref,
    ) -> Result {
        // There is room for a batch: nothing fails between one and the next.
        self.push(slot, page)?;
        Ok(self.maps.push(operation, GFP_KERNEL)?)
    }

    fn push_unmap(
        &mut self,
        slot: u32,
        page: *mut bindings::page,
        operation: xen_bindings::gnttab_unmap_grant_ref,
    ) -> Result {
        // As above.
        self.push(slot, page)?;
        Ok(self.unmaps.push(operation, GFP_KERNEL)?)
    }
}
