// SPDX-License-Identifier: GPL-2.0

//! Recorded traces are replayed; what does not fit is refused.

use balloon_replay::{Replayed, Wrong, replay};
use std::fs;
use std::path::Path;

const SAMPLE: &str = include_str!("../traces/sample.trace");

/// Replays the sample with `old` replaced by `new` and returns what is wrong.
fn altered(old: &str, new: &str) -> Wrong {
    assert_eq!(SAMPLE.matches(old).count(), 1, "{old}");
    replay(&SAMPLE.replace(old, new)).expect_err("it fits")
}

#[test]
fn all_traces_are_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    for file in fs::read_dir(folder).expect("there is a folder") {
        let path = file.expect("it can be read").path();
        let text = fs::read_to_string(&path).expect("it can be read");
        let replayed =
            replay(&text).unwrap_or_else(|wrong| panic!("{}: {wrong:?}", path.display()));
        assert!(replayed.decisions > 0, "{}", path.display());
    }
}

#[test]
fn the_sample_has_one_of_each() {
    let expected = Replayed {
        decisions: 17,
        outcomes: 10,
        reliefs: 1,
        wakes: 4,
        left_out: 0,
    };
    assert_eq!(replay(SAMPLE), Ok(expected));
}

#[test]
fn another_view_is_found() {
    let wrong = altered(
        "target=1541 current=3072 held_huge=0 held_base=0 reserve=0 available=2700 free=2500 effective=1541",
        "target=2600 current=3072 held_huge=0 held_base=0 reserve=0 available=2700 free=2500 effective=2600",
    );
    assert!(wrong.what.starts_with("the engine says Take"), "{wrong:?}");
    let wrong = altered(
        "free=2500 effective=1541 action=take_huge",
        "free=2500 effective=1542 action=take_huge",
    );
    assert_eq!(wrong.what, "the engine says 1541, the guest did 1542");
}

#[test]
fn another_action_is_found() {
    assert!(altered("action=wait", "action=watch").what.contains("Wait"));
}

#[test]
fn another_outcome_is_found_at_the_next_decision() {
    let wrong = altered(
        "action=take_huge pages=0 short=1",
        "action=take_huge pages=512 short=0",
    );
    assert!(wrong.what.contains("Huge"), "{wrong:?}");
}

#[test]
fn more_than_was_asked_for_is_found() {
    let wrong = altered("take_base pages=1019 short", "take_base pages=1020 short");
    assert_eq!(wrong.what, "1020 pages done of 1019 asked for");
}

#[test]
fn what_is_missing_is_said() {
    assert_eq!(
        altered(
            "41.002000: xenballoon_limits: floor=1024",
            "xenballoon_limits:"
        )
        .what,
        "no floor"
    );
    assert_eq!(
        altered("50.100000: xenballoon_wake", "xenballoon_sleep").what,
        "no event xenballoon_sleep"
    );
    assert_eq!(
        altered(
            "60.031213: xenballoon_outcome: action=give_huge",
            "xenballoon_batch: action=give_huge"
        )
        .what,
        "the last decision has no outcome"
    );
    for lost in [
        "CPU:0 [LOST 12 EVENTS]\n",
        "# entries-in-buffer/entries-written: 99/100   #P:1\n",
    ] {
        assert_eq!(
            replay(lost).expect_err("it is lost").what,
            "events are lost"
        );
    }
    replay("# entries-in-buffer/entries-written: 100/100   #P:1\n").expect("nothing is lost");
    let early = replay("xenballoon_wake: wanted=0\n").expect_err("it is early");
    assert_eq!(early.what, "limits and tuning come before a wake");
}

#[test]
fn a_recording_may_begin_at_any_time() {
    let whole = replay(SAMPLE).expect("it fits");
    let lines: Vec<&str> = SAMPLE.lines().collect();
    for start in 6..lines.len() {
        // Not between limits and wake: their order is the guest's.
        if lines[start].contains("tuning") || lines[start].contains("wake") {
            continue;
        }
        let part = replay(&lines[start..].join("\n")).expect("what is left fits");
        assert!(part.decisions < whole.decisions);
    }
}
