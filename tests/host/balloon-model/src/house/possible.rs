// SPDX-License-Identifier: GPL-2.0

//! What can happen next.

use super::{Event, Fault, Flaw, Flight, Guest, House, Kind, Plan, Scene, UNSEEN};
use crate::subject::Subject;
use balloon_engine::engine::{HUGE_PAGES, Unit};

impl<E: Subject, const N: usize> House<E, N> {
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
            if guest.unheard {
                events.push(Event::Hear(i));
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
        if guest.lent != guest.refused {
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
}
