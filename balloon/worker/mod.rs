// SPDX-License-Identifier: GPL-2.0

//! Carries out what the engine decides, one action a step.

mod growth;
mod moves;
mod news;

use crate::{
    control::{
        Place,
        Waiters, //
    },
    counters::Counters,
    engine::{
        policy::Lowest,
        Action,
        Limits,
        View, //
    },
    linux::{
        memory,
        pages::Order,
        timing::Stretch,
        work::{
            Task,
            Worker, //
        }, //
    },
    toolstack,
    trace,
    traced::Engine,
    tunables::Tunables,
    xen::{
        barrier::Barrier,
        builtin,
        domain::{
            self,
            Kind, //
        },
        growth::{
            Adder,
            Growth, //
        },
        reservation::{
            Exchange,
            Holes, //
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

/// A delay from which on a domain that grows is said to wait for somebody else.
const STUCK_MS: u32 = 500;

/// How often to look whether the built-in driver has heard what we have.
const HEARD_POLL_MS: Msecs = 10;

pub(crate) use growth::Added;
pub(crate) use news::set_target;
use news::News;

/// What only a step touches.
struct Inner {
    engine: Engine,
    exchange: Exchange,
    growth: Growth,
    holes: Holes,
    lowest: Lowest,
    /// The guest may have been promised memory that the domain has not got.
    promised: bool,
    news: News,
}

/// The balloon.
#[pin_data]
pub(crate) struct Balloon {
    /// Dropped first: what is held then goes to the built-in driver.
    #[pin]
    inner: Mutex<Inner>,
    /// Dropped after that: the built-in driver goes on from where we were.
    builtin: builtin::Hold,
    #[pin]
    barrier: Worker<Barrier>,
    kind: Kind,
    /// Who adds memory that the domain did not boot with.
    adder: Adder,
    pub(crate) added: Added,
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
    /// What the default floor does not exceed, in pages, as of the last step.
    floor_bound: Atomic<u64>,
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
    /// `memory/target` was no size when last read, and the log says so already.
    garbled: Atomic<bool>,
    /// The same of `memory/static-max`.
    garbled_ceiling: Atomic<bool>,
    pub(crate) counters: Counters,
    /// Those who wait for the target.
    #[pin]
    pub(crate) waiters: Waiters,
    /// Dropped last: what the toolstack has asked for while all else was dropped.
    heard: toolstack::Heard,
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
            let ceiling = toolstack::ceiling(unseen).ok().flatten().unwrap_or(0);
            let growth = Growth::begin();
            let adder = growth.adder();
            let most = toolstack::most(ceiling, adder, 0);
            if floor > most {
                pr_err!(
                    "floor_kb is above the {} KiB that this domain can have\n",
                    most * memory::PAGE_KIB
                );
                return Err(ERANGE);
            }
            let tunables = Tunables::new(floor, auto_return);
            let exchange = Exchange::new()?;
            let builtin = builtin::Hold::acquire();
            let heard = toolstack::Heard::new(unseen);
            let target = builtin.release_target() as u64;
            let current = builtin::stats().current as u64;
            let mut lowest = Lowest::new(current);
            let bound = lowest.bound(current, target);

            Ok(try_pin_init!(Self {
                inner <- new_mutex!(Inner {
                    engine: Engine::new(tunables.limits(most, bound), tunables.tuning()),
                    exchange,
                    growth,
                    holes: Holes::new(),
                    lowest,
                    promised: kind != Kind::Pv,
                    news: News::first(),
                }),
                builtin,
                barrier <- Barrier::new(c"xenballoon-heard", kernel::static_lock_class!()),
                kind,
                adder,
                added: Added::new(),
                unseen,
                beyond: Atomic::new(news::beyond(builtin::stats().current)),
                tunables,
                start: Instant::now(),
                asked: Atomic::new(target),
                ceiling: Atomic::new(ceiling),
                floor_bound: Atomic::new(bound),
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
                garbled_ceiling: Atomic::new(false),
                counters: Counters::new(),
                waiters <- Waiters::new(),
                heard,
            }))
        })
    }

    /// Returns the kind of domain.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the limits in force.
    pub(crate) fn limits(&self) -> Limits {
        self.tunables
            .limits(self.most(), self.floor_bound.load(Relaxed))
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
        let added = self.added.pages.load(Relaxed);
        toolstack::most(self.ceiling.load(Relaxed), self.adder, added)
    }

    /// Returns who adds memory that the domain did not boot with.
    pub(crate) fn adder(&self) -> Adder {
        self.adder
    }

    /// Shows `f` the domain and what is held, while no step is under way.
    ///
    /// Context: may sleep.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&View, &Holes) -> R) -> R {
        let inner = self.inner.lock();
        f(&self.view(&inner), &inner.holes)
    }

    /// Shows the engine the domain.
    fn view(&self, inner: &Inner) -> View {
        let builtin = builtin::stats();

        View {
            now_ms: self.start.elapsed().as_millis() as u64,
            // Of a block that was added more may be there than the toolstack allows.
            target: match self.added.pages.load(Relaxed) {
                0 => self.asked(),
                _ => self.asked().min(self.most()),
            },
            current: (builtin.current as u64).saturating_sub(inner.holes.pages() as u64),
            held_huge: inner.holes.count(Order::Huge) as u64,
            held_base: inner.holes.count(Order::Base) as u64,
            reserve: toolstack::reserve(&builtin, self.ceiling.load(Relaxed), self.adder),
            available: memory::available_pages() as u64,
            free: memory::free_pages() as u64,
        }
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

impl Balloon {
    /// Hears what there is to be heard, and returns whether the toolstack asks for a size.
    fn hear(&self, inner: &mut Inner) -> bool {
        if self.reread_ceiling.xchg(false, Relaxed) {
            self.read_ceiling();
            self.changed.store(true, Relaxed);
        }
        let mut asked_anew = false;
        if self.reread.xchg(false, Relaxed) {
            asked_anew = self.read_target();
            inner.news.arrived();
            self.changed.store(true, Relaxed);
        }
        if self.changed.xchg(false, Relaxed) {
            inner.engine.wake();
            inner.lowest = Lowest::new(self.current());
        }
        self.collect(inner);
        let bound = inner.lowest.bound(self.current(), self.asked());
        self.floor_bound.store(bound, Relaxed);
        asked_anew
    }

    /// Has the engine decide what to do.
    fn decide(&self, inner: &mut Inner, asked_anew: bool) -> Action {
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
            self.tell_most(&view);
        }
        let action = inner.engine.next(&view);
        if !matches!(action, Action::Borrow { .. }) {
            self.builtin.freeze();
        }
        action
    }

    /// Tells others what has come of an action. `news` is what had been announced before.
    fn tell(&self, inner: &Inner, action: Action, news: u64, settled: bool) {
        let stuck = matches!(action, Action::Borrow { recheck_ms, .. } if recheck_ms >= STUCK_MS);
        self.look_offline(inner, stuck);
        self.publish(inner, &self.view(inner));
        self.waiters.publish(Place {
            news,
            target: self.target(),
            current: self.current(),
            settled,
        });
    }
}

impl Task for Balloon {
    fn step(&self) -> Option<Msecs> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if !self.is_known(inner) {
            return Some(HEARD_POLL_MS);
        }
        let news = self.waiters.news();

        let asked_anew = self.hear(inner);
        let heard = inner.news.is_heard(&self.barrier);
        let _stretch = Stretch::begin();
        let action = self.decide(inner, asked_anew);
        let mut next = self.carry_out(inner, action);
        let reached = matches!(action, Action::Watch { .. } | Action::Rest);
        let settled = reached && inner.news.reached(&self.barrier, heard);
        if reached && !settled {
            next = Some(HEARD_POLL_MS);
        }
        self.tell(inner, action, news, settled);
        next
    }
}
