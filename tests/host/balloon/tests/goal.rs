// SPDX-License-Identifier: GPL-2.0

//! Relief for a guest that is out of memory, and the automatic return of what it does not use.

use balloon_engine::engine::policy::DEFAULT_TUNING;
use balloon_engine::engine::{Engine, HUGE_PAGES, Limits, Tuning};
use balloon_engine::model::{Domain, Stepped, Weather};
use proptest::prelude::*;

/// 2 GiB.
const SIZE: u64 = 524_288;
/// 1 GiB.
const HALF: u64 = SIZE / 2;
const STEPS: usize = 4000;
const FAIR: Weather = Weather {
    free_huge: 2000,
    used: 100_000,
    cached: 0,
    host_huge: true,
    host_limit: u64::MAX,
};
const LIMITS: Limits = Limits {
    floor: 80_000,
    reserve: 2_000,
    cushion: 4_000,
};
const AUTO: Tuning = Tuning {
    auto_return: true,
    ..DEFAULT_TUNING
};

fn settle(domain: &mut Domain, engine: &mut Engine, target: u64) {
    let rested = (0..STEPS).any(|_| domain.step(engine, target) == Stepped::Rest);
    assert!(rested, "{domain:?} does not come to rest");
}

/// Looks on for so long.
fn watch(domain: &mut Domain, engine: &mut Engine, target: u64, ms: u64) {
    let end = domain.now_ms + ms;
    while domain.now_ms < end {
        let before = domain.now_ms;
        // A rest without a look would never end.
        if domain.step(engine, target) == Stepped::Rest && domain.now_ms == before {
            domain.now_ms = end;
        }
    }
}

#[test]
fn relief_goes_beyond_the_target_and_stays_for_its_time() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, DEFAULT_TUNING));
    settle(&mut domain, &mut engine, HALF);
    // Programs use all there is.
    domain.weather.used = HALF;

    let given = engine.relieve(&domain.view(HALF), 10, true);
    assert_eq!(given, 4 * HUGE_PAGES);
    settle(&mut domain, &mut engine, HALF);
    assert_eq!(domain.current, HALF + given);

    // Still needed: it stays, however long.
    watch(&mut domain, &mut engine, HALF, 60_000);
    assert_eq!(domain.current, HALF + given);

    domain.weather.used = 100_000;
    watch(&mut domain, &mut engine, HALF, 2_000);
    assert_eq!(domain.current, HALF);
}

#[test]
fn relief_is_not_taken_back_before_its_time() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, DEFAULT_TUNING));
    settle(&mut domain, &mut engine, HALF);
    let given = engine.relieve(&domain.view(HALF), 5000, true);
    assert_eq!(given, 5000);

    watch(&mut domain, &mut engine, HALF, 4_000);
    assert_eq!(domain.current, HALF + given);
    watch(&mut domain, &mut engine, HALF, 3_000);
    assert_eq!(domain.current, HALF);
}

#[test]
fn relief_is_given_however_short_it_stays() {
    for hold_off_ms in [0, 1, 30] {
        let tuning = Tuning {
            hold_off_ms,
            ..DEFAULT_TUNING
        };
        let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, tuning));
        settle(&mut domain, &mut engine, HALF);
        let given = engine.relieve(&domain.view(HALF), 10, true);
        // The worker is busy.
        domain.now_ms += 50;
        settle(&mut domain, &mut engine, HALF);
        assert_eq!(domain.current, HALF + given);
        watch(&mut domain, &mut engine, HALF, 2_000);
        assert_eq!(domain.current, HALF);
    }
}

#[test]
fn relief_is_bounded() {
    let tuning = Tuning {
        relief: 3000,
        ..DEFAULT_TUNING
    };
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, tuning));
    settle(&mut domain, &mut engine, HALF);

    for _ in 0..10 {
        engine.relieve(&domain.view(HALF), 2000, true);
        settle(&mut domain, &mut engine, HALF);
    }
    assert_eq!(domain.current, HALF + 3000);

    engine.set_tuning(Tuning {
        relief: 0,
        ..DEFAULT_TUNING
    });
    assert_eq!(engine.relieve(&domain.view(HALF), 2000, true), 0);
}

#[test]
fn relief_that_the_host_refuses_ends() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, DEFAULT_TUNING));
    settle(&mut domain, &mut engine, HALF);
    domain.weather.host_limit = HALF;
    engine.relieve(&domain.view(HALF), 10, true);
    assert_eq!(engine.relief(), Some(HALF + 4 * HUGE_PAGES));

    watch(&mut domain, &mut engine, HALF, 10_000);
    assert_eq!((domain.current, engine.relief()), (HALF, None));
}

#[test]
fn a_guest_at_its_limit_does_not_go_up_and_down() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, DEFAULT_TUNING));
    settle(&mut domain, &mut engine, HALF);
    domain.weather.used = HALF - 500;
    engine.relieve(&domain.view(HALF), 10, true);

    let (mut turns, mut last) = (0, domain.current);
    let mut rising = true;
    for _ in 0..2000 {
        domain.step(&mut engine, HALF);
        if domain.current != last {
            let rises = domain.current > last;
            turns += usize::from(rises != rising);
            (rising, last) = (rises, domain.current);
        }
    }
    assert!(turns <= 1, "{turns} changes of direction");
}

#[test]
fn what_an_idle_guest_does_not_use_goes_back() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, AUTO));

    watch(&mut domain, &mut engine, SIZE, 10_000);
    assert_eq!(domain.free(), LIMITS.cushion);
    assert_eq!(domain.current, FAIR.used + LIMITS.cushion);
}

#[test]
fn caches_stay() {
    let weather = Weather {
        cached: 150_000,
        ..FAIR
    };
    let (mut domain, mut engine) = (Domain::new(SIZE, weather), Engine::new(LIMITS, AUTO));

    watch(&mut domain, &mut engine, SIZE, 10_000);
    assert_eq!(domain.current, FAIR.used + 150_000 + LIMITS.cushion);
}

#[test]
fn automatic_return_stops_at_the_floor() {
    let weather = Weather { used: 1000, ..FAIR };
    let (mut domain, mut engine) = (Domain::new(SIZE, weather), Engine::new(LIMITS, AUTO));

    watch(&mut domain, &mut engine, SIZE, 10_000);
    assert_eq!(domain.current, LIMITS.floor);
}

#[test]
fn memory_comes_back_under_pressure_up_to_the_target() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, AUTO));
    watch(&mut domain, &mut engine, HALF, 10_000);
    assert!(domain.current < HALF);

    // A program takes all that is free, again and again.
    for _ in 0..40 {
        domain.weather.used = domain.current;
        let needed = engine.relieve(&domain.view(HALF), 20_000, false);
        watch(&mut domain, &mut engine, HALF, 100);
        if domain.current >= HALF {
            break;
        }
        assert!(needed > 0);
    }
    assert!(domain.current >= HALF);
}

#[test]
fn a_new_target_is_reached_before_anything_goes_back() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, AUTO));
    watch(&mut domain, &mut engine, HALF, 10_000);
    engine.wake();
    settle(&mut domain, &mut engine, HALF + 777);
    assert_eq!(domain.current, HALF + 777);
}

#[test]
fn switched_off_everything_comes_back() {
    let (mut domain, mut engine) = (Domain::new(SIZE, FAIR), Engine::new(LIMITS, AUTO));
    watch(&mut domain, &mut engine, SIZE, 10_000);
    engine.set_tuning(DEFAULT_TUNING);
    settle(&mut domain, &mut engine, SIZE);
    assert_eq!(domain.current, SIZE);
}

proptest! {
    /// Whatever programs do and however often they run out of memory, no page is lost, the model's
    /// checks hold, and when nothing changes any more the guest comes to rest.
    #[test]
    fn any_load(
        loads in prop::collection::vec((0..SIZE, 0..HALF, 0..20_000u64, 0..30_000u64), 1..12),
        auto_return in any::<bool>(),
        relief in prop_oneof![Just(0), Just(u64::MAX), 0..HALF],
        hold_off_ms in prop_oneof![Just(0), Just(5000), 0..20_000u32],
        target in 0..2 * SIZE,
    ) {
        let mut domain = Domain::new(SIZE, FAIR);
        let tuning = Tuning { auto_return, relief, hold_off_ms };
        let mut engine = Engine::new(LIMITS, tuning);

        for (used, cached, needed, ms) in loads {
            domain.weather.used = used.min(domain.current);
            domain.weather.cached = cached;
            if needed > 0 && domain.free() == 0 {
                engine.relieve(&domain.view(target), needed, true);
            }
            watch(&mut domain, &mut engine, target, ms);
            prop_assert_eq!(domain.all(), SIZE);
        }

        domain.weather = Weather { used: 1000, ..FAIR };
        watch(&mut domain, &mut engine, target, 60_000);
        let rest = domain.current;
        watch(&mut domain, &mut engine, target, 60_000);
        prop_assert_eq!(domain.current, rest);
        let ordered = target.clamp(LIMITS.floor, SIZE);
        prop_assert!(rest <= ordered);
        if !auto_return {
            prop_assert_eq!(rest, ordered);
        }
    }
}
