// SPDX-License-Identifier: GPL-2.0

//! What connections want of their link's worker. It may see that when a connection is over, and its
//! slot another one's.

use crate::link::{
    doorbell::{
        self,
        Bits,
        WORDS, //
    },
    slots::SLOTS,
    turn::{
        Turn,
        Wanted, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    }, //
};

/// What a connection wants.
#[derive(Clone, Copy)]
pub(crate) struct Wish(u32);

impl Wish {
    /// The program has closed it.
    pub(crate) const CLOSED: Self = Self(1);
    /// The peer has broken a ring.
    pub(crate) const BROKEN: Self = Self(2);
    /// A ring has gone over to another segment.
    pub(crate) const CROSSED: Self = Self(4);
    /// The ring that it writes is too small.
    pub(crate) const GROW: Self = Self(8);
    /// No program copies to the ring that it writes any more.
    pub(crate) const UNCLAIMED: Self = Self(16);

    /// Whether all of `other` is wanted.
    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The wishes of all connections of a link. Made and taken in any context.
pub(crate) struct Wishes {
    summary: Atomic<u64>,
    words: [Atomic<u64>; WORDS],
    wishes: KVVec<Atomic<u64>>,
}

impl Wishes {
    pub(crate) fn new() -> Result<Self> {
        let mut wishes = KVVec::with_capacity(SLOTS as usize, GFP_KERNEL)?;
        for _ in 0..SLOTS {
            wishes.push(Atomic::new(0), GFP_KERNEL)?;
        }
        Ok(Self {
            summary: Atomic::new(0),
            words: core::array::from_fn(|_| Atomic::new(0)),
            wishes,
        })
    }

    /// Makes a wish; returns whether the worker must be kicked.
    pub(crate) fn make(&self, turn: Turn, wish: Wish) -> bool {
        if let Some(wishes) = self.wishes.get(turn.slot().index()) {
            change(wishes, |wanted| {
                Wanted::from_word(wanted).with(turn, wish.0).word()
            });
        }
        doorbell::ring(self, turn.slot())
    }

    /// Calls `each` with all that is wanted. The connection may be over.
    pub(crate) fn grant(&self, mut each: impl FnMut(Turn, Wish)) {
        doorbell::answer(self, |slot| {
            if let Some(wishes) = self.wishes.get(slot.index()) {
                let wanted = Wanted::from_word(wishes.xchg(0, Full));
                each(wanted.turn(slot), Wish(wanted.bits()));
            }
        });
    }
}

/// Changes a word; returns what was there.
fn change(word: &Atomic<u64>, to: impl Fn(u64) -> u64) -> u64 {
    let mut old = word.load(Relaxed);
    while let Err(now) = word.cmpxchg(old, to(old), Full) {
        old = now;
    }
    old
}

impl Bits for Wishes {
    fn set_summary(&self, bits: u64) -> u64 {
        change(&self.summary, |old| old | bits)
    }

    fn take_summary(&self) -> u64 {
        self.summary.xchg(0, Full)
    }

    fn set(&self, word: usize, bits: u64) {
        if let Some(word) = self.words.get(word) {
            change(word, |old| old | bits);
        }
    }

    fn take(&self, word: usize) -> u64 {
        self.words.get(word).map_or(0, |word| word.xchg(0, Full))
    }
}
