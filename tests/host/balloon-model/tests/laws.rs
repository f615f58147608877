// SPDX-License-Identifier: GPL-2.0

//! Each law holds in every state of every scene, and each flaw around the engine breaks one.

use balloon_engine::engine::Engine;
use balloon_model::frames;
use balloon_model::house::{Flaw, Scene};
use balloon_model::law::{LAWS, Law};
use balloon_model::mutants::table::MUTANTS;
use balloon_model::scenes::{AUTO, LATE, LENT, MOST, ODD, ONE, THREE, TIGHT};
use balloon_model::search::{Found, SIGHTS, Search};
use std::sync::OnceLock;
use std::thread;

/// A scene by its name, and what searches it.
type Scenery = (&'static str, fn() -> Found);

/// Searches all scenes at the same time, once for all tests.
fn found() -> &'static [(&'static str, Found)] {
    static FOUND: OnceLock<Vec<(&str, Found)>> = OnceLock::new();

    FOUND.get_or_init(|| {
        let searches: [Scenery; 6] = [
            ("three", || Search::<Engine, 3>::new(THREE).run()),
            ("tight", || Search::<Engine, 3>::new(TIGHT).run()),
            ("one", || Search::<Engine, 1>::new(ONE).run()),
            ("lent", || Search::<Engine, 1>::new(LENT).run()),
            ("late", || Search::<Engine, 1>::new(LATE).run()),
            ("auto", || Search::<Engine, 1>::new(AUTO).run()),
        ];
        let under_way = searches.map(|(scene, search)| (scene, thread::spawn(search)));
        let found = under_way.map(|(scene, search)| (scene, search.join().unwrap()));
        for (scene, found) in &found {
            println!("{scene}: {} states, depth {}", found.states, found.depth);
        }
        found.into()
    })
}

/// A law holds in all scenes.
fn holds(law: Law) {
    for (scene, found) in found() {
        let broken = found.broken.iter().find(|broken| broken.0 == law);
        assert!(broken.is_none(), "{scene}: {law:?}: {}", broken.unwrap().1);
    }
}

/// A law holds in all scenes, and is found broken if the three guests' surroundings have `flaw`.
fn holds_but_for(law: Law, laws: &'static [Law], flaw: Flaw) {
    holds(law);
    let scene = Scene {
        flaw,
        laws,
        ..TIGHT
    };
    assert!(!Search::<Engine, 3>::new(scene).run().broken.is_empty());
}

/// A law of the page frames holds, and is found broken in drivers with these flaws.
fn frames_hold(law: &str, flaws: &[frames::Flaw]) {
    let (states, broken) = frames::search(frames::Flaw::None);
    println!("frames: {states} states");
    assert!(!broken.contains(&law));
    for flaw in flaws {
        assert!(frames::search(*flaw).1.contains(&law), "{flaw:?}");
    }
}

#[test]
fn s1_the_hosts_memory_is_constant() {
    holds_but_for(Law::S1, &[Law::S1], Flaw::LostWithTheDomain);
}

#[test]
fn s2_a_frame_has_one_owner() {
    frames_hold("S2", &[frames::Flaw::ShortIsFull]);
}

#[test]
fn s3_no_domain_grows_beyond_what_it_may() {
    holds(Law::S3);
}

#[test]
fn s4_the_counts_agree_between_steps() {
    holds_but_for(Law::S4, &[Law::S4], Flaw::ShortIsFull);
}

#[test]
fn s5_floor_and_reserve_are_kept() {
    holds(Law::S5);
}

#[test]
fn s6_what_is_surrendered_is_zeroed() {
    frames_hold("S6", &[frames::Flaw::NotZeroed]);
}

#[test]
fn s7_nobody_touches_what_is_surrendered() {
    frames_hold(
        "S7",
        &[
            frames::Flaw::StillMapped,
            frames::Flaw::FreedUnmapped,
            frames::Flaw::FreesSurrendered,
        ],
    );
}

#[test]
fn s8_the_host_keeps_what_is_reserved() {
    holds_but_for(Law::S8, &[Law::S8], Flaw::Eager);
}

#[test]
fn s9_targets_stay_in_range() {
    holds(Law::S9);
    let scene = Scene {
        flaw: Flaw::OutOfRange,
        dynamic: (ODD, MOST),
        laws: &[Law::S9],
        ..THREE
    };
    assert!(!Search::<Engine, 3>::new(scene).run().broken.is_empty());
}

#[test]
fn s10_out_of_memory_waits_for_no_lock() {
    frames_hold("S10", &[frames::Flaw::NotifierLocks, frames::Flaw::Hoards]);
}

#[test]
fn s11_an_unloaded_module_holds_nothing() {
    holds_but_for(Law::S11, &[Law::S11], Flaw::ForgetsHeld);
}

#[test]
fn s12_the_newest_target_wins() {
    holds_but_for(Law::S12, &[Law::S12], Flaw::DeafAfterResume);
}

#[test]
fn l1_a_feasible_target_is_reached() {
    holds(Law::L1);
    let scene = Scene {
        flaw: Flaw::RestsUnheard,
        laws: &[Law::L1],
        ..LATE
    };
    assert!(!Search::<Engine, 1>::new(scene).run().broken.is_empty());
}

#[test]
fn l2_memory_moves_once_it_can() {
    holds_but_for(Law::L2, &[Law::L2], Flaw::SameAgain);
}

#[test]
fn l3_the_direction_settles() {
    holds(Law::L3);
}

#[test]
fn l4_nobody_is_stuck() {
    holds(Law::L4);
}

#[test]
fn l5_one_guest_stops_no_other() {
    holds(Law::L5);
}

#[test]
fn l6_suspended_in_the_middle_of_a_step() {
    holds_but_for(Law::L6, &[Law::L6], Flaw::DeafAfterResume);
}

#[test]
fn what_should_come_up_does() {
    let three = &found()[0].1;
    for sight in SIGHTS {
        assert!(three.seen.contains(&sight), "{sight}");
    }
}

#[test]
fn the_page_about_it_has_the_figures() {
    let page = include_str!("../../../../docs/xenballoon-proof.md");
    for (scene, found) in found() {
        let row = format!("| {} | {} |", found.states, found.depth);
        assert!(page.contains(&row), "{scene}: {row}");
    }
    let frames = format!("| {} |", frames::search(frames::Flaw::None).0);
    assert!(page.contains(&frames), "frames: {frames}");
    for mutant in &MUTANTS {
        let row = format!("| `{}` | {} | {} |", mutant.name, mutant.wrong, mutant.law);
        assert!(page.contains(&row), "{row}");
    }
    for (_, name, _, says) in LAWS {
        let begin = format!("| {name} | {says} | `{}_", name.to_lowercase());
        assert!(page.contains(&begin), "{begin}");
    }
}
