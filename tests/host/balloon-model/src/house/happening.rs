// SPDX-License-Identifier: GPL-2.0

//! What happens, but for the drivers' steps.

use super::{Event, Fault, Flaw, Guest, House, Plan, Scene, UNSEEN};
use crate::subject::Subject;

impl<E: Subject, const N: usize> House<E, N> {
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
            Event::Hear(i) => self.hear(i),
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
                guest.unheard = scene.late;
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
        guest.unheard = scene.late;
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
        guest.refused = 0;
        guest.need = 0;
        guest.now_ms = 0;
        guest.plan = Plan::Resting;
    }
}
