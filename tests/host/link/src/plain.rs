// SPDX-License-Identifier: GPL-2.0

//! Shared words for tests in one thread: plain atomics.

use crate::link::doorbell::{Bits, WORDS};
use crate::link::ring::{Fence, Field, Lines};
use core::sync::atomic::{fence, AtomicU32, AtomicU64, Ordering};

/// All the fields of a direction's lines.
pub const FIELDS: [Field; 10] = [
    Field::Prod,
    Field::ProdFlags,
    Field::ProdGen,
    Field::SwitchAt,
    Field::SpaceEvent,
    Field::Cons,
    Field::ConsFlags,
    Field::ConsGen,
    Field::DataEvent,
    Field::Limit,
];

/// The words of one direction.
#[derive(Debug, Default)]
pub struct Words([AtomicU32; FIELDS.len()]);

impl Words {
    /// Returns the word of a field.
    pub fn word(&self, field: Field) -> &AtomicU32 {
        &self.0[field as usize]
    }
}

impl Lines for Words {
    fn load(&self, field: Field) -> u32 {
        self.word(field).load(Ordering::Relaxed)
    }

    fn load_acquire(&self, field: Field) -> u32 {
        self.word(field).load(Ordering::Acquire)
    }

    fn store(&self, field: Field, value: u32) {
        self.word(field).store(value, Ordering::Relaxed);
    }

    fn store_release(&self, field: Field, value: u32) {
        self.word(field).store(value, Ordering::Release);
    }

    fn barrier(&self, _why: Fence) {
        fence(Ordering::SeqCst);
    }
}

/// The words of one doorbell.
#[derive(Debug)]
pub struct Bell {
    /// The summary.
    pub summary: AtomicU64,
    /// The words.
    pub words: [AtomicU64; WORDS],
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            summary: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; WORDS],
        }
    }
}

impl Bits for Bell {
    fn set_summary(&self, bits: u64) -> u64 {
        self.summary.fetch_or(bits, Ordering::SeqCst)
    }

    fn take_summary(&self) -> u64 {
        self.summary.swap(0, Ordering::SeqCst)
    }

    fn set(&self, word: usize, bits: u64) {
        self.words[word].fetch_or(bits, Ordering::SeqCst);
    }

    fn take(&self, word: usize) -> u64 {
        self.words[word].swap(0, Ordering::SeqCst)
    }
}
