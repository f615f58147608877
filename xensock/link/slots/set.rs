// SPDX-License-Identifier: GPL-2.0

//! Sets of slots.

use super::{
    Slot,
    SLOTS, //
};

/// Any slots of a link. What is to be done for a few of them costs nothing for the others.
#[derive(Clone, Debug)]
pub struct Set {
    /// A bit for each slot.
    words: [u64; SLOTS as usize / 64],
}

impl Set {
    /// There are none.
    pub const fn new() -> Self {
        Self {
            words: [0; SLOTS as usize / 64],
        }
    }

    /// Adds a slot.
    pub fn insert(&mut self, slot: Slot) {
        if let Some(word) = self.words.get_mut(slot.index() / 64) {
            *word |= 1 << (slot.index() % 64);
        }
    }

    /// Takes a slot out.
    pub fn remove(&mut self, slot: Slot) {
        if let Some(word) = self.words.get_mut(slot.index() / 64) {
            *word &= !(1 << (slot.index() % 64));
        }
    }

    /// Returns the first slot in it whose number is `from` or above.
    pub fn first(&self, from: u32) -> Option<Slot> {
        let numbered = (0..).step_by(64).zip(self.words);
        let mut left = numbered.map(|(first, word): (u32, u64)| {
            let below = from.saturating_sub(first);
            (first, word & u64::MAX.checked_shl(below).unwrap_or(0))
        });
        let (first, word) = left.find(|(_, word)| *word != 0)?;
        Slot::new(first + word.trailing_zeros())
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}
