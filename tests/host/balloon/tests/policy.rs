// SPDX-License-Identifier: GPL-2.0

//! Default limits and the numbers people give.

use balloon_engine::engine::Limits;
use balloon_engine::engine::policy::{
    Refusal, check_target, default_floor, default_limits, parse_kib,
};
use proptest::prelude::*;

/// Pages in a MiB.
const MIB: u64 = 256;

#[test]
fn the_floor_is_hyper_vs() {
    for (size, floor) in [
        (128, 72),
        (512, 168),
        (2048, 360),
        (8192, 744),
        (32768, 1512),
    ] {
        assert_eq!(default_floor(size * MIB), floor * MIB, "{size} MiB");
    }
}

#[test]
fn sizes_are_plain_numbers() {
    assert_eq!(parse_kib("400000"), Ok(100_000));
    assert_eq!(parse_kib("7"), Ok(1));
    for text in [
        "",
        "abc",
        "-4",
        "+4",
        "0x10",
        "4 000",
        "4k",
        "99999999999999999999",
    ] {
        assert_eq!(parse_kib(text), Err(Refusal::NotANumber), "{text:?}");
    }
}

#[test]
fn targets_lie_between_the_floor_and_all_there_is() {
    let limits = Limits {
        floor: 100,
        reserve: 10,
    };
    for (pages, ok) in [
        (0, false),
        (99, false),
        (100, true),
        (200, true),
        (201, false),
    ] {
        assert_eq!(check_target(pages, limits, 200).is_ok(), ok, "{pages}");
    }
}

proptest! {
    #[test]
    fn the_floor_grows_with_memory_and_never_exceeds_it(a in 0..1u64 << 40, b in 0..1u64 << 40) {
        let (a, b) = (a.min(b), a.max(b));
        prop_assert!(default_floor(a) <= default_floor(b));
        prop_assert!(default_floor(b) <= b);
        prop_assert!(default_limits(b).reserve <= default_floor(b));
    }
}
