// SPDX-License-Identifier: GPL-2.0

//! What becomes of a state if nothing happens any more and no call goes wrong.
//!
//! Without disturbance the guests are deterministic, so one run from each state decides what must
//! come about in the end. Clocks go on without bound here.

use crate::house::{Fault, Flight, House, Plan, Scene, UNSEEN};
use crate::law::Law;
use crate::subject::Subject;

/// Within so many milliseconds memory moves that can.
const PROGRESS_MS: u64 = 2000;

/// In so many milliseconds without progress a worker looks no more than [`LOOKS`] times.
const WINDOW_MS: u64 = 2000;
const LOOKS: u32 = 10;

/// After so long without progress the toolstack reports that a guest does not follow.
const INACTIVE_MS: u64 = 5000;

/// The direction changes so often at the most.
const TURNS: u32 = 4;

/// By then the built-in drivers have heard of their targets.
const HEARD_MS: u64 = 50;

/// A program comes and goes after so many milliseconds each.
const PULSE_MS: u64 = 700;

/// For how long a state is looked at; with programs that come and go.
const SPAN_MS: u64 = 12_000;
const SPAN_PULSE_MS: u64 = 60_000;

/// What was seen of a guest.
#[derive(Clone, Copy, Default)]
struct Seen {
    first_ms: Option<u64>,
    last_ms: u64,
    upwards: Option<bool>,
    turns: u32,
    looks: u32,
    window_ms: u64,
    promised: Option<(u64, u64)>,
}

/// A run.
#[derive(Clone)]
struct Run<'a, E, const N: usize> {
    house: House<E, N>,
    scene: &'a Scene<N>,
    now_ms: u64,
    seen: [Seen; N],
    spun: bool,
    betrayed: bool,
}

/// Returns which of the laws in the set `asked` do not hold from `house` on.
pub fn broken<E: Subject, const N: usize>(
    house: &House<E, N>,
    scene: &Scene<N>,
    asked: u32,
) -> u32 {
    let is_asked = |law: Law| asked & law.bit() != 0;
    let start = Run::new(house, scene);
    let mut kept = 0;
    let mut keep = |law: Law, holds: bool| kept |= if holds { law.bit() } else { 0 };

    if is_asked(Law::L2) {
        let mut run = start.clone();
        run.go(PROGRESS_MS, false);
        let moved = |i: usize| {
            let guest = &start.house.guests[i];
            let quiet = guest.need == 0 && guest.engine.is_some_and(|e| e.relief().is_none());
            !quiet || run.reached(&start.house, i) || run.seen[i].first_ms.is_some()
        };
        keep(Law::L2, (0..N).all(moved));
    }
    if is_asked(Law::L3) {
        let mut run = start.clone();
        run.go(SPAN_PULSE_MS, true);
        keep(Law::L3, run.seen.iter().all(|seen| seen.turns <= TURNS));
    }
    if [Law::L1, Law::L4, Law::L5].into_iter().any(is_asked) {
        let mut run = start;
        run.go(SPAN_MS, false);
        keep(Law::L1, (0..N).all(|i| run.reached(&run.house, i)));
        keep(Law::L4, !run.spun && run.house.broken & Law::L4.bit() == 0);
        keep(Law::L5, !run.betrayed && (0..N).all(|i| run.answered(i)));
    }
    asked & !kept
}

impl<'a, E: Subject, const N: usize> Run<'a, E, N> {
    fn new(house: &House<E, N>, scene: &'a Scene<N>) -> Self {
        let mut house = *house;
        for guest in house.guests.iter_mut().filter(|guest| guest.suspended) {
            guest.suspended = false;
            guest.told = true;
            guest.plan = Plan::Ready;
        }
        Self {
            house,
            scene,
            now_ms: 0,
            seen: [Seen::default(); N],
            spun: false,
            betrayed: false,
        }
    }

    /// Goes on for `span_ms`, or until nobody will do anything any more.
    fn go(&mut self, span_ms: u64, pulse: bool) {
        let mut pulse_ms = PULSE_MS;
        let mut on = false;
        // What the built-in drivers have been told they do at once.
        for i in 0..N {
            let before = self.house.guests[i].current;
            if !self.house.guests[i].works() {
                continue;
            }
            self.house.give_lent(i, Fault::None);
            self.note(i, before);
        }

        while self.now_ms <= span_ms && !self.spun {
            let busy = (0..N).filter(|i| self.turn(*i)).count() > 0;
            if busy {
                continue;
            }
            let timer = self
                .house
                .guests
                .iter()
                .filter_map(|guest| match guest.plan {
                    Plan::Asleep(ms) if guest.works() => Some(u64::from(ms)),
                    _ => None,
                });
            let unheard = self.house.guests.iter().any(|guest| guest.unheard);
            let next = timer
                .chain(pulse.then(|| pulse_ms - self.now_ms))
                .chain(unheard.then(|| HEARD_MS - self.now_ms))
                .min();
            let Some(ms) = next else { return };
            self.wait(ms);
            if unheard && self.now_ms == HEARD_MS {
                self.hear_targets();
            }
            if pulse && self.now_ms == pulse_ms {
                pulse_ms += PULSE_MS;
                on = !on;
                self.pulse(on);
            }
        }
    }

    /// The built-in drivers hear of their targets.
    fn hear_targets(&mut self) {
        for i in 0..N {
            let before = self.house.guests[i].current;
            self.house.hear(i);
            self.note(i, before);
        }
    }

    /// A program in each guest comes, or goes.
    fn pulse(&mut self, on: bool) {
        let pages = 2 * self.scene.limits.reserve;
        for guest in &mut self.house.guests {
            let less = guest.want.saturating_sub(pages);
            guest.want = if on { guest.want + pages } else { less };
            guest.allocate();
        }
    }

    /// Lets `ms` pass.
    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        for guest in &mut self.house.guests {
            guest.now_ms += ms;
            if let Plan::Asleep(left) = guest.plan {
                let left = u64::from(left) - ms.min(u64::from(left));
                guest.plan = match u32::try_from(left) {
                    Ok(left @ 1..) => Plan::Asleep(left),
                    _ => Plan::Ready,
                };
            }
        }
    }

    /// Does a step of a guest's, if there is one to do.
    fn turn(&mut self, i: usize) -> bool {
        let guest = &mut self.house.guests[i];
        guest.allocate();
        if guest.alive && guest.want > guest.used && guest.need == 0 && guest.available() == 0 {
            guest.out_of_memory(self.scene.wants[0]);
            guest.allocate();
        }
        if !guest.works() || (guest.plan != Plan::Ready && guest.flight == Flight::None) {
            return false;
        }
        let before = guest.current;
        if guest.flight == Flight::None {
            self.hear(i);
            let now_ms = self.house.guests[i].now_ms;
            self.house.decide(self.scene, i);
            self.house.guests[i].now_ms = now_ms;
        }
        self.house.finish(self.scene, i, Fault::None);
        self.house.give_lent(i, Fault::None);
        self.note(i, before);
        true
    }

    /// Remembers what relief is about to be promised.
    fn hear(&mut self, i: usize) {
        let guest = &self.house.guests[i];
        let Some(mut engine) = guest.engine else {
            return;
        };
        if guest.need == 0 {
            return;
        }
        let mut view = guest.view();
        if guest.told {
            view.target = guest.target;
        }
        let more = engine.relieve(&view, guest.need);
        let size = (guest.current + more).min(guest.max.saturating_sub(UNSEEN));
        if more > 0 {
            self.seen[i].promised = Some((size, self.now_ms + PROGRESS_MS));
        }
    }

    /// Notes what a step has done.
    fn note(&mut self, i: usize, before: u64) {
        let guest = &self.house.guests[i];
        let seen = &mut self.seen[i];
        if guest.current != before {
            let upwards = guest.current > before;
            seen.turns += u32::from(seen.upwards.is_some_and(|was| was != upwards));
            seen.upwards = Some(upwards);
            seen.first_ms.get_or_insert(self.now_ms);
            seen.last_ms = self.now_ms;
        }
        if guest.current != before || self.now_ms >= seen.window_ms + WINDOW_MS {
            seen.looks = 0;
            seen.window_ms = self.now_ms;
        }
        seen.looks += 1;
        self.spun |= seen.looks > LOOKS;
        if let Some((size, until_ms)) = seen.promised {
            if guest.current >= size {
                seen.promised = None;
            } else {
                self.betrayed |= self.now_ms > until_ms;
            }
        }
    }

    /// Returns whether a guest is where it was to go, or cannot be.
    fn reached(&self, house: &House<E, N>, i: usize) -> bool {
        let guest = &house.guests[i];
        let limits = &self.scene.limits;
        let ordered = guest.target.max(limits.floor).min(guest.all());
        // A relief stays where the guest would not keep twice its reserve.
        let feasible = guest.works() && guest.want + 2 * limits.reserve <= ordered;

        !feasible || guest.current == ordered || self.scene.tuning.auto_return
    }

    /// Returns whether the toolstack has an answer for what it asked of a guest.
    fn answered(&self, i: usize) -> bool {
        let quiet_ms = self.now_ms - self.seen[i].last_ms;
        let guest = &self.house.guests[i];
        let late = self.seen[i]
            .promised
            .is_some_and(|(_, until)| self.now_ms > until);

        !late
            && self.reached(&self.house, i)
            && (guest.plan == Plan::Resting || !guest.works() || quiet_ms >= INACTIVE_MS)
    }
}
