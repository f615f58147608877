// SPDX-License-Identifier: GPL-2.0

//! Memory that both ends of a link see, and the words in it.

use crate::{
    link::{
        doorbell::{
            Bits,
            WORDS_OFFSET, //
        },
        ring::{
            Fence,
            Field,
            Lines, //
        }, //
    },
    xen::{
        grant::{
            Granted,
            Mapped, //
        },
        shared::{
            barrier,
            Memory, //
        }, //
    }, //
};
use core::ops::Deref;
use kernel::sync::Arc;

/// Memory that we have granted, or that the peer has.
pub(crate) enum Shared {
    Own(Granted),
    Peers(Mapped),
}

impl Deref for Shared {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        match self {
            Shared::Own(granted) => granted,
            Shared::Peers(mapped) => mapped,
        }
    }
}

/// The words of a ring. A word that would be outside of the memory is 0 and stays so.
pub(crate) struct RingAt {
    memory: Arc<Shared>,
    at: usize,
}

impl RingAt {
    /// The ring whose lines begin at byte `at` of `memory`.
    pub(crate) fn new(memory: Arc<Shared>, at: usize) -> Self {
        Self { memory, at }
    }
}

impl Lines for RingAt {
    fn load(&self, field: Field) -> u32 {
        let word = self.memory.word32(self.at + field.offset());
        word.map_or(0, |word| word.load())
    }

    fn load_acquire(&self, field: Field) -> u32 {
        let word = self.memory.word32(self.at + field.offset());
        word.map_or(0, |word| word.load_acquire())
    }

    fn store(&self, field: Field, value: u32) {
        if let Some(word) = self.memory.word32(self.at + field.offset()) {
            word.store(value);
        }
    }

    fn store_release(&self, field: Field, value: u32) {
        if let Some(word) = self.memory.word32(self.at + field.offset()) {
            word.store_release(value);
        }
    }

    fn barrier(&self, _why: Fence) {
        barrier();
    }
}

/// The bells of one direction.
pub(crate) struct BellsAt {
    memory: Arc<Shared>,
    at: usize,
}

impl BellsAt {
    /// The bells that begin at byte `at` of `memory`.
    pub(crate) fn new(memory: Arc<Shared>, at: usize) -> Self {
        Self { memory, at }
    }

    fn set_bits(&self, at: usize, bits: u64) -> u64 {
        let word = self.memory.word64(self.at + at);
        word.map_or(0, |word| word.fetch_or(bits))
    }

    fn clear(&self, at: usize) -> u64 {
        let word = self.memory.word64(self.at + at);
        word.map_or(0, |word| word.swap(0))
    }
}

impl Bits for BellsAt {
    fn set_summary(&self, bits: u64) -> u64 {
        self.set_bits(0, bits)
    }

    fn take_summary(&self) -> u64 {
        self.clear(0)
    }

    fn set(&self, word: usize, bits: u64) {
        self.set_bits(WORDS_OFFSET + 8 * word, bits);
    }

    fn take(&self, word: usize) -> u64 {
        self.clear(WORDS_OFFSET + 8 * word)
    }
}
