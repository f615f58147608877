// SPDX-License-Identifier: GPL-2.0

//! Default limits and the numbers people give.

use balloon_engine::engine::Limits;
use balloon_engine::engine::policy::{
    Lowest, Refusal, check_target, default_floor, default_limits, limits, parse_bytes, parse_kib,
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
fn bytes_may_have_a_suffix() {
    for (text, pages) in [
        ("8191", 1),
        ("8K", 2),
        ("3m", 768),
        ("1G", 262_144),
        ("0", 0),
    ] {
        assert_eq!(parse_bytes(text), Ok(pages), "{text:?}");
    }
    for text in ["", "k", "1T", "1 k", "-1M", "1kk", "\u{e9}k", "k\u{e9}"] {
        assert_eq!(parse_bytes(text), Err(Refusal::NotANumber), "{text:?}");
    }
    assert_eq!(
        parse_bytes("18446744073709551615G"),
        Err(Refusal::OutOfRange)
    );
}

#[test]
fn a_floor_may_be_set() {
    let most = 1024 * MIB;
    assert_eq!(limits(most, 0, most), default_limits(most));
    // Also above what the domain has.
    assert_eq!(limits(most, 5000, 4000).floor, 5000);
    assert_eq!(
        limits(most, 5000, most).reserve,
        default_limits(most).reserve
    );
    // What was set when the domain could have more.
    assert_eq!(limits(most, 2 * most, most).floor, most);
}

#[test]
fn the_default_floor_raises_nobody() {
    let most = 4000 * MIB;
    let default = default_floor(most);
    let floor = |bound| limits(most, 0, bound).floor;
    let low = 400 * MIB;
    assert!(low < default);

    let mut lowest = Lowest::new(low);
    assert_eq!(floor(lowest.bound(low, low)), low);
    // It does not shrink either.
    assert_eq!(floor(lowest.bound(low, low / 2)), low);
    // What comes as relief may go again.
    assert_eq!(floor(lowest.bound(low + 8 * MIB, low)), low);
    // On the way up, and there.
    assert_eq!(floor(lowest.bound(low, most)), default);
    assert_eq!(floor(lowest.bound(most, most)), default);
    // On the way down from there, to less than it.
    lowest = Lowest::new(most);
    assert_eq!(floor(lowest.bound(most, low)), default);
    assert_eq!(floor(lowest.bound(default, low)), default);
    // The built-in driver has heard of it first.
    assert_eq!(floor(lowest.bound(default - 512, low)), default - 512);
}

#[test]
fn targets_lie_between_the_floor_and_all_there_is() {
    let limits = Limits {
        floor: 100,
        reserve: 10,
        cushion: 20,
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
