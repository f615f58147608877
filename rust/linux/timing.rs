// SPDX-License-Identifier: GPL-2.0

//! How long things take that keep others waiting.
//!
//! C headers: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h),
//! [`include/linux/sched.h`](srctree/include/linux/sched.h).

use crate::bindings as xen_bindings;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Returns nanoseconds since boot.
fn now() -> i64 {
    // SAFETY: No preconditions: nothing here runs while timekeeping is suspended.
    unsafe { bindings::ktime_get() }
}

/// Returns whether somebody else is to run on this processor, or a signal waits for the program.
///
/// Context: process context.
pub fn must_yield() -> bool {
    // SAFETY: No preconditions.
    unsafe { xen_bindings::xenoxide_must_yield() }
}

/// Fails if the calling program is being killed: it waits for nothing any more.
///
/// Context: process context.
///
/// # Errors
///
/// `EINTR`.
pub fn check_killed() -> Result {
    // SAFETY: No preconditions.
    match unsafe { xen_bindings::xenoxide_is_killed() } {
        true => Err(EINTR),
        false => Ok(()),
    }
}

/// The longest of some times. One thread at a time adds to it.
pub struct Longest(Atomic<i64>);

impl Default for Longest {
    fn default() -> Self {
        Self::new()
    }
}

impl Longest {
    /// Returns one that has seen nothing.
    pub const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Adds a time, in nanoseconds.
    fn add(&self, ns: i64) {
        if ns > self.0.load(Relaxed) {
            self.0.store(ns, Relaxed);
        }
    }

    /// Does `f` and adds the time that it took.
    ///
    /// Context: that of `f`.
    pub fn time<R>(&self, f: impl FnOnce() -> R) -> R {
        let start = now();
        let result = f();
        self.add(now() - start);
        result
    }

    /// Returns the longest time, in nanoseconds.
    pub fn ns(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// The longest single hypercall that exchanged memory or mappings.
pub static LONGEST_CALL: Longest = Longest::new();

/// The longest time between two calls of [`pass`] within a [`Stretch`].
pub static LONGEST_STRETCH: Longest = Longest::new();

/// When the scheduler was last asked, or 0 outside of any [`Stretch`].
static SINCE: Atomic<i64> = Atomic::new(0);

/// A piece of work that shall let others run now and then: while it lives, the time between two
/// calls of [`pass`] is measured. There is one at a time.
pub struct Stretch(());

impl Stretch {
    /// Begins it.
    ///
    /// Context: any.
    pub fn begin() -> Self {
        SINCE.store(now(), Relaxed);
        Self(())
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        LONGEST_STRETCH.add(now() - SINCE.xchg(0, Relaxed));
    }
}

/// How many pages are worked through between two looks at the scheduler: 2 MiB.
const PAGES_PER_PASS: usize = 512;

/// Lets others run if it is their turn, once for each 2 MiB of a loop that has come to `pages`.
///
/// Context: may sleep.
pub fn pass(pages: usize) {
    if pages % PAGES_PER_PASS == 0 {
        give_way();
    }
}

/// Lets others run if it is their turn.
///
/// Context: may sleep.
pub fn give_way() {
    let since = SINCE.load(Relaxed);
    if since != 0 {
        LONGEST_STRETCH.add(now() - since);
    }
    // SAFETY: By the context.
    unsafe { xen_bindings::xenoxide_cond_resched() };
    if since != 0 {
        SINCE.store(now(), Relaxed);
    }
}
