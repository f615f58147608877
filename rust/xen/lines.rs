// SPDX-License-Identifier: GPL-2.0

//! The words of a ring, in memory that is shared with another domain.

use crate::{
    ring::{
        Fence,
        Field,
        Lines, //
    },
    xen::shared::{
        barrier,
        Memory,
        Word32, //
    }, //
};
use core::ops::Deref;
use kernel::sync::Arc;

/// The words of a ring. A word that would be outside of the memory is 0 and stays so.
pub(crate) struct RingAt<M> {
    memory: Arc<M>,
    at: usize,
}

impl<M> Clone for RingAt<M> {
    fn clone(&self) -> Self {
        Self::new(self.memory.clone(), self.at)
    }
}

impl<M> RingAt<M> {
    /// The ring whose lines begin at byte `at` of `memory`.
    pub(crate) fn new(memory: Arc<M>, at: usize) -> Self {
        Self { memory, at }
    }
}

impl<M: Deref<Target = Memory>> RingAt<M> {
    fn word(&self, field: Field) -> Option<&Word32> {
        self.memory.word32(self.at + field.offset())
    }
}

impl<M: Deref<Target = Memory>> Lines for RingAt<M> {
    fn load(&self, field: Field) -> u32 {
        self.word(field).map_or(0, Word32::load)
    }

    fn load_acquire(&self, field: Field) -> u32 {
        self.word(field).map_or(0, Word32::load_acquire)
    }

    fn store(&self, field: Field, value: u32) {
        if let Some(word) = self.word(field) {
            word.store(value);
        }
    }

    fn store_release(&self, field: Field, value: u32) {
        if let Some(word) = self.word(field) {
            word.store_release(value);
        }
    }

    fn barrier(&self, _why: Fence) {
        barrier();
    }
}
