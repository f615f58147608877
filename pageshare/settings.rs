// SPDX-License-Identifier: GPL-2.0

//! What the administrator can set, and what is counted for the whole module.

use crate::area::wire::BATCH;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::Msecs, //
};

/// More cannot be mapped than Xen lets any domain by far: 4 GiB.
pub(crate) const MOST_PAGES: u32 = 1 << 20;

/// For how long a mapping is kept that nobody uses, in seconds.
const IDLE_SECONDS: u32 = 60;

/// A day.
const IDLE_SECONDS_MAX: u32 = 86_400;

/// The settings, and counters.
pub(crate) struct Settings {
    /// How many pages of an owner this domain may have mapped.
    pages: u32,
    /// For how long mappings are kept that nobody uses, in seconds; 0: for ever.
    idle_seconds: Atomic<u32>,
    /// How many pages are granted to a member.
    member_pages: Atomic<u32>,
    /// Blocks that were read from files.
    filled: Atomic<u64>,
}

impl Settings {
    /// The defaults; up to `pages` pages of an owner may be mapped.
    pub(crate) fn new(pages: u32) -> Self {
        Self {
            pages,
            idle_seconds: Atomic::new(IDLE_SECONDS),
            member_pages: Atomic::new(MOST_PAGES),
            filled: Atomic::new(0),
        }
    }

    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    pub(crate) fn idle_seconds(&self) -> u32 {
        self.idle_seconds.load(Relaxed)
    }

    /// For how long mappings are kept that nobody uses; [`None`] for ever.
    pub(crate) fn idle(&self) -> Option<Msecs> {
        match self.idle_seconds() {
            0 => None,
            seconds => Some(seconds.saturating_mul(1000)),
        }
    }

    /// Sets for how long mappings are kept that nobody uses.
    ///
    /// # Errors
    ///
    /// `ERANGE` if it is more than a day.
    pub(crate) fn set_idle_seconds(&self, seconds: u64) -> Result {
        match u32::try_from(seconds) {
            Ok(seconds @ 0..=IDLE_SECONDS_MAX) => self.idle_seconds.store(seconds, Relaxed),
            _ => return Err(ERANGE),
        }
        Ok(())
    }

    pub(crate) fn member_pages(&self) -> u32 {
        self.member_pages.load(Relaxed)
    }

    /// Sets how many pages are granted to a member that comes from now on.
    ///
    /// # Errors
    ///
    /// `ERANGE` if it is less than one batch, or more than anybody can have.
    pub(crate) fn set_member_pages(&self, pages: u64) -> Result {
        match u32::try_from(pages) {
            Ok(pages @ BATCH..=MOST_PAGES) => self.member_pages.store(pages, Relaxed),
            _ => return Err(ERANGE),
        }
        Ok(())
    }

    /// How many blocks were read from files.
    pub(crate) fn filled(&self) -> u64 {
        self.filled.load(Relaxed)
    }

    /// A block was read from its file.
    pub(crate) fn count_filled(&self) {
        self.filled.fetch_add(1, Relaxed);
    }
}
