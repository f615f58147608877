// SPDX-License-Identifier: GPL-2.0

//! When segments grow and shrink.

use socket_link::link::grow::{Tuning, Use, WAITS, WINDOW_MS};
use socket_link::link::segment::Size;

const fn order(order: u8) -> Size {
    Size::from_order(order).unwrap()
}

const TUNING: Tuning = Tuning {
    max: order(10),
    min: order(2),
    idle_ms: 5000,
};

/// Waits `WAITS` times at once.
fn wait(seen: &mut Use, size: Size, now: u64) -> Option<Size> {
    (1..WAITS).for_each(|_| assert_eq!(seen.waited(&TUNING, size, now), None));
    seen.waited(&TUNING, size, now)
}

#[test]
fn a_busy_segment_grows_to_the_maximum_and_no_further() {
    let mut seen = Use::new(0);
    assert_eq!(wait(&mut seen, order(2), 10), Some(order(4)));
    assert_eq!(wait(&mut seen, order(4), 20), Some(order(6)));
    assert_eq!(wait(&mut seen, order(9), 20), Some(order(10)));
    assert_eq!(wait(&mut seen, order(10), 20), None);
    assert_eq!(wait(&mut seen, order(12), 20), None);
}

#[test]
fn a_slow_reader_does_not_make_it_grow() {
    let mut seen = Use::new(0);
    for now in (0..100).map(|step| step * (WINDOW_MS / 2)) {
        assert_eq!(seen.waited(&TUNING, order(2), now), None, "{now}");
    }
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
    let mut now = 0;
    for delay in [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000] {
        seen.declined(now);
        assert_eq!(seen.waited(&TUNING, order(2), now + delay - 1), None);
        assert_eq!(
            wait(&mut seen, order(2), now + delay + WINDOW_MS),
            Some(order(4))
        );
        now += delay + WINDOW_MS;
    }
    seen.exchanged(now);
    seen.declined(now);
    assert_eq!(
        wait(&mut seen, order(2), now + 1000 + WINDOW_MS),
        Some(order(4))
    );
}

#[test]
fn times_may_be_anything() {
    let mut seen = Use::new(u64::MAX);
    for now in [u64::MAX, 0, u64::MAX - 1, 5] {
        seen.declined(now);
        seen.waited(&TUNING, order(2), now);
        seen.looked_at(&TUNING, order(4), now, (1, 0));
        seen.exchanged(now);
    }
}
