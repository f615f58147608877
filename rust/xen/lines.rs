// SPDX-License-Identifier: GPL-2.0

//! The words of a ring, in memory that is shared with another domain.

use crate::{
    ring::{
        Fence,
        Field,
        Lines,
        LINES, //
    },
    xen::{
        shared::{
            barrier,
            Memory,
            Word32, //
        },
        words::Words, //
    }, //
};
use core::ops::Deref;
use kernel::sync::Arc;

/// The words of a ring. A word that would be outside of the memory is 0 and stays so.
pub(crate) struct RingAt<M>(Words<M, LINES>);

impl<M> Clone for RingAt<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Deref<Target = Memory>> RingAt<M> {
    /// The ring whose lines begin at byte `at` of `memory`.
    pub(crate) fn new(memory: Arc<M>, at: usize) -> Self {
        Self(Words::new(memory, at))
    }

    fn word(&self, field: Field) -> Option<&Word32> {
        self.0.word32(field.offset())
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
