// SPDX-License-Identifier: GPL-2.0

//! Which of this side's slots are in use.

use super::{
    Side,
    Slot,
    SLOTS, //
};

const OWN: u32 = SLOTS / 2;
const WORDS: usize = OWN as usize / 64;

/// The slots of the connections that one side opens.
///
/// A slot given back is taken again as late as can be: whoever confuses two connections with the
/// same number will hardly find the second.
#[derive(Clone, Debug)]
pub struct Table {
    used: [u64; WORDS],
    count: u32,
    /// Where to look for the next one.
    next: u32,
    limit: u32,
    side: Side,
}

impl Table {
    /// Returns the slots of `side`, with none in use. At most `limit` will be at once.
    pub const fn new(side: Side, limit: u32) -> Self {
        Self {
            used: [0; WORDS],
            count: 0,
            next: 0,
            limit: if limit < OWN { limit } else { OWN },
            side,
        }
    }

    /// Sets how many may be in use at once, from now on.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit.min(OWN);
    }

    /// Returns how many are in use.
    pub const fn used(&self) -> u32 {
        self.count
    }

    /// Takes a slot into use, if one is left.
    pub fn take(&mut self) -> Option<Slot> {
        if self.count >= self.limit {
            return None;
        }
        let start = self.next;
        let found = (0..OWN)
            .map(|step| (start + step) % OWN)
            .find(|&number| !self.is_used(number))?;

        self.flip(found);
        self.count += 1;
        self.next = (found + 1) % OWN;
        Slot::new(self.first() + found)
    }

    /// Gives a slot back. Returns false if it was not in use.
    pub fn give(&mut self, slot: Slot) -> bool {
        let Some(number) = slot.number().checked_sub(self.first()) else {
            return false;
        };
        if slot.opener() != self.side || !self.is_used(number) {
            return false;
        }
        self.flip(number);
        self.count -= 1;
        true
    }

    const fn first(&self) -> u32 {
        match self.side {
            Side::Initiator => 0,
            Side::Acceptor => OWN,
        }
    }

    fn is_used(&self, number: u32) -> bool {
        let word = self.used.get(number as usize / 64);
        word.is_some_and(|word| (word >> (number % 64)) & 1 != 0)
    }

    fn flip(&mut self, number: u32) {
        if let Some(word) = self.used.get_mut(number as usize / 64) {
            *word ^= 1 << (number % 64);
        }
    }
}
