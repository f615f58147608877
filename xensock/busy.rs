// SPDX-License-Identifier: GPL-2.0

//! Busy polling: who is about to sleep looks for a while whether what it waits for comes, which
//! saves an event and the way through the scheduler. How long is worth it each connection finds out
//! for itself.

use crate::linux::timing;
use kernel::{
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// Of the longest time this part is tried even if it was always in vain.
const LEAST_PART: u32 = 16;

/// Who has received so many bytes since it slept is in the midst of a stream: more are likely to be
/// on their way already.
const BULK: u32 = 64 << 10;

/// How long to look at the most, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// In any case.
    pub(crate) always_us: u32,
    /// In the midst of a stream, if that is longer.
    pub(crate) bulk_us: u32,
}

/// How long a connection looks. All is changed with the socket locked.
pub(crate) struct Busy {
    /// In microseconds.
    window: Atomic<u32>,
    /// Bytes received since the program has slept.
    flow: Atomic<u32>,
}

impl Busy {
    pub(crate) const fn new() -> Self {
        Self {
            window: Atomic::new(0),
            flow: Atomic::new(0),
        }
    }

    /// Takes note of what was received.
    pub(crate) fn received(&self, bytes: u32) {
        let flow = self.flow.load(Relaxed).saturating_add(bytes);
        self.flow.store(flow, Relaxed);
    }

    /// The program sleeps.
    pub(crate) fn sleeps(&self) {
        self.flow.store(0, Relaxed);
    }

    fn most(&self, patience: Patience) -> u32 {
        if self.flow.load(Relaxed) < BULK {
            patience.always_us
        } else {
            patience.always_us.max(patience.bulk_us)
        }
    }

    /// Looks until `there` says so, but no longer than `patience` lasts; returns whether it has.
    ///
    /// Context: process context; does not sleep.
    pub(crate) fn look(&self, patience: Patience, mut there: impl FnMut() -> bool) -> bool {
        let most = self.most(patience);
        if most == 0 {
            return false;
        }
        let window = self
            .window
            .load(Relaxed)
            .clamp(most.div_ceil(LEAST_PART), most);
        let start = Instant::<Monotonic>::now();
        let mut found = there();
        while !found && !timing::must_yield() && start.elapsed().as_micros_ceil() < window.into() {
            core::hint::spin_loop();
            found = there();
        }
        // What was worth it once shall not have to be found out again in small steps.
        self.window
            .store(if found { most } else { window / 2 }, Relaxed);
        found
    }
}
