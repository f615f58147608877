// SPDX-License-Identifier: GPL-2.0

//! An event channel whose ends are both here: events come, and wait where there were too many.

use crate::{
    eventually,
    xen::{
        domain::DomId,
        event::{
            Channel,
            Handler,
            Seen, //
        }, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic,
        Msecs, //
    }, //
};

/// Counts events. The next one has to wait for `wait` milliseconds, if that is not 0.
struct Counter {
    events: Atomic<u32>,
    wait: Atomic<Msecs>,
}

impl Counter {
    fn new(wait: Msecs) -> Self {
        Self {
            events: Atomic::new(0),
            wait: Atomic::new(wait),
        }
    }
}

impl Handler for Counter {
    fn event(&self) -> Seen {
        self.events.add(1, Relaxed);
        match self.wait.load(Relaxed) {
            0 => Seen::Work,
            wait => Seen::TooMany(wait),
        }
    }
}

/// The one that counts, and the one that sends.
struct Pair {
    here: Channel<Counter>,
    there: Channel<Counter>,
}

impl Pair {
    /// The first call, for events that came before there was a handler, is over.
    fn new() -> Result<Self> {
        let here = Channel::listen(DomId::SELF, Counter::new(0))?;
        let there = Channel::connect(DomId::SELF, here.port(), Counter::new(0))?;
        let pair = Self { here, there };
        eventually(|| pair.events() > 0);
        Ok(pair)
    }

    fn events(&self) -> u32 {
        self.here.handler().events.load(Relaxed)
    }

    /// From now on each event but the first has to wait.
    fn limit(&self, wait: Msecs) {
        self.here.handler().wait.store(wait, Relaxed);
    }

    /// Sends an event, and waits until it has come.
    fn send(&self) -> bool {
        let before = self.events();
        self.there.notify();
        eventually(|| self.events() > before)
    }
}

#[kunit_tests(xen_event)]
mod tests {
    use super::*;

    #[test]
    fn events_come() -> Result {
        let pair = Pair::new()?;
        for _ in 0..100 {
            assert!(pair.send());
        }
        Ok(())
    }

    #[test]
    fn too_many_come_after_their_wait() -> Result {
        const WAIT_MS: Msecs = 100;
        const WAITS: Msecs = 5;
        let pair = Pair::new()?;
        pair.limit(WAIT_MS);
        let before = pair.events();
        let start = Instant::<Monotonic>::now();
        while start.elapsed() < Delta::from_millis((WAITS * WAIT_MS).into()) {
            pair.there.notify();
            fsleep(Delta::from_micros(500));
        }
        let events = pair.events() - before;
        let waits = start.elapsed().as_millis() as u32 / WAIT_MS;
        assert!(events > 1);
        assert!(events <= waits + 1);
        Ok(())
    }

    #[test]
    fn what_comes_during_a_wait_is_not_lost() -> Result {
        let pair = Pair::new()?;
        pair.limit(200);
        // The second one of each round comes while the first one's wait runs.
        for _ in 0..3 {
            assert!(pair.send());
            assert!(pair.send());
        }
        pair.limit(0);
        assert!(pair.send());
        Ok(())
    }

    /// Were the timer still there, KASAN would see what it looks at.
    #[test]
    fn a_wait_ends_with_its_channel() -> Result {
        const WAIT_MS: Msecs = 100;
        let pair = Pair::new()?;
        pair.limit(WAIT_MS);
        assert!(pair.send());
        drop(pair);
        fsleep(Delta::from_millis((2 * WAIT_MS).into()));
        Ok(())
    }

    #[test]
    fn a_channel_ends_in_the_midst_of_a_wait() -> Result {
        const HOUR_MS: Msecs = 3_600_000;
        for _ in 0..3 {
            let pair = Pair::new()?;
            pair.limit(HOUR_MS);
            assert!(pair.send());
            let before = pair.events();
            pair.there.notify();
            fsleep(Delta::from_millis(50));
            assert_eq!(pair.events(), before);
        }
        Ok(())
    }
}
