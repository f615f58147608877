// SPDX-License-Identifier: GPL-2.0
//! A limit on events holds over any time.

use socket_link::link::rate::Rate;

const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;
const LIMITS: [u32; 8] = [1, 3, 9, 10, 15, 50, 999, 1_000_000];

/// When events come of a peer that sends one every `every_ns`, each of which comes at once or when the wait is
/// over, for three seconds from `now_ns`.
fn storm(mut now_ns: u64, every_ns: u64, per_second: u32) -> Vec<u64> {
    let mut rate = Rate::default();
    let mut came = Vec::new();
    let end_ns = now_ns + 3 * NS_PER_S;
    while now_ns < end_ns {
        came.push(now_ns);
        let wait = rate.wait_ms(now_ns, per_second).unwrap_or(0);
        now_ns += every_ns.max(u64::from(wait) * NS_PER_MS);
    }
    came
}

#[test]
fn a_storm_is_kept_to_the_limit_over_any_time() {
    for limit in LIMITS {
        let came = storm(12_345, 500, limit);
        let tenth_ns = (NS_PER_S / 10).max(NS_PER_S / u64::from(limit));
        for (from, start) in came.iter().enumerate().step_by(came.len() / 50 + 1) {
            for (count, end) in (1..).zip(&came[from..]) {
                let most = (end - start + tenth_ns) * u64::from(limit) / NS_PER_S;
                assert!(count <= most + 1, "{limit}: {count} in {} ns", end - start);
            }
        }
    }
}

#[test]
fn a_storm_gets_what_the_limit_has() {
    for limit in LIMITS {
        let came = storm(0, 500, limit).len();
        // A wait is longer by less than a millisecond of at least a hundred.
        let least = 3 * limit as usize * 99 / 100;
        assert!(came >= least, "{limit}: {came} in three seconds");
    }
}

#[test]
fn what_is_within_the_limit_never_waits() {
    for limit in LIMITS {
        let mut rate = Rate::default();
        let each_ns = NS_PER_S.div_ceil(limit.into());
        for n in 0..100 {
            assert_eq!(rate.wait_ms(n * each_ns, limit), None, "{limit}");
        }
    }
}

#[test]
fn a_tenth_of_the_limit_may_come_at_once() {
    let mut rate = Rate::default();
    for burst in 0..5 {
        let now_ns = burst * NS_PER_S;
        let count = (0..).take_while(|_| rate.wait_ms(now_ns, 50).is_none());
        assert_eq!(count.count(), 5);
    }
}

#[test]
fn one_too_many_waits_for_the_rest_of_the_tenth() {
    let mut rate = Rate::default();
    let mut at = |ms| rate.wait_ms(ms * NS_PER_MS, 20);
    assert_eq!([at(0), at(0), at(0)], [None, None, Some(100)]);
    assert_eq!([at(100), at(130)], [None, Some(70)]);
}

#[test]
fn a_limit_may_change_at_any_time() {
    let mut rate = Rate::default();
    for limit in [1, 1] {
        let _ = rate.wait_ms(0, limit);
    }
    assert!(rate.wait_ms(NS_PER_S, 1_000_000) <= Some(2000));
    assert_eq!(rate.wait_ms(3 * NS_PER_S, 1_000_000), None);
}
