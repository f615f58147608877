// SPDX-License-Identifier: GPL-2.0

//! The drivers' steps, and what the hypervisor makes of them.

use super::judgement::judge;
use super::{Fault, Flaw, Flight, House, Plan, Scene};
use crate::subject::Subject;
use balloon_engine::engine::{Action, HUGE_PAGES, Outcome, Unit};

/// How many pages of a broken 2 MiB extent the hypervisor has taken before it stopped.
const BROKEN: u64 = 100;

/// How often the driver looks whether the built-in one has heard of the target, in milliseconds.
const HEARD_POLL_MS: u32 = 10;

impl<E: Subject, const N: usize> House<E, N> {
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

        if !matches!(action, Action::Borrow { .. }) {
            (guest.lent, guest.refused) = (0, 0);
        }
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
                let again = guest.lent == pages && scene.flaw != Flaw::SameAgain;
                guest.lent = pages.saturating_sub(again.into());
                guest.plan = Plan::Asleep(recheck_ms);
            }
            Action::Watch { .. } | Action::Rest
                if guest.unheard && scene.flaw != Flaw::RestsUnheard =>
            {
                guest.plan = Plan::Asleep(HEARD_POLL_MS);
            }
            Action::Wait { delay_ms } | Action::Watch { delay_ms } => {
                guest.plan = Plan::Asleep(delay_ms);
            }
            Action::Rest => guest.plan = Plan::Resting,
        }
        guest.forget_time(scene);
    }

    /// `Balloon::take()` and `give()` from the hypercall on. What is in hand to be surrendered goes to
    /// a program that is out of memory.
    pub fn finish(&mut self, scene: &Scene<N>, i: usize, fault: Fault) {
        let flight = std::mem::replace(&mut self.guests[i].flight, Flight::None);
        let outcome = match flight {
            Flight::None => return,
            Flight::Take { .. } if self.guests[i].need > 0 => {
                self.guests[i].oom_at = None;
                return;
            }
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

    /// The built-in driver returns what it may, unless it was refused just that; what it does not get
    /// it was refused.
    pub fn give_lent(&mut self, i: usize, fault: Fault) {
        let room = self.room(i);
        let guest = &mut self.guests[i];
        if guest.lent == guest.refused {
            return;
        }
        let lent = if fault == Fault::Half {
            guest.lent / 2
        } else {
            guest.lent
        };
        let pages = lent.min(room).min(guest.reserve);
        guest.lent -= pages;
        guest.refused = guest.lent;
        guest.reserve -= pages;
        guest.current += pages;
        guest.total += pages;
        self.free -= pages;
    }

    /// The built-in driver hears of the target. What the module holds is there as far as it knows: it
    /// takes what is beyond the target, a 2 MiB run before it is stopped.
    pub fn hear(&mut self, i: usize) {
        let guest = &mut self.guests[i];
        let beyond = (guest.current + guest.held()).saturating_sub(guest.target);
        let pages = beyond.min(HUGE_PAGES).min(guest.available());
        guest.unheard = false;
        guest.current -= pages;
        guest.total -= pages;
        guest.reserve += pages;
        self.free += pages;
    }

    /// Returns what the host would populate for a domain.
    fn room(&self, i: usize) -> u64 {
        let guest = &self.guests[i];
        guest.max.saturating_sub(guest.total).min(self.free)
    }
}
