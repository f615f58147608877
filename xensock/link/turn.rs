// SPDX-License-Identifier: GPL-2.0

//! Which connection is meant, of those that use a slot one after the other.
//!
//! The peer speaks of connections by their slots, and in order. Within this domain programs, the
//! link's worker and the handler of events speak of them as well, each in its own time: what a
//! program wants of a connection may be seen when the slot is another one's already.

use super::slots::Slot;

/// A connection's turn in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    slot: Slot,
    number: u32,
}

impl Turn {
    /// Returns the turn with that number, one that later turns in the slot do not have.
    pub const fn new(slot: Slot, number: u32) -> Self {
        Self { slot, number }
    }

    /// Returns the slot.
    pub const fn slot(self) -> Slot {
        self.slot
    }

    /// Returns the turn's number.
    pub const fn number(self) -> u32 {
        self.number
    }
}

/// What is wanted of the connection in a slot: bits, and the number of the turn that they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wanted(u64);

impl Wanted {
    /// Returns what [`Wanted::word`] stands for.
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// Returns this as one word; 0 if nothing is wanted.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Returns what is wanted if `turn` wants `bits` as well. A later turn ends what was wanted by
    /// one before; what comes of a turn that is over changes nothing.
    #[must_use]
    pub const fn with(self, turn: Turn, bits: u32) -> Self {
        let (number, wanted) = ((self.0 >> 32) as u32, self.bits());
        // Numbers wrap.
        let ahead = turn.number.wrapping_sub(number) as i32;

        if wanted == 0 || ahead > 0 {
            Self(((turn.number as u64) << 32) | bits as u64)
        } else if ahead == 0 {
            Self(self.0 | bits as u64)
        } else {
            self
        }
    }

    /// Returns whose wishes these are, in the slot that they were kept for.
    pub const fn turn(self, slot: Slot) -> Turn {
        Turn::new(slot, (self.0 >> 32) as u32)
    }

    /// Returns what is wanted.
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }
}
