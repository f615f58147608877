// SPDX-License-Identifier: GPL-2.0

//! All that can become of a connection between two honest sides: messages in every order, sockets
//! closed at any time, rings broken, segments exchanged, the link lost, the slot used anew.

mod model;

use model::{Event, Flaw, House, State, EVENTS, EXCHANGES, LIVES};
use socket_link::link::exchange::End;
use socket_link::link::stage::Stage;
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
            Property::always("what is mapped is not freed", |_, state: &State| {
                let mut mapped = state.there.segments();
                mapped.extend(&state.forgotten);
                state.unlinked || mapped.is_subset(&state.here.segments())
            }),
            Property::always("both ends have the same segment", |_, state: &State| {
                let now = |half: &model::Half| half.ring.as_ref().map(|ring| ring.now);
                !state.is_open()
                    || state.prod != state.cons
                    || now(&state.here) == now(&state.there)
            }),
            Property::always("nothing is left", |_, state: &State| {
                let (here, there) = (&state.here, &state.there);
                let silent = state.to_here.is_empty() && state.to_there.is_empty();
                let rest = !here.closed && !there.closed && state.asked.is_none();
                let unused = here.ring.is_none() && there.ring.is_none();
                let nothing = here.record.is_none() && there.record.is_none();
                !(silent && rest && unused) || nothing
            }),
            Property::sometimes("segments are exchanged", |_, state: &State| {
                let record = state.here.record.as_ref();
                let settled = record.is_some_and(|record| record.segments.is_settled());
                state.is_open() && state.cons == EXCHANGES && settled
            }),
            Property::sometimes("the slot is used again", |_, state: &State| {
                state.is_open() && state.lives == LIVES
            }),
            Property::sometimes("read after the other side is gone", |_, state: &State| {
                let record = state.here.record.as_ref();
                let released = record.is_some_and(|record| record.stage == Stage::Released);
                released && state.here.ring.is_some() && state.there.record.is_none()
            }),
            Property::sometimes("read after the link is gone", |_, state: &State| {
                state.unlinked && state.here.ring.is_some()
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
    const FREED: &str = "what is mapped is not freed";
    const WRONG: &str = "nothing goes wrong";
    for (end, flaw, seen) in [
        (End::Producer, Flaw::ReleaseFirst, FREED),
        (End::Producer, Flaw::FreeWhenTaken, FREED),
        (End::Producer, Flaw::DropWhenTaken, FREED),
        (End::Producer, Flaw::HearLate, WRONG),
        (End::Consumer, Flaw::HearLate, WRONG),
        (End::Consumer, Flaw::ForgetUnanswered, FREED),
        (End::Producer, Flaw::ForgetUnanswered, WRONG),
    ] {
        assert!(search(end, flaw).1.contains(&seen), "{seen}");
    }
}
