// SPDX-License-Identifier: GPL-2.0

//! A worker that runs when it is kicked, and after its delay.

use crate::{
    eventually,
    linux::work::{
        Task,
        Worker, //
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
        Msecs, //
    }, //
};

/// Runs until it has run `until` times, or only when kicked if that is 0.
struct Counter {
    runs: Atomic<u32>,
    until: u32,
    delay: Msecs,
}

impl Task for Counter {
    fn step(&self) -> Option<Msecs> {
        self.runs.add(1, Relaxed);
        (self.runs.load(Relaxed) < self.until).then_some(self.delay)
    }
}

fn worker(until: u32, delay: Msecs) -> Result<Pin<KBox<Worker<Counter>>>> {
    let counter = Counter {
        runs: Atomic::new(0),
        until,
        delay,
    };
    KBox::pin_init(
        Worker::new(
            c"xen_kunit",
            kernel::static_lock_class!(),
            Ok::<_, Error>(counter),
        ),
        GFP_KERNEL,
    )
}

#[kunit_tests(xen_work)]
mod tests {
    use super::*;

    #[test]
    fn runs_when_kicked() -> Result {
        let worker = worker(0, 0)?;
        fsleep(Delta::from_millis(50));
        assert_eq!(worker.runs.load(Relaxed), 0);
        for n in 1..4 {
            worker.kick();
            assert!(eventually(|| worker.runs.load(Relaxed) == n));
        }
        Ok(())
    }

    #[test]
    fn runs_again_after_its_delay() -> Result {
        let worker = worker(5, 1)?;
        worker.kick();
        assert!(eventually(|| worker.runs.load(Relaxed) == 5));
        Ok(())
    }

    #[test]
    fn a_kick_does_not_wait_for_the_delay() -> Result {
        let worker = worker(u32::MAX, 3_600_000)?;
        worker.kick();
        assert!(eventually(|| worker.runs.load(Relaxed) == 1));
        worker.kick();
        assert!(eventually(|| worker.runs.load(Relaxed) == 2));
        // Dropping it with an hour to go must not take one.
        Ok(())
    }
}
