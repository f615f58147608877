// SPDX-License-Identifier: GPL-2.0

//! Knowing, without waiting for it, that everybody in this kernel has heard what xenstore has told.

use super::store;
use crate::linux::work::{
    Task,
    Worker, //
};
use kernel::{
    pr_warn_once,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        LockClassKey, //
    },
    time::Msecs, //
};

/// How long until a barrier that could not be put up is tried again, in milliseconds.
const RETRY_MS: Msecs = 1000;

/// Stands behind the watch events that are on their way, once it has been raised.
///
/// A suspend is a watch event as well, and who handles it waits for everybody that the kernel
/// freezes (`do_suspend()` in `drivers/xen/manage.c`). So whoever is frozen must not wait for
/// events: this does it for them.
pub struct Barrier {
    raised: Atomic<u32>,
    passed: Atomic<u32>,
}

/// Which time a barrier was raised.
#[derive(Clone, Copy, Debug)]
pub struct Ticket(u32);

impl Barrier {
    /// Creates a barrier that was never raised. `name` is its queue's, `key` is for lockdep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Worker<Self>, Error> {
        let barrier = Self {
            raised: Atomic::new(0),
            passed: Atomic::new(0),
        };
        Worker::steady(name, key, Ok::<_, Error>(barrier))
    }

    /// Returns whether each event that was on its way when the barrier was raised has been handled.
    pub fn has_passed(&self, ticket: Ticket) -> bool {
        self.passed.load(Acquire).wrapping_sub(ticket.0) as i32 >= 0
    }
}

impl Worker<Barrier> {
    /// Raises the barrier.
    ///
    /// Context: any, also with interrupts off.
    pub fn raise(&self) -> Ticket {
        let before = self.raised.fetch_add(1, Relaxed);
        self.kick();
        Ticket(before.wrapping_add(1))
    }
}

impl Task for Barrier {
    fn step(&self) -> Option<Msecs> {
        let raised = self.raised.load(Relaxed);

        if let Err(e) = store::drain_events() {
            pr_warn_once!("cannot watch xenstore ({e:?}); it is tried again\n");
            return Some(RETRY_MS);
        }
        self.passed.store(raised, Release);
        None
    }
}
