// SPDX-License-Identifier: GPL-2.0

//! From a block that is mapped to one that is not.

use super::{
    super::{
        chain::Linked,
        wire::Runs, //
    },
    asking::Request,
    slots::{
        Key,
        Slot,
        State, //
    },
    Cache, //
};
use core::ops::DerefMut;

/// Why blocks are given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// To find what is not used: only what was not since the last time.
    Idle,
    /// There must be room.
    Need,
}

impl<S, R> Cache<S, R>
where
    S: DerefMut<Target = [Slot]>,
    R: DerefMut<Target = [Request]>,
{
    /// Looks for up to `most` blocks that nobody uses, those first that were not used lately.
    /// `used` is asked of a slot whether it was used lately in a way that the cache does not know of,
    /// since it was asked last. `close` gets each slot: it is to be unmapped, and then
    /// [closed](Cache::closed). Returns how many there are.
    pub fn evict(
        &mut self,
        most: u32,
        pressure: Pressure,
        mut used: impl FnMut(u32) -> bool,
        mut close: impl FnMut(u32),
    ) -> u32 {
        let count = self.table.count();
        // In the first round those are spared that were used lately.
        let looks = match pressure {
            Pressure::Idle => count,
            Pressure::Need => count.saturating_mul(2),
        };
        let mut found = 0;

        for _ in 0..looks {
            if found == most {
                break;
            }
            let index = self.hand;
            self.hand = if index + 1 < count { index + 1 } else { 0 };
            let slot = self.table.get_mut(index);
            let Some(slot) = slot.filter(|slot| slot.state() == State::Ready && slot.pins == 0)
            else {
                continue;
            };
            // Both forget.
            if used(index) | slot.take_recent() {
                continue;
            }
            slot.set_state(State::Closing);
            self.idle -= 1;
            found += 1;
            close(index);
        }
        self.counters.evicted += u64::from(found);
        found
    }

    /// Learns that a slot's block is not mapped any more. Returns the block if the owner is to be
    /// told that it is released.
    pub fn closed(&mut self, index: u32) -> Option<Key> {
        let slot = self.table.get(index)?;

        if slot.state() != State::Closing {
            return None;
        }
        self.free(index)
    }

    /// Learns that the owner wants blocks back. `close` gets each slot that is to be unmapped at
    /// once, and then [closed](Cache::closed). The owner has its answer when all
    /// [is settled](Cache::is_settled).
    pub fn withdraw(&mut self, tree: u8, runs: Runs<'_>, mut close: impl FnMut(u32)) {
        for block in runs.blocks() {
            if let Some(index) = self.table.find(Key { tree, block }) {
                self.doom(index, &mut close);
            }
        }
    }

    /// As [`Cache::withdraw`], for all blocks of a tree in slots from `from` on, until `close` returns
    /// false as it takes no other. Returns the slot to go on from; [`None`] if that was all.
    pub fn retire(
        &mut self,
        tree: u8,
        from: u32,
        mut close: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut goes_on = true;
        for index in from..self.table.count() {
            if !goes_on {
                return Some(index);
            }
            let slot = self.table.get(index);
            if slot.is_some_and(|slot| slot.key().tree == tree) {
                self.doom(index, &mut |slot| goes_on = close(slot));
            }
        }
        None
    }

    /// Learns that the link to the owner is over. What is mapped stays, and can be read; what was
    /// asked for does not come.
    pub fn lost(&mut self) {
        self.forget_all();
        for index in 0..self.table.count() {
            if let Some(slot) = self.table.get_mut(index) {
                slot.set_old();
            }
        }
    }

    fn doom(&mut self, index: u32, close: &mut impl FnMut(u32)) {
        let slot = self.table.get_mut(index);
        let Some(slot) = slot.filter(|slot| !slot.is_doomed()) else {
            return;
        };
        slot.doom();
        self.doomed += 1;
        self.counters.withdrawn += 1;
        if slot.state() == State::Ready && slot.pins == 0 {
            slot.set_state(State::Closing);
            self.idle -= 1;
            close(index);
        }
    }
}
