// SPDX-License-Identifier: GPL-2.0

//! The committed text in CSP# is the one that the model's tables make, and has all its events.

use balloon_engine::engine::Engine;
use balloon_model::csp;
use balloon_model::house::{Event, House, Scene};
use balloon_model::law::LAWS;
use balloon_model::scenes::THREE;
use stateright::Model;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Set, the test writes the file instead of comparing it.
const WRITE: &str = "XENOXIDE_WRITE_CSP";

#[test]
fn the_committed_text_is_the_models() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/xenballoon.csp");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, csp::render()).expect("it can be written");
    }
    let committed = fs::read_to_string(&path).expect("it is there");
    assert!(
        committed == csp::render(),
        "docs/xenballoon.csp is another; run the test with {WRITE}=1"
    );
}

/// Returns the names of the events that come up within the first steps.
fn events() -> BTreeSet<String> {
    let search = balloon_model::search::Search::<Engine, 3>::new(THREE);
    let mut states: Vec<House<Engine, 3>> = search.init_states();
    let mut names = BTreeSet::new();

    for _ in 0..3 {
        let mut next = Vec::new();
        for house in &states {
            let mut events: Vec<Event> = Vec::new();
            search.actions(house, &mut events);
            for event in events {
                let name = format!("{event:?}");
                names.insert(name.split('(').next().unwrap_or(&name).to_lowercase());
                next.extend(search.next_state(house, event));
            }
        }
        states = next;
    }
    names
}

#[test]
fn all_events_are_in_it() {
    let text = csp::render();
    let events = events();
    assert!(events.len() >= 15, "{events:?}");
    for event in events {
        let there = [".i", " {"]
            .iter()
            .any(|end| text.contains(&format!("{event}{end}")));
        assert!(there, "{event}");
    }
}

#[test]
fn all_laws_and_figures_are_in_it() {
    let text = csp::render();
    let Scene { start, events, .. } = THREE;
    assert!(text.contains(&format!("#define GUESTS {};", start.len())));
    assert!(text.contains(&format!("#define EVENTS {events};")));
    for (_, name, _, says) in LAWS {
        assert!(text.contains(&format!("// {name} (")) && text.contains(says));
    }
}

#[test]
fn it_begins_with_all_memory_there() {
    let text = csp::render();
    for line in [
        "var current[GUESTS] = [24, 12, 12];",
        "var held_huge[GUESTS] = [0, 3, 0];",
        "var lendable[GUESTS] = [0, 0, 12];",
        "#define constant (free + total[0] + total[1] + total[2] == ALL);",
    ] {
        assert!(text.contains(line), "{line}");
    }
}
