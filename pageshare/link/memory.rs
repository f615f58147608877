// SPDX-License-Identifier: GPL-2.0

//! Memory that both ends of a link see, and the words in it.

use crate::{
    area::ring::{
        Fence,
        Field,
        Lines, //
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

/// Memory that we have granted, or that the other domain has.
pub(super) enum Region {
    Own(Granted),
    Peers(Mapped),
}

impl Deref for Region {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        match self {
            Region::Own(granted) => granted,
            Region::Peers(mapped) => mapped,
        }
    }
}

/// The words of a ring. A word that would be outside of the memory is 0 and stays so.
pub(super) struct RingAt {
    memory: Arc<Region>,
    at: usize,
}

impl RingAt {
    /// The ring whose lines begin at byte `at` of `memory`.
    pub(super) fn new(memory: Arc<Region>, at: usize) -> Self {
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
