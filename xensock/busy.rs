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

/// How long a connection looks.
pub(crate) struct Busy {
    /// In microseconds. Changed with the socket locked.
    window: Atomic<u32>,
}

impl Busy {
    pub(crate) const fn new() -> Self {
        Self {
            window: Atomic::new(0),
        }
    }

    /// Looks until `there` says so, but no longer than `most` microseconds; returns whether it has.
    ///
    /// Context: process context; does not sleep.
    pub(crate) fn look(&self, most: u32, mut there: impl FnMut() -> bool) -> bool {
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
        let next = if found {
            window.saturating_mul(2)
        } else {
            window / 2
        };
        self.window.store(next, Relaxed);
        found
    }
}
