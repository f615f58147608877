// SPDX-License-Identifier: GPL-2.0
//! A limit on events holds in each part of a second.

use socket_link::link::rate::Rate;

/// Of events that come every so many milliseconds for a second, how many are beyond the limit.
fn over(from_ms: u32, every_ms: u32, per_second: u32) -> usize {
    let mut rate = Rate::default();
    let times = (0..1000).step_by(every_ms as usize);
    times
        .filter(|at| rate.is_over(from_ms.wrapping_add(*at), per_second))
        .count()
}

#[test]
fn what_is_within_the_limit_is_never_over() {
    assert_eq!(over(0, 10, 100), 0);
    assert_eq!(over(0, 1, 1000), 0);
    assert_eq!(over(0, 100, 1), 0);
}

#[test]
fn what_is_beyond_it_is_over_in_each_part() {
    assert_eq!(over(0, 1, 100), 900);
    assert_eq!(over(700, 10, 50), 50);
    assert_eq!(over(0, 10, 1), 90);
}

#[test]
fn a_burst_is_over_though_a_second_has_room() {
    let mut rate = Rate::default();
    let over = (0..60).filter(|_| rate.is_over(5, 100)).count();
    assert_eq!(over, 50);
    assert!(!rate.is_over(105, 100));
}

#[test]
fn the_clock_may_wrap() {
    // The last part before that is a short one, and the first one after it has its own share.
    assert!(over(u32::MAX - 499, 1, 100) <= 900);
}
