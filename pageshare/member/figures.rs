// SPDX-License-Identifier: GPL-2.0

//! What is counted of an owner's pages here.

use super::Owner;
use crate::{
    area::cache::Counters,
    window::Calls, //
};
use core::{
    ops::Add,
    sync::atomic::Ordering::Relaxed, //
};

/// What there is of one owner, or of several together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Pages that are mapped, or on their way.
    pub(crate) used: u64,
    /// Pages that programs have for their own.
    pub(crate) borrowed: u64,
    pub(crate) counters: Counters,
    pub(crate) calls: Calls,
}

impl Add for Figures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (one, two) = (self.counters, other.counters);
        Self {
            used: self.used + other.used,
            borrowed: self.borrowed + other.borrowed,
            counters: Counters {
                hits: one.hits + two.hits,
                asked: one.asked + two.asked,
                mapped: one.mapped + two.mapped,
                failed: one.failed + two.failed,
                evicted: one.evicted + two.evicted,
                withdrawn: one.withdrawn + two.withdrawn,
            },
            calls: Calls {
                maps: self.calls.maps + other.calls.maps,
                unmaps: self.calls.unmaps + other.calls.unmaps,
            },
        }
    }
}

impl Owner {
    /// Returns what is counted.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn figures(&self) -> Figures {
        let state = self.state.lock();
        let mut counters = *state.cache.counters();
        let glances = self.glances.iter().map(|glances| glances.load(Relaxed));
        counters.hits += glances.sum::<u64>();
        Figures {
            used: state.cache.used().into(),
            borrowed: state.borrowed.into(),
            counters,
            calls: self.window.calls(),
        }
    }
}
