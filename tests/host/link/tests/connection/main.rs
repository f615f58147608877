// SPDX-License-Identifier: GPL-2.0

//! All that can become of a connection between two honest sides: messages in every order, sockets
//! closed at any time, rings broken, segments exchanged, the link lost, the slot used anew.

mod model;

use model::{segment, Event, Flaw, House, State, EVENTS, EXCHANGES, LIVES};
use socket_link::link::exchange::End;
use socket_link::link::slots::Opener;
use stateright::{Checker, Model, Property};

impl Model for House {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Event>) {
        if state.wrong.is_none() {
            actions.extend(
                EVENTS
                    .iter()
                    .filter(|&&event| self.is_possible(state, event)),
            );
        }
    }

    fn next_state(&self, last: &State, event: Event) -> Option<State> {
        let mut state = last.clone();
        self.play(&mut state, event);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing goes wrong", |_, state: &State| {
                state.wrong.is_none()
            }),
            Property::always(
                "both ends have their segments",
                |house: &Self, state: &State| {
                    let (here, there) = match house.end {
                        End::Producer => (state.prod, state.cons),
                        End::Consumer => (state.cons, state.prod),
                    };
                    let granted = &state.here.granted;
                    !state.is_open()
                        || granted[0]
                            && granted[segment(here)]
                            && granted[segment(there)]
                            && state.there.mapped[0]
                            && state.there.mapped[segment(there)]
                },
            ),
            Property::always("nothing is left", |_, state: &State| {
                let silent = state.to_here.is_empty() && state.to_there.is_empty();
                let closed = !state.here.socket && !state.there.socket && !state.there.undecided;
                let nothing = state.here.opener.is_none()
                    && state.there.answerer.is_none()
                    && state.here.granted == [false; 3]
                    && state.there.mapped == [false; 3];
                !silent || !closed || nothing
            }),
            Property::sometimes("segments are exchanged", |_, state: &State| {
                state.is_open() && state.cons == EXCHANGES && state.to_here.is_empty()
            }),
            Property::sometimes("the slot is used again", |_, state: &State| {
                state.is_open() && state.lives == LIVES
            }),
            Property::sometimes("read after the other side is gone", |_, state: &State| {
                let readable = state.here.opener.as_ref().is_some_and(Opener::is_readable);
                readable && state.there.answerer.is_none() && state.to_here.is_empty()
            }),
        ]
    }
}

fn search(end: End, flaw: Flaw) -> (usize, Vec<&'static str>) {
    let found = House { end, flaw }.checker().threads(2).spawn_bfs().join();
    let mut names: Vec<_> = found.discoveries().into_keys().collect();
    names.sort_unstable();
    if flaw == Flaw::None {
        found.assert_properties();
    }
    (found.unique_state_count(), names)
}

#[test]
fn connections_end_well_whichever_side_writes() {
    for end in [End::Producer, End::Consumer] {
        let (states, _) = search(end, Flaw::None);
        println!("{end:?}: {states} states");
        assert!(states > 1000);
    }
}

#[test]
fn flaws_are_found() {
    for (end, flaw) in [
        (End::Producer, Flaw::ReleaseFirst),
        (End::Producer, Flaw::FreeWhenTaken),
        (End::Producer, Flaw::DropWhenTaken),
        (End::Producer, Flaw::HearLate),
        (End::Consumer, Flaw::HearLate),
    ] {
        assert!(search(end, flaw).1.contains(&"nothing goes wrong"));
    }
}
