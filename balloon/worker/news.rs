// SPDX-License-Identifier: GPL-2.0

//! What the balloon is told: by the toolstack, by administrators, by the kernel.

use super::{
    Balloon,
    Inner, //
};
use crate::{
    engine::policy::{
        self,
        Refusal, //
    },
    linux::{
        memory::PAGE_KIB,
        power::Sleeper,
        work::Worker, //
    },
    toolstack,
    trace,
    xen::{
        barrier::{
            Barrier,
            Ticket, //
        },
        builtin,
        domain::Kind,
        lifecycle::Lifecycle,
        reservation,
        store::Watcher, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// What everybody has to hear of before the domain is known as it is.
pub(super) struct News {
    /// The domain has been suspended: until then nothing of it is touched.
    restored: Option<Ticket>,
    target: Heard,
}

/// Who has heard of the last target. The built-in driver may hear of it after us: what it goes for
/// then is not stopped by a step that came before.
#[derive(Clone, Copy)]
enum Heard {
    Us,
    /// Whoever watches, once the barrier has passed.
    AllBehind(Ticket),
    All,
}

impl News {
    /// There is a first target.
    pub(super) const fn first() -> Self {
        Self {
            restored: None,
            target: Heard::Us,
        }
    }

    /// There is another target.
    pub(super) fn arrived(&mut self) {
        self.target = Heard::Us;
    }

    /// Returns whether everybody has heard of the last target by now.
    pub(super) fn is_heard(&self, barrier: &Barrier) -> bool {
        match self.target {
            Heard::Us => false,
            Heard::AllBehind(ticket) => barrier.has_passed(ticket),
            Heard::All => true,
        }
    }

    /// Learns that the target is reached, as decided when everybody had `heard` of it or not.
    /// Returns whether that is final; if not, it will be known when everybody has.
    pub(super) fn reached(&mut self, barrier: &Worker<Barrier>, heard: bool) -> bool {
        if heard {
            self.target = Heard::All;
        } else if matches!(self.target, Heard::Us) {
            self.target = Heard::AllBehind(barrier.raise());
        }
        heard
    }
}

impl Balloon {
    /// Returns whether the domain is known as it is: after a suspend it is not at once.
    pub(super) fn is_known(&self, inner: &mut Inner) -> bool {
        if self.resumed.xchg(false, Relaxed) {
            inner.news.restored = Some(self.barrier.raise());
        }
        match inner.news.restored {
            Some(ticket) if !self.barrier.has_passed(ticket) => return false,
            Some(_) => self.after_resume(inner),
            None => {}
        }
        true
    }

    /// Returns whether the domain has been suspended, and no step has seen to it.
    pub(super) fn is_unknown(&self, inner: &Inner) -> bool {
        inner.news.restored.is_some() || self.resumed.load(Relaxed)
    }

    /// Reads what the toolstack asks for and returns whether it does. What is no size changes
    /// nothing.
    pub(super) fn read_target(&self) -> bool {
        // There is none in a dom0 that nobody has ever changed.
        self.heard
            .read()
            .is_ok_and(|target| self.take_in(toolstack::TARGET, target, &self.asked, &self.garbled))
    }

    /// Reads what the toolstack lets the domain grow to; likewise.
    pub(super) fn read_ceiling(&self) {
        if let Ok(ceiling) = toolstack::ceiling(self.unseen) {
            let known = &self.garbled_ceiling;
            self.take_in(toolstack::CEILING, ceiling, &self.ceiling, known);
        }
    }

    /// Takes the size that was read from a node `to` where it belongs, and returns whether it is
    /// one. If not, the log says so, unless that is `known` already.
    fn take_in(
        &self,
        node: &CStr,
        size: Option<u64>,
        to: &Atomic<u64>,
        known: &Atomic<bool>,
    ) -> bool {
        if let Some(size) = size {
            known.store(false, Relaxed);
            to.store(size, Relaxed);
            return true;
        }
        self.counters.refused.add(1, Relaxed);
        if !known.xchg(true, Relaxed) {
            pr_notice!("{node} is no size; the old one stays\n");
        }
        false
    }

    /// Takes over again after a suspend, when everybody has heard of it.
    ///
    /// All watches are set anew then, the newest first, so the built-in driver hears of the target
    /// after us: only when it has heard can it be stopped.
    fn after_resume(&self, inner: &mut Inner) {
        inner.news.restored = None;
        builtin::settle();
        self.reread_all();
        inner.promised = self.kind != Kind::Pv;
        self.surrender_leftovers(inner);
    }

    /// Surrenders again what the hypervisor has put behind what is held: if it stayed, the domain
    /// would have no room for as much.
    fn surrender_leftovers(&self, inner: &mut Inner) {
        let current = || builtin::stats().current.saturating_sub(inner.holes.pages());
        if beyond(current()) > self.beyond.load(Relaxed) {
            let pages = inner.exchange.surrender_leftovers(&inner.holes);
            if pages > 0 {
                let kib = pages as u64 * PAGE_KIB;
                pr_info!("{kib} KiB of what was given away had come back\n");
            }
        }
        self.beyond.store(beyond(current()), Relaxed);
    }

    /// Has the next step read anew all that the toolstack says.
    fn reread_all(&self) {
        self.reread_ceiling.store(true, Relaxed);
        self.reread.store(true, Relaxed);
    }
}

/// Returns how many pages the hypervisor counts beyond the guest's `current`; fewer than none while
/// some are only promised.
pub(super) fn beyond(current: usize) -> i64 {
    reservation::current().map_or(0, |pages| pages as i64 - current as i64)
}

impl Worker<Balloon> {
    /// Has the next step find the way anew, after a setting has changed.
    pub(crate) fn retarget(&self) {
        self.changed.store(true, Relaxed);
        self.waiters.announce();
        self.kick();
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotANumber => EINVAL,
            Refusal::OutOfRange => ERANGE,
        }
    }
}

/// Sets a new target, in pages as the guest counts them, for a person who gave what was `parsed`.
///
/// # Errors
///
/// `EINVAL` if it is no number, `ERANGE` if it is below the floor or above what the domain can
/// have; then nothing changes.
pub(crate) fn set_target(balloon: &Worker<Balloon>, parsed: Result<u64, Refusal>) -> Result {
    let checked = parsed
        .and_then(|pages| policy::check_target(pages, balloon.limits(), balloon.most()))
        .inspect_err(|_| balloon.counters.refused.add(1, Relaxed));

    let pages = checked?;
    balloon.asked.store(pages, Relaxed);
    trace::target(trace::Source::Administrator, pages, pages);
    balloon.retarget();
    Ok(())
}

impl Watcher for Worker<Balloon> {
    fn changed(&self, path: &CStr) {
        if path == toolstack::CEILING {
            self.reread_ceiling.store(true, Relaxed);
        } else {
            // The built-in driver has a watch of its own and may have begun already.
            self.builtin.freeze();
            self.reread.store(true, Relaxed);
        }
        self.waiters.announce();
        self.kick();
    }
}

impl Lifecycle for Worker<Balloon> {
    fn resumed(&self) {
        self.resumed.store(true, Relaxed);
        self.waiters.announce();
        self.kick();
    }
}

impl Sleeper for Worker<Balloon> {
    fn falls_asleep(&self) {
        self.asleep.store(true, Relaxed);
        // Who has not seen that yet comes to an end.
        drop(self.inner.lock());
    }

    fn is_awake(&self) {
        self.asleep.store(false, Relaxed);
        self.reread_all();
        self.waiters.announce();
        self.kick();
    }
}
