// SPDX-License-Identifier: GPL-2.0

//! Which blocks of an owner a member has mapped, and which it asks for or gives back.
//!
//! There are as many slots as the member may have pages mapped. Each goes round:
//!
//! ```text
//!          add            granted           mapped          evict, withdraw         closed
//!   free ───────▶ asked ───────────▶ mapping ──────▶ ready ─────────────────▶ closing ──────▶ free
//!                   └── refused, lost ─▶ free ◀─ not mapped ┘
//! ```
//!
//! Who uses a mapping pins it; what is pinned is not unmapped. Blocks that the owner wants back
//! while they are on their way, or pinned, are *doomed*: nobody finds them any more, and they go as
//! soon as they can. The driver carries messages, maps and unmaps, waits and wakes; all of its calls
//! are made under one lock.

mod asking;
mod leaving;
mod slots;

use super::{
    chain::{
        Linked,
        Table, //
    },
    wire::RunList, //
};
use core::ops::DerefMut;
use slots::State;

pub use asking::{
    Added,
    Request, //
};
pub use leaving::Pressure;
pub use slots::{
    Key,
    Slot, //
};

/// The owner has broken the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In this slot, which is pinned now.
    Ready(u32),
    /// It was asked for: wait for it.
    Coming,
    /// It is being given back: wait until it is gone, and look again.
    Going,
    /// It is not here, and nobody has asked for it.
    Absent,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks that were looked for and mapped.
    pub hits: u64,
    /// Blocks that were asked for.
    pub asked: u64,
    /// Blocks that were mapped.
    pub mapped: u64,
    /// Blocks that the owner did not grant, or that could not be mapped.
    pub failed: u64,
    /// Blocks that were given back to have room, or because they were not used.
    pub evicted: u64,
    /// Blocks that the owner wanted back.
    pub withdrawn: u64,
}

/// The mapped blocks of one owner.
///
/// # Invariants
///
/// - `doomed` is how many slots are doomed, `idle` how many are ready and neither doomed nor pinned.
/// - Slots that are pinned are ready.
pub struct Cache<S, R> {
    table: Table<S>,
    requests: R,
    limit: u32,
    hand: u32,
    doomed: u32,
    idle: u32,
    counters: Counters,
}

impl<S, R> Cache<S, R>
where
    S: DerefMut<Target = [Slot]>,
    R: DerefMut<Target = [Request]>,
{
    /// Returns a cache that may have a block in each of `slots`, and as many requests under way as
    /// there are `requests`. `seed` is what the owner cannot guess.
    pub fn new(slots: S, mut requests: R, seed: u64) -> Self {
        let table = Table::new(slots, seed);
        requests.fill(Request::new());

        // INVARIANT: All slots are free.
        Self {
            limit: u32::MAX,
            table,
            requests,
            hand: 0,
            doomed: 0,
            idle: 0,
            counters: Counters::default(),
        }
    }

    /// Sets how many blocks there may be, from now on. Returns how many there are beyond that: so
    /// many are to be evicted.
    pub fn set_limit(&mut self, limit: u32) -> u32 {
        self.limit = limit;
        self.table.used().saturating_sub(self.limit)
    }

    /// Returns how many slots there are.
    pub fn slots(&self) -> u32 {
        self.table.count()
    }

    /// Returns how many more blocks there may be now.
    pub fn room(&self) -> u32 {
        let most = self.table.count().min(self.limit);
        most.saturating_sub(self.table.used())
    }

    /// Has a block in each of `slots`, more than there were, from now on. Returns where they were.
    pub fn grow(&mut self, slots: S) -> S {
        self.table.grow(slots)
    }

    /// Returns how many blocks there are, mapped or on their way.
    pub const fn used(&self) -> u32 {
        self.table.used()
    }

    /// Returns how many blocks could be given back at once.
    pub const fn idle(&self) -> u32 {
        self.idle
    }

    /// Whether nothing is left of what the owner wanted back.
    pub const fn is_settled(&self) -> bool {
        self.doomed == 0
    }

    /// Returns what has happened since the start.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns which block a slot is for.
    pub fn key(&self, index: u32) -> Option<Key> {
        Some(self.table.get(index)?.key())
    }

    /// Whether there is a block of a tree, mapped or on its way to or from here.
    pub fn has(&self, tree: u8) -> bool {
        let of_tree = |index| Some(self.table.get(index)?.key().tree == tree);
        (0..self.table.count()).any(|index| of_tree(index) == Some(true))
    }

    /// Returns how many blocks of a tree there are, mapped or on their way.
    pub fn count(&self, tree: u8) -> u32 {
        let of_tree = |index: &u32| Some(self.table.get(*index)?.key().tree == tree);
        let of_tree = |index: &u32| of_tree(index) == Some(true);
        (0..self.table.count()).filter(of_tree).count() as u32
    }

    /// Whether a block is here, or on its way to or from here.
    pub fn is_there(&self, key: Key) -> bool {
        self.table.find(key).is_some()
    }

    /// Looks for a block, and pins it if it is mapped.
    pub fn find(&mut self, key: Key) -> Found {
        let Some(index) = self.table.find(key) else {
            return Found::Absent;
        };
        let Some(slot) = self.table.get_mut(index) else {
            return Found::Absent;
        };
        match slot.state() {
            _ if slot.is_doomed() => Found::Going,
            State::Asked | State::Mapping => Found::Coming,
            State::Closing => Found::Going,
            State::Ready => {
                let Some(pins) = slot.pins.checked_add(1) else {
                    // As many as can be counted use it: some will be done soon.
                    return Found::Coming;
                };
                self.idle -= u32::from(slot.pins == 0);
                slot.pins = pins;
                slot.set_recent();
                self.counters.hits += 1;
                Found::Ready(index)
            }
        }
    }

    /// Ends a use of a slot. Returns true if it is to be unmapped now, and then
    /// [closed](Cache::closed).
    pub fn unpin(&mut self, index: u32) -> bool {
        let Some(slot) = self.table.get_mut(index).filter(|slot| slot.pins > 0) else {
            return false;
        };
        slot.pins -= 1;
        if slot.pins > 0 {
            return false;
        }
        if slot.is_doomed() {
            slot.set_state(State::Closing);
            return true;
        }
        self.idle += 1;
        false
    }

    /// Frees a slot that has nothing mapped. Returns whether the owner is to be told, and which
    /// block it was.
    fn free(&mut self, index: u32) -> Option<Key> {
        let slot = self.table.get(index)?;
        let (key, old) = (slot.key(), slot.is_old());

        self.doomed -= u32::from(slot.is_doomed());
        self.table.remove(index);
        (!old).then_some(key)
    }
}

/// Adds what is to be given back.
fn give_back(list: &mut RunList, key: Option<Key>) {
    if let Some(key) = key {
        // A request has no more blocks than a list.
        list.push(key.block);
    }
}
