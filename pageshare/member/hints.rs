// SPDX-License-Identifier: GPL-2.0

//! Where blocks may be mapped, to be looked up without a lock.
//!
//! A hint may be wrong: what is in a slot has a name.

use crate::{
    area::cache::Key,
    linux::noio::NoIo,
    once::Once, //
};
use core::{
    convert::Infallible,
    sync::atomic::{
        AtomicU32,
        Ordering::Relaxed, //
    }, //
};
use kernel::prelude::*;

/// As many hints are allocated together.
const PIECE: usize = 1024;

/// For each of some numbers of blocks a slot. Blocks that follow each other have different numbers.
pub(super) struct Hints(KVec<Once<[AtomicU32; PIECE]>>);

impl Hints {
    /// Returns hints for so many blocks.
    pub(super) fn new(blocks: u32) -> Result<Self> {
        let count = (blocks as usize).next_power_of_two().div_ceil(PIECE);
        let mut pieces = KVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            pieces.push(Once::empty(), GFP_KERNEL)?;
        }
        Ok(Self(pieces))
    }

    /// The piece that has a block's hint, and its place there.
    #[inline]
    fn place(&self, key: Key) -> Option<(&Once<[AtomicU32; PIECE]>, usize)> {
        let mixed = (u32::from(key.tree).wrapping_mul(0x9e37_79b1) ^ key.block) as usize;
        let last = self.0.len().wrapping_sub(1);
        Some((self.0.get(mixed / PIECE & last)?, mixed % PIECE))
    }

    /// Returns the slot where the block may be.
    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<u32> {
        let (piece, at) = self.place(key)?;
        Some(piece.get()?.get(at)?.load(Relaxed))
    }

    /// Takes note of the slot where the block is, if there is room for that.
    pub(super) fn set(&self, key: Key, slot: u32) {
        let hint = self.place(key).and_then(|(piece, at)| piece.get()?.get(at));
        if let Some(hint) = hint {
            hint.store(slot, Relaxed);
        }
    }

    /// Makes room for hints about `count` blocks from `first` on, no more than a piece has. Without
    /// memory for that they are looked up with the lock.
    ///
    /// Context: process context, may sleep.
    pub(super) fn allocate(&self, first: Key, count: u32) {
        for block in [first.block, first.block.saturating_add(count - 1)] {
            let place = self.place(Key {
                tree: first.tree,
                block,
            });
            let Some((piece, _)) = place.filter(|(piece, _)| piece.get().is_none()) else {
                continue;
            };
            let _scope = NoIo::begin();
            let none =
                pin_init::init_array_from_fn::<_, PIECE, _, Infallible>(|_| AtomicU32::new(0));
            if let Ok(hints) = KBox::init(none, GFP_KERNEL) {
                piece.set(hints);
            }
        }
    }
}
