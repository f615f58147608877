// SPDX-License-Identifier: GPL-2.0

//! Carries out what the engine decides, one action a step.

use crate::{
    control::{
        Place,
        Waiters, //
    },
    counters::Counters,
    engine::{
        policy::{
            self,
            Refusal, //
        },
        Action,
        Limits,
        Outcome,
        Unit,
        View, //
    },
    linux::{
        memory,
        pages::{
            Extents,
            Order, //
        },
        power::Sleeper,
        timing::Stretch,
        work::{
            Task,
            Worker, //
        }, //
    },
    sight,
    toolstack,
    trace,
    traced::{
        self,
        Engine, //
    },
    tunables::Tunables,
    xen::{
        builtin,
        domain::{
            self,
            Kind, //
        },
        lifecycle::Lifecycle,
        reservation::{
            self,
            Exchange,
            Exchanged,
            Holes, //
        },
        store::{
            self,
            Watcher, //
        }, //
    }, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex, //
    },
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

/// What only a step touches.
struct Inner {
    engine: Engine,
    exchange: Exchange,
    holes: Holes,
}

/// The balloon.
#[pin_data]
pub(crate) struct Balloon {
    /// Dropped first: what is held then goes to the built-in driver.
    #[pin]
    inner: Mutex<Inner>,
    /// Dropped after that: the built-in driver goes on from where we were.
    builtin: builtin::Hold,
    kind: Kind,
    /// Pages that the toolstack counts and the guest does not see.
    unseen: u64,
    /// Pages that the hypervisor counts and the guest does not, when that was last looked at.
    beyond: Atomic<i64>,
    pub(crate) tunables: Tunables,
    /// Since when [`View::now_ms`] counts.
    start: Instant<Monotonic>,
    /// What is asked for, in pages as the guest counts them.
    asked: Atomic<u64>,
    /// What the toolstack lets the domain grow to, likewise; 0 if it does not say.
    ceiling: Atomic<u64>,
    /// Pages held surrendered, after the last step.
    held: Atomic<u64>,
    /// Of those, pages that went back by themselves and may come back up to the target.
    returned: Atomic<u64>,
    /// The size that a guest out of memory was to have, while that holds; else 0.
    relief: Atomic<u64>,
    /// Steps since the last one that got anywhere.
    retries: Atomic<u32>,
    /// Pages that somebody wants at once and could not be given, for a step was under way; what may
    /// be taken has to wait.
    wanted: Atomic<u64>,
    /// A target or setting has changed since the last step.
    changed: Atomic<bool>,
    /// `memory/target` may have changed since it was read.
    reread: Atomic<bool>,
    /// `memory/static-max` may have changed since it was read. Apart from the other, as each reading
    /// delays the first step.
    reread_ceiling: Atomic<bool>,
    /// The domain has been suspended since the last step.
    resumed: Atomic<bool>,
    /// The guest sleeps, or is about to: its memory is left alone.
    asleep: Atomic<bool>,
    /// `memory/target` was no number when last read, and the log says so already.
    garbled: Atomic<bool>,
    pub(crate) counters: Counters,
    /// Those who wait for the target.
    #[pin]
    pub(crate) waiters: Waiters,
}

impl Balloon {
    /// Creates a balloon that holds nothing and wants what the built-in driver wants.
    ///
    /// # Errors
    ///
    /// `ENODEV` when not running on Xen, `ERANGE` if `floor` (in pages; 0 for the default) is more
    /// than the domain can have, `ENOMEM`.
    pub(crate) fn new(floor: u64, auto_return: bool) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let kind = domain::require()?;
            let unseen = toolstack::unseen(kind);
            let ceiling = toolstack::ceiling(unseen);
            let most = toolstack::most(ceiling);
            if floor > most {
                pr_err!(
                    "floor_kb is above the {} KiB that this domain can have\n",
                    most * 4
                );
                return Err(ERANGE);
            }
            let tunables = Tunables::new(floor, auto_return);
            let exchange = Exchange::new()?;
            let builtin = builtin::Hold::acquire();
            let target = builtin.release_target() as u64;

            Ok(try_pin_init!(Self {
                inner <- new_mutex!(Inner {
                    engine: Engine::new(tunables.limits(most), tunables.tuning()),
                    exchange,
                    holes: Holes::new(),
                }),
                builtin,
                kind,
                unseen,
                beyond: Atomic::new(beyond(builtin::stats().current)),
                tunables,
                start: Instant::now(),
                asked: Atomic::new(target),
                ceiling: Atomic::new(ceiling),
                held: Atomic::new(0),
                returned: Atomic::new(0),
                relief: Atomic::new(0),
                retries: Atomic::new(0),
                wanted: Atomic::new(0),
                changed: Atomic::new(false),
                reread: Atomic::new(false),
                reread_ceiling: Atomic::new(false),
                resumed: Atomic::new(false),
                asleep: Atomic::new(false),
                garbled: Atomic::new(false),
                counters: Counters::new(),
                waiters <- Waiters::new(),
            }))
        })
    }

    /// Returns the kind of domain.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the limits in force.
    pub(crate) fn limits(&self) -> Limits {
        self.tunables.limits(self.most())
    }

    /// Returns what is asked for, in pages.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Relaxed)
    }

    /// Returns what is aimed at, in pages.
    pub(crate) fn target(&self) -> u64 {
        self.builtin.release_target() as u64
    }

    /// Returns how many pages are held surrendered.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// Returns how many of those went back by themselves and may come back up to the target.
    pub(crate) fn returned(&self) -> u64 {
        self.returned.load(Relaxed)
    }

    /// Returns the size that a guest out of memory was to have, while that holds; else 0.
    pub(crate) fn relief(&self) -> u64 {
        self.relief.load(Relaxed)
    }

    /// Returns how many steps there were since the last one that got anywhere.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.load(Relaxed)
    }

    /// Returns how many pages the domain has.
    pub(crate) fn current(&self) -> u64 {
        (builtin::stats().current as u64).saturating_sub(self.held())
    }

    /// Returns how many pages the domain can have.
    pub(crate) fn most(&self) -> u64 {
        toolstack::most(self.ceiling.load(Relaxed))
    }

    /// Shows `f` the domain and what is held, while no step is under way.
    ///
    /// Context: may sleep.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&View, &Holes) -> R) -> R {
        let inner = self.inner.lock();
        f(&self.view(&inner), &inner.holes)
    }

    /// Reads what the toolstack asks for and returns whether it does. What is no number changes
    /// nothing.
    fn read_target(&self) -> bool {
        match toolstack::target(self.unseen) {
            Ok(Some(target)) => {
                self.garbled.store(false, Relaxed);
                self.asked.store(target, Relaxed);
                return true;
            }
            Ok(None) => {
                self.counters.refused.add(1, Relaxed);
                if !self.garbled.xchg(true, Relaxed) {
                    pr_notice!("memory/target is no number; the old target stays\n");
                }
            }
            // There is none, as in a dom0 that nobody has ever changed.
            Err(_) => {}
        }
        false
    }

    /// Takes over again after a suspend.
    ///
    /// All watches are set anew then, the newest first, so the built-in driver hears of the target
    /// after us: only when it has heard can it be stopped.
    fn after_resume(&self, inner: &mut Inner) {
        if let Err(e) = store::drain_events() {
            pr_warn!("cannot watch xenstore after resume ({})\n", e.to_errno());
        }
        self.builtin.freeze();
        self.reread_all();
        self.surrender_leftovers(inner);
    }

    /// Surrenders again what the hypervisor has put behind what is held: if it stayed, the domain
    /// would have no room for as much.
    fn surrender_leftovers(&self, inner: &mut Inner) {
        let current = || builtin::stats().current.saturating_sub(inner.holes.pages());
        if beyond(current()) > self.beyond.load(Relaxed) {
            let pages = inner.exchange.surrender_leftovers(&inner.holes);
            if pages > 0 {
                pr_info!("{} KiB of what was given away had come back\n", pages * 4);
            }
        }
        self.beyond.store(beyond(current()), Relaxed);
    }

    /// Has the next step read anew all that the toolstack says.
    fn reread_all(&self) {
        self.reread_ceiling.store(true, Relaxed);
        self.reread.store(true, Relaxed);
    }

    /// Shows the engine the domain.
    fn view(&self, inner: &Inner) -> View {
        let builtin = builtin::stats();

        View {
            now_ms: self.start.elapsed().as_millis() as u64,
            target: self.asked(),
            current: (builtin.current as u64).saturating_sub(inner.holes.pages() as u64),
            held_huge: inner.holes.count(Order::Huge) as u64,
            held_base: inner.holes.count(Order::Base) as u64,
            reserve: toolstack::reserve(&builtin, self.ceiling.load(Relaxed)),
            available: memory::available_pages() as u64,
            free: memory::free_pages() as u64,
        }
    }

    /// Returns whether the guest has been promised memory that the domain has not got.
    fn is_promised(&self, inner: &Inner) -> bool {
        let counted = builtin::stats().current.saturating_sub(inner.holes.pages());
        self.kind != Kind::Pv && reservation::current().is_ok_and(|pages| pages < counted)
    }

    /// Allocates and surrenders up to `runs` runs.
    fn take(&self, inner: &mut Inner, unit: Unit, runs: u64) -> Option<u32> {
        let order = Order::from(unit);
        let start = Instant::<Monotonic>::now();
        let mut runs = (runs as usize).min(inner.exchange.capacity(order));
        if self.is_promised(inner) {
            runs = runs.min(PROMISED_PAGES / order.pages());
        }
        let mut extents = Extents::new(order);
        while extents.len() < runs && self.wanted.load(Relaxed) == 0 && extents.grow() {}
        let short = extents.len() < runs;

        let done = if extents.is_empty() {
            Exchanged::NOTHING
        } else {
            inner.exchange.surrender(extents, &mut inner.holes)
        };
        let calls = inner.exchange.hypercalls();
        sight::batch(traced::taking(unit), order, runs, done, calls, start);
        let counter = match unit {
            Unit::Huge => &self.counters.taken_huge,
            Unit::Base => &self.counters.taken_base,
        };
        counter.add(done.pages as u64, Relaxed);
        if short || done.error.is_some() {
            self.counters.failures.add(1, Relaxed);
        }
        inner.engine.done(Outcome::Took {
            unit,
            pages: done.pages as u64,
            short: short || done.pages == 0,
        })
    }

    /// Counts a step that has to wait for `delay` as a failed one; without one it got somewhere.
    fn tally(&self, delay: Option<u32>) -> Option<u32> {
        let failed = delay.map_or(0, |_| self.retries() + 1);
        self.retries.store(failed, Relaxed);
        delay
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

        let counter = match unit {
            Unit::Huge => &self.counters.given_huge,
            Unit::Base => &self.counters.given_base,
        };
        counter.add(done.pages as u64, Relaxed);
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
        let Some(mut inner) = self.inner.try_lock() else {
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

    /// Makes the figures that others read what they are after a step.
    fn publish(&self, inner: &Inner, view: &View) {
        let held = inner.holes.pages() as u64;
        let target = inner.engine.effective_target(view);
        let below = if self.tunables.tuning().auto_return {
            target.saturating_sub(view.current)
        } else {
            0
        };

        self.held.store(held, Relaxed);
        self.returned.store(below.min(held), Relaxed);
        self.relief
            .store(inner.engine.relief().unwrap_or(0), Relaxed);
        self.counters
            .hypercalls
            .store(inner.exchange.hypercalls(), Relaxed);
    }
}

/// Returns how many pages the hypervisor counts beyond the guest's `current`; fewer than none while
/// some are only promised.
fn beyond(current: usize) -> i64 {
    reservation::current().map_or(0, |pages| pages as i64 - current as i64)
}

impl Task for Balloon {
    fn step(&self) -> Option<Msecs> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let news = self.waiters.news();

        if self.resumed.xchg(false, Relaxed) {
            self.after_resume(inner);
        }
        if self.reread_ceiling.xchg(false, Relaxed) {
            let ceiling = toolstack::ceiling(self.unseen);
            self.ceiling.store(ceiling, Relaxed);
            self.changed.store(true, Relaxed);
        }
        let mut asked_anew = false;
        if self.reread.xchg(false, Relaxed) {
            asked_anew = self.read_target();
            self.changed.store(true, Relaxed);
        }
        if self.changed.xchg(false, Relaxed) {
            inner.engine.wake();
        }
        let _stretch = Stretch::begin();
        inner.engine.set_limits(self.limits());
        inner.engine.set_tuning(self.tunables.tuning());
        let view = self.view(inner);
        match self.wanted.xchg(0, Relaxed) {
            0 => {}
            pages => drop(inner.engine.relieve(&view, pages, true)),
        }
        let target = inner.engine.effective_target(&view);
        self.builtin.set_release_target(target as usize);
        if asked_anew {
            trace::target(trace::Source::Toolstack, view.target, target);
        }
        let action = inner.engine.next(&view);
        if !matches!(action, Action::Borrow { .. }) {
            self.builtin.freeze();
        }

        let next = match action {
            Action::Take { unit, runs } => {
                Some(self.tally(self.take(inner, unit, runs)).unwrap_or(0))
            }
            Action::Give { unit, runs } => {
                Some(self.tally(self.give(inner, unit, runs)).unwrap_or(0))
            }
            Action::Split => {
                inner.holes.split_one();
                Some(0)
            }
            Action::Borrow { pages, recheck_ms } => {
                self.builtin.borrow(pages as usize);
                Some(recheck_ms)
            }
            Action::Wait { delay_ms } => {
                self.counters.failures.add(1, Relaxed);
                self.tally(Some(delay_ms))
            }
            Action::Watch { delay_ms } => self.tally(None).or(Some(delay_ms)),
            Action::Rest => self.tally(None),
        };
        self.publish(inner, &self.view(inner));
        self.waiters.publish(Place {
            news,
            target: self.target(),
            current: self.current(),
        });
        next
    }
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
