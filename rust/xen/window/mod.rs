// SPDX-License-Identifier: GPL-2.0

//! A window on the memory of another domain: slots of one page each, into which its grants are
//! mapped for reading, and unmapped, in any order.
//!
//! What is in a slot may change at any time: the other domain may write its pages.
//!
//! C header: [`include/xen/grant_table.h`](srctree/include/xen/grant_table.h).

mod entry;
mod operations;
mod place;
mod room;
mod view;

pub use entry::Name;
pub use place::{
    Place,
    Screen, //
};
pub use view::{
    Frame,
    Shown,
    View, //
};

use crate::{
    bindings as xen_bindings,
    vfs::{
        Locked,
        Mount, //
    },
    xen::{
        domain::DomId,
        grant::{
            map_error,
            BATCH, //
        }, //
    }, //
};
use core::sync::atomic::{
    fence,
    AtomicU32,
    AtomicU64,
    Ordering::{
        Acquire,
        Relaxed,
        SeqCst, //
    }, //
};
use entry::Entry;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};
use operations::Operations;
use place::Screens;
use room::Room;

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
/// Programs have frames of the window mapped by way of `screens` only, and only those of slots whose
/// entries say so.
#[pin_data(PinnedDrop)]
pub struct Window {
    domain: DomId,
    room: Room,
    #[pin]
    operations: Mutex<Operations>,
    #[pin]
    screens: Mutex<Screens>,
    maps: AtomicU64,
    unmaps: AtomicU64,
    /// How many slots are to be unmapped that nobody uses any more.
    left: AtomicU32,
}

impl Window {
    /// Returns a window on the memory of `domain`, which must not be this one, with room for as
    /// many `slots`, numbered from 0. What they take is allocated when they are needed.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EBUSY` if this domain has not so many addresses in a row without memory.
    pub fn new(domain: DomId, slots: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            domain,
            room: Room::new(slots)?,
            operations <- new_mutex!(Operations::new()?),
            screens <- new_mutex!(Screens::new()),
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
    pub fn add_screen(&self, mount: Arc<Mount>) -> Result<Screen> {
        self.screens.lock().add(mount)
    }

    /// Files are not mounted there any more.
    pub fn remove_screen(&self, screen: &Screen) {
        let mut screens = self.screens.lock();
        // Another screen may get its number: its places must not be found then.
        for entry in self.room.entries() {
            if screen.has(entry.place()) {
                entry.set_place(Place::NOWHERE);
            }
        }
        let removed = screens.remove(screen);
        drop(screens);
        drop(removed);
    }

    /// Takes the frames of slots, which are busy, away from programs.
    fn hide(&self, slots: &[u32]) {
        // Who shows one looks whether it is busy, with a page table locked: either that is after
        // this, or the table is found below.
        fence(SeqCst);
        let screens = self.screens.lock();
        let entries = || slots.iter().filter_map(|&slot| self.room.entry(slot));
        screens.hide(entries().map(Entry::place));
        entries().for_each(|entry| entry.set_place(Place::NOWHERE));
    }

    /// Returns how many slots there are.
    pub fn slots(&self) -> u32 {
        self.room.slots()
    }

    /// Maps grants of the domain into slots, for reading, by one call of the hypervisor, or by one for
    /// each batch if there is no memory for the arguments of all. `result` gets each slot, in order, and
    /// whether its grant is mapped now.
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
        if wanted.len() > BATCH {
            // Memory that is seldom used is not kept.
            if let Ok(mut more) = Operations::for_maps(wanted.len()) {
                return self.map_batch(&mut more, wanted, &mut result);
            }
        }
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
        // SAFETY: Nothing is mapped in these slots: their entries were empty, and are busy.
        let done = unsafe { self.room.map(operations) };
        for (&slot, operation) in operations.slots.iter().zip(&operations.maps) {
            result(slot, self.finish_map(slot, operation, done));
        }
    }

    /// Makes a slot's entry busy, and the operation that maps a grant there.
    fn prepare_map(&self, operations: &mut Operations, slot: u32, reference: u32) -> Result {
        self.room.allocate(slot)?;
        let entry = self.room.entry(slot).ok_or(EINVAL)?;
        let target = self.room.target(slot).ok_or(EINVAL)?;
        if !entry.begin() {
            return Err(EBUSY);
        }
        let pushed = operations.push_map(slot, target, (self.domain.number(), reference));
        if pushed.is_err() {
            entry.empty();
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
        let (chunk, at) = self.room.chunk(slot).ok_or(EINVAL)?;
        let entry = chunk.entries.get(at).ok_or(EINVAL)?;
        let handle = chunk.handles.get(at).ok_or(EINVAL)?;
        let status = i32::from(operation.status);

        if status != xen_bindings::GNTST_okay as i32 {
            entry.empty();
            return Err(map_error(status));
        }
        // INVARIANT: The grant is mapped, and that is its handle.
        handle.store(operation.handle, Relaxed);
        entry.fill();
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
            if operations.unmaps.is_empty() {
                continue;
            }
            // Nobody gets to see them from here on: they are busy.
            self.hide(&operations.slots);
            self.unmaps.fetch_add(1, Relaxed);
            // SAFETY: Their entries had grants, and nobody who used them, and are busy; programs do
            // not have them any more.
            let done = unsafe { self.room.unmap(&mut operations) };
            for (&slot, operation) in operations.slots.iter().zip(&operations.unmaps) {
                let okay = operation.status == xen_bindings::GNTST_okay as i16;
                result(slot, self.finish_unmap(slot, done.is_ok() && okay));
            }
        }
    }

    /// Makes a slot's entry busy, and the operation that unmaps what is there. `EAGAIN` if it is used.
    fn prepare_unmap(&self, operations: &mut Operations, slot: u32) -> Result {
        let (chunk, at) = self.room.chunk(slot).ok_or(EINVAL)?;
        let entry = chunk.entries.get(at).ok_or(EINVAL)?;
        let handle = chunk.handles.get(at).ok_or(EINVAL)?;
        let target = self.room.target(slot).ok_or(EINVAL)?;
        entry.leave()?;

        let pushed = operations.push_unmap(slot, target, handle.load(Relaxed));
        if pushed.is_err() {
            // INVARIANT: It still is mapped.
            entry.fill();
        }
        pushed
    }

    /// Learns whether a grant was unmapped.
    fn finish_unmap(&self, slot: u32, empty: bool) -> bool {
        if !empty {
            pr_err!("Xen does not unmap a grant: its page is lost\n");
        } else if let Some(entry) = self.room.entry(slot) {
            // INVARIANT: Nothing is mapped any more.
            entry.empty();
        }
        empty
    }

    /// Returns what is mapped in a slot, to be read; as long as that is there it stays mapped.
    /// [`None`] if nothing is, or if it is to be unmapped.
    ///
    /// Context: any.
    pub fn view(&self, slot: u32) -> Option<View<'_>> {
        View::enter(self, slot, None)
    }

    /// Returns what is mapped in a slot if it has that name.
    ///
    /// Context: any.
    #[inline]
    pub fn view_named(&self, slot: u32, name: Name) -> Option<View<'_>> {
        View::enter(self, slot, Some(name))
    }

    /// As [`Window::view_named`], with those of up to `most` slots in all that have the names behind it,
    /// if they are mapped in a row.
    ///
    /// Context: any.
    #[inline]
    pub fn view_run(&self, slot: u32, name: Name, most: usize) -> Option<View<'_>> {
        View::enter_run(self, slot, (name, most))
    }

    /// Gives what is mapped in a slot a name, until it is unmapped.
    ///
    /// Context: any; nobody unmaps it meanwhile.
    pub fn set_name(&self, slot: u32, name: Name) {
        if let Some(entry) = self.room.entry(slot) {
            entry.set_name(name);
        }
    }

    /// Returns the frame of what is mapped in a slot, if it has that name and was [shown](View::show)
    /// at `place` before, and with it those of up to `most` slots in all that were so at the places that
    /// follow. They are that only while a page table is `locked`.
    ///
    /// Context: any.
    #[inline]
    pub fn shown<'a>(
        &'a self,
        (slot, name): (u32, Name),
        (place, most): (Place, usize),
        _locked: &'a Locked,
    ) -> Option<Shown<'a>> {
        let (chunk, at) = self.room.chunk(slot)?;
        let (first, others) = chunk.entries.get(at..)?.split_first()?;
        if !first.is_named_at(name, place) {
            return None;
        }
        let most = most.min(place.left());
        let places = (1..most).map(|ahead| place.after(ahead));
        let shown = others.iter().zip(places);
        let more = shown.take_while(|&(entry, place)| entry.is_at(place));
        Some(Shown::new(self.room.frame(slot)?, 1 + more.count()))
    }

    /// Returns whether a slot was used since this was asked last.
    ///
    /// Context: any.
    pub fn was_used(&self, slot: u32) -> bool {
        self.room.entry(slot).is_some_and(Entry::forget_use)
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
            if self.room.entry(slot).is_some_and(Entry::is_left_over) {
                each(slot);
            }
        }
    }

    /// Unmaps all that is mapped, and not used.
    fn clear(&self) {
        for slot in 0..self.slots() {
            if self.room.entry(slot).is_some_and(Entry::is_unused) {
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
