// SPDX-License-Identifier: GPL-2.0

//! The exhaustive search.

use crate::calm;
use crate::house::{Event, Flight, House, Scene};
use crate::law::{LAWS, Law, Place};
use crate::subject::Subject;
use stateright::{Checker, Model, Property};
use std::marker::PhantomData;

/// The property that stands for all that is checked in [`calm`].
const CALM: &str = "calm";

/// A scene to search, with guests that run `E`.
#[derive(Clone, Copy, Debug)]
pub struct Search<E, const N: usize> {
    /// The scene.
    pub scene: Scene<N>,
    everything: u64,
    engine: PhantomData<fn() -> E>,
}

/// What a search has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// Transitions, the longest of the shortest ways to a state.
    pub depth: usize,
    /// For each law broken: the way there.
    pub broken: Vec<(Law, String)>,
    /// Which of the things that should come up did.
    pub seen: Vec<&'static str>,
}

/// Things that should come up, or a law may hold only because it is never put to the test.
pub const SIGHTS: [&str; 6] = [
    "suspended in the middle of a step",
    "relieved beyond the target",
    "a guest dead, another on its way",
    "a guest hung in the middle of a step",
    "asleep for the longest time",
    "an odd page of a broken extent held",
];

impl<E: Subject, const N: usize> Search<E, N> {
    /// Returns the search of a scene.
    pub fn new(scene: Scene<N>) -> Self {
        Self {
            scene,
            everything: House::<E, N>::new(&scene).everything(),
            engine: PhantomData,
        }
    }

    /// Searches until all is seen, or every law is found broken.
    pub fn run(self) -> Found {
        let checker = self.checker().spawn_bfs().join();
        let mut found = Found {
            states: checker.unique_state_count(),
            depth: checker.max_depth(),
            broken: Vec::new(),
            seen: Vec::new(),
        };
        for (name, path) in checker.discoveries() {
            let last = path.last_state();
            let law = LAWS.iter().find(|law| law.1 == name);
            let broken = match law {
                Some(law) => law.0.bit(),
                None if name == CALM => self.broken_in_the_end(last),
                None => 0,
            };
            if broken == 0 {
                found.seen.push(name);
                continue;
            }
            let way: Vec<_> = path.clone().into_actions();
            let told = format!("{way:#?}\n{last:#?}");
            let laws = LAWS.iter().map(|law| law.0);
            let laws = laws.filter(|law| broken & law.bit() != 0);
            found.broken.extend(laws.map(|law| (law, told.clone())));
        }
        found.broken.sort_by_key(|broken| broken.0);
        found
    }

    fn keeps(&self, house: &House<E, N>, law: Law) -> bool {
        let kept = house.broken & law.bit() == 0;
        let mut alive = house.guests.iter().filter(|guest| guest.alive);

        match law {
            Law::S1 => house.everything() == self.everything,
            Law::S3 => kept && alive.all(|guest| guest.total <= guest.max),
            Law::S4 => {
                kept && alive.all(|guest| {
                    guest.total == guest.current + crate::house::UNSEEN
                        && guest.all() == self.scene.most
                })
            }
            Law::S8 => house.free >= self.scene.slush + house.reserved,
            Law::S9 => {
                let (low, high) = self.scene.dynamic;
                kept && alive.all(|guest| (low..=high).contains(&guest.target))
            }
            Law::S11 => alive
                .filter(|guest| guest.engine.is_none())
                .all(|guest| guest.held() == 0 && guest.all() == self.scene.most),
            _ => kept,
        }
    }

    /// Returns which of the laws that say what becomes of a state are broken, all by one look into its future.
    fn broken_in_the_end(&self, house: &House<E, N>) -> u32 {
        let asked = self
            .scene
            .laws
            .iter()
            .filter(|law| law.place() == Place::Calm);
        let asked = asked.fold(0, |set, law| set | law.bit());
        let (l1, l6) = (Law::L1.bit(), Law::L6.bit());
        let needed = if asked & l6 != 0 { l1 } else { 0 };
        let broken = calm::broken(house, &self.scene, (asked | needed) & !l6) | house.broken;
        let always = [Law::S1, Law::S3, Law::S4, Law::S12];
        let kept = broken & l1 == 0 && always.iter().all(|law| self.keeps(house, *law));

        asked & (broken | if kept { 0 } else { l6 })
    }

    fn sees(&self, house: &House<E, N>, sight: usize) -> bool {
        let mut alive = house.guests.iter().filter(|guest| guest.alive);
        let flies = |flight| flight != Flight::None;

        match sight {
            0 => alive.any(|guest| guest.suspended && flies(guest.flight)),
            1 => alive.any(|guest| {
                guest.current > guest.ordered(&self.scene.limits)
                    && guest
                        .engine
                        .is_some_and(|engine| engine.relief() == Some(guest.current))
            }),
            2 => house.guests.iter().any(|guest| !guest.alive) && alive.any(|g| flies(g.flight)),
            3 => alive.any(|guest| guest.hung && flies(guest.flight)),
            4 => alive.any(|guest| guest.plan == crate::house::Plan::Asleep(1000)),
            _ => alive.any(|guest| guest.held_base >= 100 && guest.held_huge > 0),
        }
    }
}

impl<E: Subject, const N: usize> Model for Search<E, N> {
    type State = House<E, N>;
    type Action = Event;

    fn init_states(&self) -> Vec<Self::State> {
        vec![House::new(&self.scene)]
    }

    fn actions(&self, house: &Self::State, events: &mut Vec<Event>) {
        house.list(&self.scene, events);
    }

    fn next_state(&self, house: &Self::State, event: Event) -> Option<Self::State> {
        let mut house = *house;
        house.apply(&self.scene, event);
        house.sort();
        Some(house)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($law:ident)*) => {
                [$(Property::<Self>::always(stringify!($law), |search, house| {
                    search.keeps(house, Law::$law)
                })),*]
            };
        }
        macro_rules! sometimes {
            ($($sight:literal)*) => {
                [$(Property::<Self>::sometimes(SIGHTS[$sight], |search, house| {
                    search.sees(house, $sight)
                })),*]
            };
        }
        let asked = |property: &Property<Self>| {
            self.scene
                .laws
                .iter()
                .any(|law| law.name() == property.name)
        };
        let laws = always!(S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12);
        let mut all: Vec<_> = laws.into_iter().filter(asked).collect();
        if self.scene.laws.iter().any(|law| law.place() == Place::Calm) {
            all.push(Property::always(CALM, |search: &Self, house| {
                search.broken_in_the_end(house) == 0
            }));
        }
        if self.scene.laws.len() > 1 {
            all.extend(sometimes!(0 1 2 3 4 5));
        }
        all
    }
}
