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

use crate::law::Law;
use crate::subject::Subject;
use balloon_engine::engine::{Action, HUGE_PAGES, Limits, Outcome, Tuning, Unit, View};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Pages of a domain that the guest does not count.
pub const UNSEEN: u64 = 16;

/// How many pages of a broken 2 MiB extent the hypervisor has taken before it stopped.
const BROKEN: u64 = 100;

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
    /// Pages that the built-in driver may return.
    pub lent: u64,
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

impl<E: Subject> Guest<E> {
    fn new<const N: usize>(scene: &Scene<N>, (current, target, reserve): (u64, u64, u64)) -> Self {
        let held = scene.most - current - reserve;
        Self {
            engine: Some(E::new(scene.limits, scene.tuning)),
            alive: true,
            suspended: false,
            hung: false,
            target,
            asked: target,
            told: false,
            max: target + scene.headroom + UNSEEN,
            total: current + UNSEEN,
            current,
            held_huge: held / HUGE_PAGES,
            held_base: held % HUGE_PAGES,
            reserve,
            lent: 0,
            used: scene.wants[0],
            want: scene.wants[0],
            need: 0,
            oom_at: None,
            scattered: false,
            now_ms: 0,
            plan: Plan::Ready,
            flight: Flight::None,
        }
    }

    /// Returns what is held.
    pub fn held(&self) -> u64 {
        self.held_huge * HUGE_PAGES + self.held_base
    }

    /// Returns all there is, whoever has it.
    pub fn all(&self) -> u64 {
        self.current + self.held() + self.reserve
    }

    /// Returns what could be allocated.
    pub fn available(&self) -> u64 {
        let taken = match self.flight {
            Flight::Take { unit, got, .. } => got * unit.pages(),
            _ => 0,
        };
        self.current.saturating_sub(self.used + taken)
    }

    /// Returns whether its worker can do anything.
    pub fn works(&self) -> bool {
        self.alive && !self.suspended && !self.hung && self.engine.is_some()
    }

    /// Returns the size that the target comes to, within `limits` and what there is. The engine's
    /// word is not taken for it.
    pub fn ordered(&self, limits: &Limits) -> u64 {
        self.asked.max(limits.floor).min(self.all())
    }

    /// Shows the guest to its engine. Caches are not modelled: what is available is free.
    pub fn view(&self) -> View {
        View {
            now_ms: self.now_ms,
            target: self.asked,
            current: self.current,
            held_huge: self.held_huge,
            held_base: self.held_base,
            reserve: self.reserve,
            available: self.available(),
            free: self.available(),
        }
    }

    /// Programs take what they want, as far as there is some, and give back what they do not.
    pub fn allocate(&mut self) {
        self.used = self.want.min(self.used + self.available());
    }

    /// A program is out of memory: it asks for relief, and is killed if that did not help.
    pub fn out_of_memory(&mut self, killed: u64) {
        if self.oom_at == Some(self.current) {
            self.want = killed;
            self.oom_at = None;
        } else {
            self.oom_at = Some(self.current);
            self.need = self.want - self.used;
            self.plan = Plan::Ready;
        }
    }

    fn sleep(&mut self, delay: Option<u32>) {
        self.plan = delay.map_or(Plan::Ready, Plan::Asleep);
    }

    fn wake(&mut self) {
        self.told = true;
        self.plan = Plan::Ready;
    }
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

    /// Lists what can happen.
    pub fn list(&self, scene: &Scene<N>, events: &mut Vec<Event>) {
        for (i, guest) in self.guests.iter().enumerate() {
            if !guest.alive {
                continue;
            }
            if guest.suspended {
                events.push(Event::Resume(i));
                continue;
            }
            if guest.works() {
                self.list_steps(i, guest, events);
            }
            if guest.want > guest.used && guest.need == 0 && guest.available() == 0 {
                events.push(Event::OutOfMemory(i));
            }
            if guest.total <= guest.target + scene.headroom + UNSEEN
                && guest.max > guest.target + scene.headroom + UNSEEN
            {
                events.push(Event::Settle(i));
            }
            if guest.engine.is_none() {
                events.push(Event::Load(i));
            }
        }
        if self.events > 0 {
            for kind in scene.kinds {
                self.list_events(scene, *kind, events);
            }
        }
    }

    fn list_steps(&self, i: usize, guest: &Guest<E>, events: &mut Vec<Event>) {
        if guest.lent > 0 {
            events.push(Event::Return(i, Fault::None));
            if self.faults > 0 {
                events.push(Event::Return(i, Fault::Half));
            }
        }
        let faults: &[Fault] = match guest.flight {
            Flight::None => {
                match guest.plan {
                    Plan::Ready => events.push(Event::Decide(i)),
                    Plan::Asleep(_) => events.push(Event::Timer(i)),
                    Plan::Resting => {}
                }
                return;
            }
            Flight::Take { got: 0, .. } => &[],
            Flight::Take {
                unit: Unit::Huge, ..
            } => &[Fault::FewerRuns, Fault::Nothing, Fault::Broken],
            Flight::Take { .. } => &[Fault::FewerRuns, Fault::Half],
            Flight::Give { .. } => &[Fault::Nothing, Fault::Half],
        };
        events.push(Event::Finish(i, Fault::None));
        if self.faults > 0 {
            events.extend(faults.iter().map(|fault| Event::Finish(i, *fault)));
        }
    }

    fn list_events(&self, scene: &Scene<N>, kind: Kind, events: &mut Vec<Event>) {
        match kind {
            Kind::Reserve if self.reserved == 0 && self.unpromised(scene) >= HUGE_PAGES => {
                events.push(Event::Reserve(HUGE_PAGES));
            }
            Kind::HostScatter => events.push(Event::HostScatter),
            _ => {}
        }
        for (i, guest) in self.guests.iter().enumerate() {
            if guest.alive && (!guest.suspended || kind == Kind::Target) {
                self.list_guest(scene, kind, i, events);
            }
        }
    }

    fn list_guest(&self, scene: &Scene<N>, kind: Kind, i: usize, events: &mut Vec<Event>) {
        let guest = &self.guests[i];
        let idle = guest.flight == Flight::None;
        match kind {
            Kind::Target => events.extend(
                scene
                    .targets
                    .iter()
                    .filter(|t| **t != guest.target && self.affordable(scene, guest, **t))
                    .map(|t| Event::Target(i, *t)),
            ),
            Kind::Want => events.extend(
                scene
                    .wants
                    .iter()
                    .filter(|want| **want != guest.want)
                    .map(|want| Event::Want(i, *want)),
            ),
            Kind::Scatter => events.push(Event::Scatter(i)),
            Kind::Die => events.push(Event::Die(i)),
            Kind::Suspend => events.push(Event::Suspend(i)),
            Kind::Hang if !guest.hung => events.push(Event::Hang(i)),
            Kind::Unload if idle && guest.works() => events.push(Event::Unload(i)),
            _ => {}
        }
    }

    /// Returns whether the toolstack may write that target: a guest is told to grow only after
    /// others have shrunk.
    fn affordable(&self, scene: &Scene<N>, guest: &Guest<E>, target: u64) -> bool {
        let (low, high) = scene.dynamic;
        let more = (target + scene.headroom + UNSEEN).saturating_sub(guest.max);

        match scene.flaw {
            Flaw::Eager => true,
            Flaw::OutOfRange => more <= self.unpromised(scene),
            _ => (low..=high).contains(&target) && more <= self.unpromised(scene),
        }
    }

    /// Does what `event` says.
    pub fn apply(&mut self, scene: &Scene<N>, event: Event) {
        match event {
            Event::Decide(i) => self.decide(scene, i),
            Event::Finish(i, fault) => {
                self.faults -= u8::from(fault != Fault::None);
                self.finish(scene, i, fault);
            }
            Event::Return(i, fault) => {
                self.faults -= u8::from(fault != Fault::None);
                self.give_lent(i, fault);
            }
            Event::Timer(i) => {
                let guest = &mut self.guests[i];
                if let Plan::Asleep(ms) = guest.plan {
                    // Timers may be late. Whole seconds leave fewer states.
                    guest.now_ms = (guest.now_ms + u64::from(ms)).next_multiple_of(1000);
                }
                guest.plan = Plan::Ready;
            }
            Event::OutOfMemory(i) => self.guests[i].out_of_memory(scene.wants[0]),
            Event::Settle(i) => {
                let guest = &mut self.guests[i];
                guest.max = guest.target + scene.headroom + UNSEEN;
            }
            Event::Resume(i) => self.resume(scene, i),
            Event::Load(i) => {
                let guest = &mut self.guests[i];
                guest.engine = Some(E::new(scene.limits, scene.tuning));
                guest.asked = guest.target;
                guest.plan = Plan::Ready;
            }
            _ => {
                self.events -= 1;
                self.disturb(scene, event);
            }
        }
        for guest in &mut self.guests {
            guest.allocate();
        }
    }

    fn disturb(&mut self, scene: &Scene<N>, event: Event) {
        match event {
            Event::Target(i, target) => {
                let guest = &mut self.guests[i];
                guest.target = target;
                guest.max = guest.max.max(target + scene.headroom + UNSEEN);
                guest.wake();
            }
            Event::Reserve(pages) => self.reserved += pages,
            Event::Want(i, want) => {
                self.guests[i].want = want;
                self.guests[i].oom_at = None;
            }
            Event::Scatter(i) => self.guests[i].scattered ^= true,
            Event::HostScatter => self.scattered ^= true,
            Event::Die(i) => self.die(scene, i),
            Event::Suspend(i) => self.guests[i].suspended = true,
            Event::Hang(i) => self.guests[i].hung = true,
            Event::Unload(i) => self.unload(scene, i),
            _ => {}
        }
    }

    fn die(&mut self, scene: &Scene<N>, i: usize) {
        let guest = &mut self.guests[i];
        if scene.flaw != Flaw::LostWithTheDomain {
            self.free += guest.total;
        }
        // What is left of it is the same for all dead guests.
        let start = (scene.most, scene.most, 0);
        *guest = Guest {
            alive: false,
            engine: None,
            total: 0,
            max: 0,
            current: 0,
            want: 0,
            used: 0,
            ..Guest::new(scene, start)
        };
    }

    /// The domain runs on, perhaps elsewhere: there, no 2 MiB extents are left of it.
    fn resume(&mut self, scene: &Scene<N>, i: usize) {
        let guest = &mut self.guests[i];
        guest.suspended = false;
        self.scattered = true;
        if scene.flaw == Flaw::DeafAfterResume {
            guest.told = false;
        } else {
            guest.wake();
        }
    }

    fn unload(&mut self, scene: &Scene<N>, i: usize) {
        let guest = &mut self.guests[i];
        if scene.flaw != Flaw::ForgetsHeld {
            guest.reserve += guest.held();
        }
        guest.held_huge = 0;
        guest.held_base = 0;
        guest.engine = None;
        guest.lent = 0;
        guest.need = 0;
        guest.now_ms = 0;
        guest.plan = Plan::Resting;
    }

    /// `Balloon::step()` up to the hypercall.
    pub fn decide(&mut self, scene: &Scene<N>, i: usize) {
        let guest = &mut self.guests[i];
        let Some(mut engine) = guest.engine else {
            return;
        };
        if std::mem::take(&mut guest.told) {
            guest.asked = guest.target;
            engine.wake();
        }
        if guest.need > 0 {
            engine.relieve(&guest.view(), guest.need);
            guest.need = 0;
        }
        let view = guest.view();
        let action = engine.next(&view);
        guest.engine = Some(engine);
        self.broken |= judge(scene, guest, &engine, action);

        guest.lent = 0;
        match action {
            Action::Take { unit, runs } => {
                let there = match unit {
                    Unit::Huge if guest.scattered => 0,
                    _ => view.available / unit.pages(),
                };
                let got = runs.min(there);
                guest.flight = Flight::Take { unit, runs, got };
            }
            Action::Give { unit, runs } => guest.flight = Flight::Give { unit, runs },
            Action::Split => {
                guest.held_huge -= 1;
                guest.held_base += HUGE_PAGES;
            }
            Action::Borrow { pages, recheck_ms } => {
                guest.lent = pages;
                guest.plan = Plan::Asleep(recheck_ms);
            }
            Action::Wait { delay_ms } | Action::Watch { delay_ms } => {
                guest.plan = Plan::Asleep(delay_ms);
            }
            Action::Rest => guest.plan = Plan::Resting,
        }
        guest.forget_time(scene);
    }

    /// `Balloon::take()` and `give()` from the hypercall on.
    pub fn finish(&mut self, scene: &Scene<N>, i: usize, fault: Fault) {
        let flight = std::mem::replace(&mut self.guests[i].flight, Flight::None);
        let outcome = match flight {
            Flight::None => return,
            Flight::Take { unit, runs, got } => self.surrender(scene, i, (unit, runs, got), fault),
            Flight::Give { unit, runs } => self.reclaim(i, (unit, runs), fault),
        };
        let guest = &mut self.guests[i];
        let pages = match outcome {
            Outcome::Took { pages, .. } | Outcome::Gave { pages, .. } => pages,
        };
        if pages > 0 {
            // There is something else to be short of.
            guest.oom_at = None;
        }
        if let Some(engine) = &mut guest.engine {
            let delay = engine.done(outcome);
            // Who was woken in the meantime goes on at once.
            if !guest.told && guest.need == 0 {
                guest.sleep(delay);
            }
        }
    }

    fn surrender(
        &mut self,
        scene: &Scene<N>,
        i: usize,
        (unit, runs, got): (Unit, u64, u64),
        fault: Fault,
    ) -> Outcome {
        let guest = &mut self.guests[i];
        let got = if fault == Fault::FewerRuns {
            got / 2
        } else {
            got
        };
        let (whole, single) = match fault {
            Fault::Nothing => (0, 0),
            Fault::Half => (got / 2, 0),
            Fault::Broken => (got / 2, BROKEN),
            Fault::None | Fault::FewerRuns => (got, 0),
        };
        let pages = whole * unit.pages() + single;
        guest.total -= pages;
        self.free += pages;

        let counted = if scene.flaw == Flaw::ShortIsFull {
            (got, 0)
        } else {
            (whole, single)
        };
        match unit {
            Unit::Huge => guest.held_huge += counted.0,
            Unit::Base => guest.held_base += counted.0,
        }
        guest.held_base += counted.1;
        guest.current -= counted.0 * unit.pages() + counted.1;
        Outcome::Took {
            unit,
            pages,
            short: got < runs || pages == 0,
        }
    }

    fn reclaim(&mut self, i: usize, (unit, runs): (Unit, u64), fault: Fault) -> Outcome {
        let scattered = self.scattered && unit == Unit::Huge;
        let room = self.room(i) / unit.pages();
        let guest = &mut self.guests[i];
        let done = match fault {
            Fault::Nothing => 0,
            Fault::Half => runs.min(room) / 2,
            _ if scattered => 0,
            _ => runs.min(room),
        };
        let pages = done * unit.pages();
        match unit {
            Unit::Huge => guest.held_huge -= done,
            Unit::Base => guest.held_base -= done,
        }
        guest.total += pages;
        guest.current += pages;
        self.free -= pages;
        Outcome::Gave {
            unit,
            pages,
            short: done < runs,
        }
    }

    /// The built-in driver returns what it may.
    pub fn give_lent(&mut self, i: usize, fault: Fault) {
        let room = self.room(i);
        let guest = &mut self.guests[i];
        let lent = if fault == Fault::Half {
            guest.lent / 2
        } else {
            guest.lent
        };
        let pages = lent.min(room).min(guest.reserve);
        guest.lent = 0;
        guest.reserve -= pages;
        guest.current += pages;
        guest.total += pages;
        self.free -= pages;
    }

    /// Returns what the host would populate for a domain.
    fn room(&self, i: usize) -> u64 {
        let guest = &self.guests[i];
        guest.max.saturating_sub(guest.total).min(self.free)
    }

    /// Puts the guests in some order: which is which does not matter.
    pub fn sort(&mut self) {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        self.guests
            .sort_by_cached_key(|guest| hasher.hash_one(guest));
    }
}

impl<E: Subject> Guest<E> {
    /// Sets the clock back where the engine remembers no time, and stops it where none that it can
    /// remember is later.
    fn forget_time<const N: usize>(&mut self, scene: &Scene<N>) {
        let relieved = self.engine.is_some_and(|engine| engine.relief().is_some());
        if !relieved && !scene.tuning.auto_return {
            self.now_ms = 0;
        }
        self.now_ms = self.now_ms.min(scene.until_ms);
    }
}

/// Returns the laws that this decision breaks.
fn judge<E: Subject, const N: usize>(
    scene: &Scene<N>,
    guest: &Guest<E>,
    engine: &E,
    action: Action,
) -> u32 {
    let view = guest.view();
    let limits = &scene.limits;
    let ordered = guest.ordered(limits);
    let relieved = engine.relief().is_some();
    let aimed = engine.effective_target(&view);
    let mut broken = 0;
    let mut law = |law: Law, kept: bool| {
        if !kept {
            broken |= law.bit();
        }
    };

    law(
        Law::S9,
        (limits.floor.min(guest.all())..=guest.all()).contains(&aimed),
    );
    law(Law::S12, guest.asked == guest.target);
    match action {
        Action::Take { unit, runs } => {
            let pages = runs * unit.pages();
            law(
                Law::S5,
                guest.current >= limits.floor + pages && view.available >= limits.reserve + pages,
            );
            law(Law::L4, runs > 0);
            law(
                Law::S12,
                scene.tuning.auto_return || guest.current >= ordered + pages,
            );
        }
        Action::Give { unit, runs } => {
            let most = if relieved {
                ordered.saturating_add(scene.tuning.relief).min(guest.all())
            } else {
                ordered
            };
            law(Law::S3, guest.current + runs * unit.pages() <= most);
            law(Law::L4, runs > 0);
            let held = match unit {
                Unit::Huge => guest.held_huge,
                Unit::Base => guest.held_base,
            };
            law(Law::S4, runs <= held);
            law(Law::S12, relieved || guest.current < ordered);
        }
        Action::Split => law(Law::S4, guest.held_huge > 0),
        Action::Borrow { pages, recheck_ms } => {
            law(Law::S4, pages <= guest.reserve);
            law(Law::L4, recheck_ms <= 1000);
        }
        Action::Wait { delay_ms } => law(Law::L4, delay_ms <= 1000),
        Action::Watch { .. } | Action::Rest => law(
            Law::S12,
            relieved || scene.tuning.auto_return || guest.current == ordered,
        ),
    }
    broken
}
