// SPDX-License-Identifier: GPL-2.0

//! When segments grow and shrink.

use socket_link::link::grow::{larger, Tuning, Use};
use socket_link::link::segment::Size;

const fn order(order: u8) -> Size {
    Size::from_order(order).unwrap()
}

const TUNING: Tuning = Tuning {
    min: order(2),
    idle_ms: 5000,
};

#[test]
fn a_full_segment_grows_to_the_last_size_and_no_further() {
    let last = order(10);
    assert_eq!(larger(order(2), last), Some(order(4)));
    assert_eq!(larger(order(9), last), Some(last));
    assert_eq!(larger(last, last), None);
    assert_eq!(larger(order(12), last), None);
    assert_eq!(larger(Size::MAX, Size::MAX), None);
}

#[test]
fn an_idle_segment_shrinks() {
    let mut seen = Use::new(0);
    let mut look = |now, state| seen.looked_at(&TUNING, order(8), now, state);
    assert_eq!(look(1000, (100, 0)), None);
    assert_eq!(look(5999, (100, 0)), None);
    assert_eq!(look(6000, (100, 0)), Some(order(2)));
    assert_eq!(look(6001, (200, 0)), None);
    // Full is not idle.
    assert_eq!(look(20_000, (200, 1)), None);
    assert_eq!(look(24_999, (200, 0)), None);
    assert_eq!(look(25_000, (200, 0)), Some(order(2)));
    assert_eq!(seen.looked_at(&TUNING, order(2), 90_000, (200, 0)), None);
    assert_eq!(seen.looked_at(&TUNING, order(1), 90_000, (200, 0)), None);
}

#[test]
fn who_declines_is_left_alone_for_longer_and_longer() {
    let mut seen = Use::new(0);
    let idle = |seen: &mut Use, now| seen.looked_at(&TUNING, order(8), now, (0, 0));
    let mut now = TUNING.idle_ms;
    for delay in [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000] {
        seen.declined(now);
        assert_eq!(idle(&mut seen, now + delay - 1), None);
        assert_eq!(idle(&mut seen, now + delay), Some(order(2)));
        now += delay;
    }
    seen.exchanged(now);
    now += TUNING.idle_ms;
    seen.declined(now);
    assert_eq!(idle(&mut seen, now + 1000), Some(order(2)));
}

#[test]
fn times_may_be_anything() {
    let mut seen = Use::new(u64::MAX);
    for now in [u64::MAX, 0, u64::MAX - 1, 5] {
        seen.declined(now);
        seen.looked_at(&TUNING, order(4), now, (1, 0));
        seen.exchanged(now);
    }
}
