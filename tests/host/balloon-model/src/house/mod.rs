// SPDX-License-Identifier: GPL-2.0

//! Xen, a toolstack and `N` guests, as a system of states.
//!
//! ```text
//! toolstack ─ target ─▶ guest: driver ─ View ─▶ engine
//!     │                   │     ▲────── Action ───┘
//!     └─ maxmem ─▶ Xen ◀──┘ decrease, populate: all, part, or nothing
//! ```
//!
//! A guest's step is two transitions, [`Event::Decide`] and [`Event::Finish`]: anything may happen
//! between. Each transition is atomic. Sizes are in pages.

mod driver;
mod guest;
mod happening;
mod judgement;
mod possible;

use crate::law::Law;
use crate::subject::Subject;
use balloon_engine::engine::{Limits, Tuning, Unit};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Pages of a domain that the guest does not count.
pub const UNSEEN: u64 = 16;

/// When a guest's worker runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// Now.
    Ready,
    /// After so many milliseconds, or when woken.
    Asleep(u32),
    /// When woken.
    Resting,
}

/// What a guest is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    /// Nothing.
    None,
    /// `got` runs are allocated, of `runs` asked for, and not surrendered yet.
    Take {
        /// Size of each run.
        unit: Unit,
        /// How many the engine asked for.
        runs: u64,
        /// How many there are.
        got: u64,
    },
    /// `runs` runs are to be populated.
    Give {
        /// Size of each run.
        unit: Unit,
        /// How many the engine asked for.
        runs: u64,
    },
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It does not.
    None,
    /// The allocator has half.
    FewerRuns,
    /// The hypervisor does nothing.
    Nothing,
    /// The hypervisor does half.
    Half,
    /// The hypervisor does half and stops inside an extent.
    Broken,
}

/// A guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guest<E> {
    /// The module's engine, while it is loaded.
    pub engine: Option<E>,
    /// Whether the domain exists.
    pub alive: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether its worker has stopped for good.
    pub hung: bool,
    /// What is in `memory/target`.
    pub target: u64,
    /// Whether the built-in driver has yet to hear of it.
    pub unheard: bool,
    /// The target that the driver has read last.
    pub asked: u64,
    /// Whether the driver has been told to read it again.
    pub told: bool,
    /// What the host lets the domain have.
    pub max: u64,
    /// What the domain has, as the host counts.
    pub total: u64,
    /// What the domain has, as the guest counts.
    pub current: u64,
    /// 2 MiB runs held.
    pub held_huge: u64,
    /// Single pages held.
    pub held_base: u64,
    /// Pages that the built-in driver holds.
    pub reserve: u64,
    /// Pages that the built-in driver may return, and has not.
    pub lent: u64,
    /// At how many of those it was refused last: it does not try the same again.
    pub refused: u64,
    /// What programs use.
    pub used: u64,
    /// What programs want to use.
    pub want: u64,
    /// Pages that a program out of memory has asked for and the driver not heard of.
    pub need: u64,
    /// The domain's size when a program was last out of memory.
    pub oom_at: Option<u64>,
    /// Whether the allocator has no 2 MiB runs.
    pub scattered: bool,
    /// The guest's clock, as far as it matters.
    pub now_ms: u64,
    /// When its worker runs next.
    pub plan: Plan,
    /// What its worker is in the middle of.
    pub flight: Flight,
}

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct House<E, const N: usize> {
    /// The guests; which is which does not matter, so they are kept in some order.
    pub guests: [Guest<E>; N],
    /// What the host has free.
    pub free: u64,
    /// What the toolstack has set aside for domains to come.
    pub reserved: u64,
    /// Whether the host has no 2 MiB extents.
    pub scattered: bool,
    /// How much may yet happen.
    pub events: u8,
    /// How much may yet go wrong.
    pub faults: u8,
    /// Laws that a decision has broken.
    pub broken: u32,
}

/// Something wrong with what is around the engine, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// The host loses a dead domain's memory.
    LostWithTheDomain,
    /// The driver takes a short decrease for a full one; the built-in one panics.
    ShortIsFull,
    /// The toolstack raises targets without asking whether the host has the memory.
    Eager,
    /// The toolstack writes targets outside the domain's range.
    OutOfRange,
    /// Unloading forgets what is held.
    ForgetsHeld,
    /// The driver does not read the target again after a resume.
    DeafAfterResume,
    /// The driver asks the built-in one for the same again, which that does not hear.
    SameAgain,
    /// The driver rests before the built-in one has heard of the target.
    RestsUnheard,
}

/// What may happen besides the guests' steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The toolstack changes a target.
    Target,
    /// It sets memory aside.
    Reserve,
    /// Programs want more, or less.
    Want,
    /// The allocator loses its 2 MiB runs, or gets them back.
    Scatter,
    /// The host loses its 2 MiB extents, or gets them back.
    HostScatter,
    /// A domain dies.
    Die,
    /// A domain is suspended.
    Suspend,
    /// A worker stops for good.
    Hang,
    /// The module is unloaded.
    Unload,
}

/// Bounds and beginning of a search.
#[derive(Clone, Copy, Debug)]
pub struct Scene<const N: usize> {
    /// The engines' limits.
    pub limits: Limits,
    /// Their tuning.
    pub tuning: Tuning,
    /// What each guest is to begin with: its size, its target, its part of the rest that the
    /// built-in driver holds.
    pub start: [(u64, u64, u64); N],
    /// All that a guest can have.
    pub most: u64,
    /// Targets that the toolstack chooses from.
    pub targets: &'static [u64],
    /// Those that are within the dynamic range.
    pub dynamic: (u64, u64),
    /// What programs may want.
    pub wants: &'static [u64],
    /// What the host lets a domain have beyond its target.
    pub headroom: u64,
    /// What the host keeps.
    pub slush: u64,
    /// What it has besides, and has promised to nobody.
    pub spare: u64,
    /// What may happen.
    pub kinds: &'static [Kind],
    /// How much of it.
    pub events: u8,
    /// How many calls may go wrong.
    pub faults: u8,
    /// Up to when clocks go.
    pub until_ms: u64,
    /// Whether the built-in driver hears of a target after the module, at some time.
    pub late: bool,
    /// What is wrong.
    pub flaw: Flaw,
    /// What is checked.
    pub laws: &'static [Law],
}

/// A transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker looks, asks its engine and begins.
    Decide(usize),
    /// It finishes what it has begun.
    Finish(usize, Fault),
    /// Its time has come.
    Timer(usize),
    /// The built-in driver returns what it may, or tries to.
    Return(usize, Fault),
    /// The built-in driver hears of the target.
    Hear(usize),
    /// A program is out of memory.
    OutOfMemory(usize),
    /// The toolstack changes a target.
    Target(usize, u64),
    /// It lowers maxmem, now that the domain has shrunk.
    Settle(usize),
    /// It sets memory aside.
    Reserve(u64),
    /// Programs want so much.
    Want(usize, u64),
    /// See [`Kind::Scatter`].
    Scatter(usize),
    /// See [`Kind::HostScatter`].
    HostScatter,
    /// See [`Kind::Die`].
    Die(usize),
    /// See [`Kind::Suspend`].
    Suspend(usize),
    /// It runs on.
    Resume(usize),
    /// See [`Kind::Hang`].
    Hang(usize),
    /// See [`Kind::Unload`].
    Unload(usize),
    /// The module is loaded again.
    Load(usize),
}

impl<E: Subject, const N: usize> House<E, N> {
    /// Returns the state at the beginning.
    pub fn new(scene: &Scene<N>) -> Self {
        let guests = scene.start.map(|start| Guest::new(scene, start));
        let promised: u64 = guests.iter().map(|g| g.max - g.total).sum();
        Self {
            guests,
            free: scene.slush + scene.spare + promised,
            reserved: 0,
            scattered: false,
            events: scene.events,
            faults: scene.faults,
            broken: 0,
        }
    }

    /// Returns what the host has free and its domains have.
    pub fn everything(&self) -> u64 {
        self.free + self.guests.iter().map(|g| g.total).sum::<u64>()
    }

    /// Returns what the toolstack has not promised to anybody.
    fn unpromised(&self, scene: &Scene<N>) -> u64 {
        let promised: u64 = self
            .guests
            .iter()
            .map(|g| g.max.saturating_sub(g.total))
            .sum();
        self.free
            .saturating_sub(scene.slush + self.reserved + promised)
    }

    /// Puts the guests in some order: which is which does not matter.
    pub fn sort(&mut self) {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        self.guests
            .sort_by_cached_key(|guest| hasher.hash_one(guest));
    }
}
