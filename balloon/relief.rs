// SPDX-License-Identifier: GPL-2.0

//! Memory for a guest that is running out of it.
//!
//! Two ways lead here. When memory gets scarce the kernel asks its shrinkers: what went back to the
//! host by itself comes back, up to the target. When there is none left, before anybody is killed,
//! the guest gets more than its target, as far as the host lets it.
//!
//! Both run in the middle of somebody's allocation. They wait for nobody who allocates: a step that
//! is under way may be doing just that, so its lock is tried, never taken.

use crate::{
    linux::{
        oom::OutOfMemory,
        shrinker::Shrink,
        work::Worker, //
    },
    worker::Balloon, //
};
use kernel::{
    sync::atomic::Relaxed,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Pages given at the least when there are none left: what the engine raises its goal by.
const OOM_PAGES: u64 = 2048;

/// How often to look, and how long to wait each time, whether a step that is under way or the
/// built-in driver has got memory, before somebody is killed.
const TRIES: usize = 25;
const TRY_MS: i64 = 20;

impl OutOfMemory for Worker<Balloon> {
    fn out_of_memory(&self) -> usize {
        let spared = || self.counters.spared.load(Relaxed);
        let (before, mut lowest) = (spared(), self.current());
        self.counters.oom_events.add(1, Relaxed);

        for _ in 0..TRIES {
            let given = self.relieve(OOM_PAGES, true);
            self.kick();
            // A step that was under way may have surrendered something since.
            let now = self.current();
            let more = given
                .unwrap_or(0)
                .max(spared() - before)
                .max(now.saturating_sub(lowest));
            if more > 0 {
                return more as usize;
            }
            lowest = lowest.min(now);
            // With nothing left of ours the built-in driver may have some. A host that refuses
            // will not think better of it now.
            if given == Some(0) && (self.held() > 0 || self.current() >= self.relief()) {
                break;
            }
            fsleep(Delta::from_millis(TRY_MS));
        }
        0
    }
}

impl Shrink for Worker<Balloon> {
    fn count(&self) -> usize {
        self.returned() as usize
    }

    fn scan(&self, pages: usize) -> Option<usize> {
        let given = self.relieve(pages as u64, false);
        self.kick();
        given.filter(|&pages| pages > 0).map(|pages| pages as usize)
    }
}
