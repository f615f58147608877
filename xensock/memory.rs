// SPDX-License-Identifier: GPL-2.0

//! Memory that both ends of a link see, and the words in it.

use crate::{
    account::{
        Account,
        Charge, //
    },
    lines,
    link::doorbell::{
        Bits,
        BELLS,
        WORDS_OFFSET, //
    },
    xen::{
        domain::DomId,
        grant::{
            Granted,
            Mapped,
            Region, //
        },
        shared::Memory,
        words::Words, //
    }, //
};
use core::ops::Deref;
use kernel::{
    alloc::Flags,
    prelude::*,
    sync::Arc, //
};

/// Memory that we have granted, or that the peer has, and that counts in the peer's account.
pub(crate) struct Shared {
    memory: Region,
    _charge: Charge,
}

impl Shared {
    /// Grants `pages` pages to `to`.
    ///
    /// Context: that of an allocation with `flags`.
    ///
    /// # Errors
    ///
    /// As for [`Granted::new`]; `ENOBUFS` if it is more than the peer may have.
    pub(crate) fn grant(
        account: &Arc<Account>,
        to: DomId,
        pages: usize,
        flags: Flags,
    ) -> Result<Arc<Self>> {
        let charge = Charge::take(account, pages)?;
        let memory = Region::Own(Granted::new(to, pages, flags)?);
        Self::new(memory, charge)
    }

    /// Maps the grants `refs` of `from`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// As for [`Mapped::new`]; `ENOBUFS` if it is more than the peer may have.
    pub(crate) fn map(account: &Arc<Account>, from: DomId, refs: &[u32]) -> Result<Arc<Self>> {
        let charge = Charge::take(account, refs.len())?;
        let memory = Region::Peers(Mapped::new(from, refs)?);
        Self::new(memory, charge)
    }

    fn new(memory: Region, charge: Charge) -> Result<Arc<Self>> {
        let shared = Self {
            memory,
            _charge: charge,
        };
        Ok(Arc::new(shared, GFP_KERNEL)?)
    }

    /// The grants, where they are ours.
    pub(crate) fn refs(&self) -> &[u32] {
        self.memory.refs()
    }
}

impl Deref for Shared {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        &self.memory
    }
}

/// The words of a ring.
pub(crate) type RingAt = lines::RingAt<Shared>;

/// The bells of one direction.
pub(crate) struct BellsAt(Words<Shared, BELLS>);

impl BellsAt {
    /// The bells that begin at byte `at` of `memory`.
    pub(crate) fn new(memory: Arc<Shared>, at: usize) -> Self {
        Self(Words::new(memory, at))
    }

    fn set_bits(&self, at: usize, bits: u64) -> u64 {
        self.0.word64(at).map_or(0, |word| word.fetch_or(bits))
    }

    fn clear(&self, at: usize) -> u64 {
        self.0.word64(at).map_or(0, |word| word.swap(0))
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
