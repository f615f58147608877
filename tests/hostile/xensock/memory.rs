// SPDX-License-Identifier: GPL-2.0

//! Instead of the driver's `memory`: what is written to shared memory is wrong now and then.

#[path = "../../../xensock/memory.rs"]
mod honest;

use crate::{
    account::Account,
    link::{
        doorbell::{
            Bits,
            WORDS, //
        },
        ring::{
            Fence,
            Field,
            Lines, //
        },
        wire::{
            HEAD_MAX,
            MAGIC,
            MAGIC_OFFSET, //
        }, //
    },
    mutate,
    words::flicker,
    wrong::What,
    xen::domain::DomId, //
};
use core::ops::Deref;
use kernel::{
    alloc::Flags,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// Bytes of a packet's header.
const HEADER: usize = 8;

/// So often the control rings' words are written before what was wrong in a link's page is mended:
/// who has refused the link for it hears of the next call then.
const PATIENCE: u32 = 12;

/// No header was written yet.
const NOWHERE: u64 = u64::MAX;

/// As the driver's, but what is written may be something else.
pub(crate) struct Shared {
    honest: Arc<honest::Shared>,
    /// The right word of a link's page, with its place in the upper half; 0 if none is wrong.
    wrong: Atomic<u64>,
    /// How often to wait until it is mended.
    patience: Atomic<u32>,
    /// Where the last packet's header is, and what it was to say.
    header_at: Atomic<u64>,
    header: Atomic<u64>,
}

impl Shared {
    pub(crate) fn grant(
        account: &Arc<Account>,
        to: DomId,
        pages: usize,
        flags: Flags,
    ) -> Result<Arc<Self>> {
        Self::new(honest::Shared::grant(account, to, pages, flags)?)
    }

    pub(crate) fn map(account: &Arc<Account>, from: DomId, refs: &[u32]) -> Result<Arc<Self>> {
        Self::new(honest::Shared::map(account, from, refs)?)
    }

    fn new(honest: Arc<honest::Shared>) -> Result<Arc<Self>> {
        let shared = Self {
            honest,
            wrong: Atomic::new(0),
            patience: Atomic::new(0),
            header_at: Atomic::new(NOWHERE),
            header: Atomic::new(0),
        };
        Ok(Arc::new(shared, GFP_KERNEL)?)
    }

    /// Writes words of a link's page, a packet's header or a message; or what is in a datagram,
    /// as it is.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Result {
        let mut copy = [0; HEADER + HEAD_MAX];
        let Some(copy) = copy.get_mut(..bytes.len()) else {
            return self.honest.write(at, bytes);
        };
        copy.copy_from_slice(bytes);
        let what = match bytes.len() {
            4 => What::First,
            HEADER => What::Header,
            _ => What::Message,
        };
        if let (What::Header, Some(header)) = (what, bytes.first_chunk()) {
            self.flicker(at, u64::from_le_bytes(*header))?;
        }
        if mutate::spoil(what, copy) {
            if let (What::First, Some(right)) = (what, bytes.first_chunk()) {
                let right = u64::from(u32::from_le_bytes(*right));
                self.patience.store(PATIENCE, Relaxed);
                self.wrong.store((at as u64) << 32 | right, Relaxed);
            }
        }
        self.honest.write(at, copy)
    }

    /// Has the header of the packet before, which has been published, wrong for a moment each.
    fn flicker(&self, at: usize, header: u64) -> Result {
        let before = self.header_at.xchg(at as u64, Relaxed);
        let right = self.header.xchg(header, Relaxed).to_le_bytes();
        if before == NOWHERE {
            return Ok(());
        }
        for _ in 0..mutate::moments(What::HeaderMoment) {
            let mut wrong = right;
            mutate::replace(&mut wrong);
            self.honest.write(before as usize, &wrong)?;
            self.honest.write(before as usize, &right)?;
        }
        Ok(())
    }

    /// Mends what is wrong in a link's page, when it has been so for a while.
    fn mend(&self) {
        let wrong = self.wrong.load(Relaxed);
        if wrong == 0 {
            return;
        }
        let patience = self.patience.load(Relaxed);
        self.patience.store(patience.saturating_sub(1), Relaxed);
        if patience == 0 {
            if let Some(word) = self.honest.word32((wrong >> 32) as usize) {
                word.store(wrong as u32);
            }
            self.wrong.store(0, Relaxed);
        }
    }
}

impl Deref for Shared {
    type Target = honest::Shared;

    fn deref(&self) -> &honest::Shared {
        &self.honest
    }
}

/// As the driver's, but a word may be another one.
#[derive(Clone)]
pub(crate) struct RingAt {
    memory: Arc<Shared>,
    honest: honest::RingAt,
    what: What,
}

impl RingAt {
    pub(crate) fn new(memory: Arc<Shared>, at: usize) -> Self {
        let magic = memory.word32(MAGIC_OFFSET).map(|word| word.load());
        let what = match magic {
            Some(MAGIC) => What::LinkWord,
            _ => What::Word,
        };
        Self {
            honest: honest::RingAt::new(memory.honest.clone(), at),
            memory,
            what,
        }
    }

    fn spoilt(&self, field: Field, value: u32) -> u32 {
        self.memory.mend();
        // Otherwise this end itself would never hear again.
        if matches!(field, Field::DataEvent | Field::SpaceEvent) {
            return value;
        }
        match mutate::strikes(self.what) {
            true => mutate::instead_of(value),
            false => value,
        }
    }
}

impl Lines for RingAt {
    fn load(&self, field: Field) -> u32 {
        self.honest.load(field)
    }

    fn load_acquire(&self, field: Field) -> u32 {
        self.honest.load_acquire(field)
    }

    fn store(&self, field: Field, value: u32) {
        flicker(&self.honest, field);
        self.honest.store(field, self.spoilt(field, value));
    }

    fn store_release(&self, field: Field, value: u32) {
        flicker(&self.honest, field);
        self.honest.store_release(field, self.spoilt(field, value));
    }

    fn barrier(&self, why: Fence) {
        self.honest.barrier(why);
    }
}

/// As the driver's, but others' bells ring too, and events come for nothing.
pub(crate) struct BellsAt(honest::BellsAt);

impl BellsAt {
    pub(crate) fn new(memory: Arc<Shared>, at: usize) -> Self {
        Self(honest::BellsAt::new(memory.honest.clone(), at))
    }
}

impl Bits for BellsAt {
    fn set_summary(&self, bits: u64) -> u64 {
        let before = self.0.set_summary(bits);
        match mutate::strikes(What::Event) {
            true => 0,
            false => before,
        }
    }

    fn take_summary(&self) -> u64 {
        self.0.take_summary()
    }

    fn set(&self, word: usize, bits: u64) {
        self.0.set(word, bits);
        if mutate::strikes(What::Bell) {
            let other = mutate::below(WORDS as u64) as usize;
            self.0.set(other, 1 << mutate::below(64));
            self.0.set_summary(1 << other);
        }
    }

    fn take(&self, word: usize) -> u64 {
        self.0.take(word)
    }
}
