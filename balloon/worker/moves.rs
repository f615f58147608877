// SPDX-License-Identifier: GPL-2.0

//! Memory that is taken and given, an action of the engine's at a time.

use super::{
    Balloon,
    Inner, //
};
use crate::{
    engine::{
        Action,
        Outcome,
        Unit,
        BORROW_POLL_MS, //
    },
    linux::{
        memory,
        pages::{
            Extents,
            Order, //
        }, //
    },
    sight,
    traced,
    xen::{
        builtin,
        reservation::Exchanged, //
    }, //
};
use kernel::{
    sync::atomic::Relaxed,
    time::{
        Instant,
        Monotonic,
        Msecs, //
    }, //
};

/// How many pages a step takes at the most while some are only promised: each is filled in as it is
/// zeroed, and what is there for that must last until some are surrendered.
const PROMISED_PAGES: usize = Order::Huge.pages();

impl From<Unit> for Order {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Base => Order::Base,
            Unit::Huge => Order::Huge,
        }
    }
}

impl Balloon {
    /// Returns whether the guest has been promised memory that the domain has not got. Once it has
    /// all, nothing more is promised for as long as this domain lives.
    fn is_promised(inner: &mut Inner) -> bool {
        if inner.promised {
            let counted = builtin::stats().current.saturating_sub(inner.holes.pages());
            inner.promised = inner.exchange.current().is_ok_and(|pages| pages < counted);
        }
        inner.promised
    }

    /// Does what the engine has decided, and returns when the next step is due: after so many
    /// milliseconds, or, with [`None`], when something changes.
    pub(super) fn carry_out(&self, inner: &mut Inner, action: Action) -> Option<Msecs> {
        match action {
            Action::Take { unit, runs } => Some(self.tally(self.take(inner, unit, runs))),
            Action::Give { unit, runs } => Some(self.tally(self.give(inner, unit, runs))),
            Action::Split => {
                inner.holes.split_one();
                Some(0)
            }
            Action::Borrow { pages, recheck_ms } => {
                let now = self.borrow(inner, pages);
                // A longer delay says that the last time led nowhere.
                self.tally((!now && recheck_ms > BORROW_POLL_MS).then_some(recheck_ms));
                Some(if now { 0 } else { recheck_ms })
            }
            Action::Wait { delay_ms } => {
                self.counters.failures.add(1, Relaxed);
                Some(self.tally(Some(delay_ms)))
            }
            Action::Watch { delay_ms } => {
                self.tally(None);
                Some(delay_ms)
            }
            Action::Rest => {
                self.tally(None);
                None
            }
        }
    }

    /// Allocates and surrenders up to `runs` runs; none if the guest runs out of memory on the way.
    fn take(&self, inner: &mut Inner, unit: Unit, runs: u64) -> Option<u32> {
        let order = Order::from(unit);
        let start = Instant::<Monotonic>::now();
        let mut runs = (runs as usize).min(inner.exchange.capacity(order));
        if Self::is_promised(inner) {
            runs = runs.min(PROMISED_PAGES / order.pages());
        }
        let (mut extents, short) = self.gather(order, runs);
        self.spare(&mut extents);
        if self.wanted.load(Relaxed) != 0 {
            return None;
        }
        let offered = extents.len();

        let done = if extents.is_empty() {
            Exchanged::NOTHING
        } else {
            inner.exchange.surrender(extents, &mut inner.holes)
        };
        let calls = inner.exchange.hypercalls();
        sight::batch(traced::taking(unit), order, runs, done, calls, start);
        self.counters.taken(unit).add(done.pages as u64, Relaxed);
        if offered < runs || done.error.is_some() {
            self.counters.failures.add(1, Relaxed);
        }
        inner.engine.done(Outcome::Took {
            unit,
            pages: done.pages as u64,
            short: short || (offered > 0 && done.pages == 0),
        })
    }

    /// Allocates up to `runs` runs, as long as the guest can spare them and is not out of memory.
    /// Returns them, and whether the allocator had fewer.
    fn gather(&self, order: Order, runs: usize) -> (Extents, bool) {
        let reserve = self.limits().reserve as usize;
        let mut extents = Extents::new(order);

        while extents.len() < runs && self.wanted.load(Relaxed) == 0 {
            // Programs allocate as well meanwhile. Once for each 2 MiB is often enough.
            let look = extents.len() * order.pages() % Order::Huge.pages() == 0;
            if look && memory::available_pages() < reserve + order.pages() {
                break;
            }
            if !extents.grow() {
                return (extents, true);
            }
        }
        (extents, false)
    }

    /// Gives back to the guest what it cannot spare any more: what the host gets it need not give
    /// back. All, for who is out of memory; else as far as less than half of the reserve is left, as
    /// what the allocator keeps for each processor is not counted.
    fn spare(&self, extents: &mut Extents) {
        let least = self.limits().reserve as usize / 2;
        let before = extents.len();
        let is_scarce = || self.wanted.load(Relaxed) != 0 || memory::available_pages() < least;

        while is_scarce() && extents.shrink() {}
        let pages = (before - extents.len()) * extents.order().pages();
        self.counters.spared.add(pages as u64, Relaxed);
    }

    /// Counts a step: as a failed one if the next has to wait for `delay`, else as one that got
    /// somewhere. Returns how long the next one waits.
    fn tally(&self, delay: Option<Msecs>) -> Msecs {
        let failed = delay.map_or(0, |_| self.retries() + 1);
        self.retries.store(failed, Relaxed);
        delay.unwrap_or(0)
    }

    /// Populates and frees up to `runs` runs.
    fn give(&self, inner: &mut Inner, unit: Unit, runs: u64) -> Option<u32> {
        let order = Order::from(unit);
        let start = Instant::<Monotonic>::now();
        let done = inner
            .exchange
            .reclaim(&mut inner.holes, order, runs as usize);
        let short = (done.pages as u64) < runs * unit.pages();
        let calls = inner.exchange.hypercalls();
        sight::batch(
            traced::giving(unit),
            order,
            runs as usize,
            done,
            calls,
            start,
        );

        self.counters.given(unit).add(done.pages as u64, Relaxed);
        if short {
            self.counters.failures.add(1, Relaxed);
        }
        inner.engine.done(Outcome::Gave {
            unit,
            pages: done.pages as u64,
            short,
        })
    }

    /// Gives the guest up to `pages` pages at once, if need be `beyond` its target, and returns how
    /// many it got. [`None`] if a step is under way, which will see to it. None while it sleeps:
    /// what is written to disk then must not change.
    ///
    /// Context: process context, of somebody who may hold any lock but ours and is in the middle of
    /// reclaiming memory.
    pub(crate) fn relieve(&self, pages: u64, beyond: bool) -> Option<u64> {
        if self.asleep.load(Relaxed) {
            return Some(0);
        }
        let inner = self.inner.try_lock();
        let Some(mut inner) = inner.filter(|inner| !self.is_unknown(inner)) else {
            if beyond {
                self.wanted.store(pages, Relaxed);
            }
            return None;
        };
        let inner = &mut *inner;
        let view = self.view(inner);
        inner.engine.set_limits(self.limits());
        inner.engine.set_tuning(self.tunables.tuning());
        let before = inner.holes.pages();
        let allowed = inner.engine.relieve(&view, pages, beyond) as usize;

        while before - inner.holes.pages() < allowed {
            let view = self.view(inner);
            let go_on = match inner.engine.next(&view) {
                Action::Give { unit, runs } => self.give(inner, unit, runs).is_none(),
                Action::Split => inner.holes.split_one(),
                _ => false,
            };
            if !go_on {
                break;
            }
        }
        let given = (before - inner.holes.pages()) as u64;
        self.counters.relieved.add(given, Relaxed);
        self.publish(inner, &self.view(inner));
        Some(given)
    }
}
