// SPDX-License-Identifier: GPL-2.0

//! The engine against a simulated domain.

use balloon_engine::engine::policy::DEFAULT_TUNING;
use balloon_engine::engine::{Action, Engine, HUGE_PAGES, Limits, Outcome, Unit};
use balloon_engine::model::{Domain, Stepped, Weather};
use proptest::prelude::*;

/// 256 MiB.
const SIZE: u64 = 65536;

/// No delay may be longer: a failure is tried again within two seconds.
const LONGEST_MS: u32 = 2000;

/// Steps within which a feasible target is reached, generously.
const STEPS: usize = 4000;

const FAIR: Weather = Weather {
    free_huge: 1000,
    used: 10_000,
    cached: 0,
    host_huge: true,
    host_limit: u64::MAX,
};

const LIMITS: Limits = Limits {
    floor: 20_000,
    reserve: 2_000,
    cushion: 4_000,
};

fn engine() -> Engine {
    Engine::new(LIMITS, DEFAULT_TUNING)
}

/// Runs until the engine rests; returns the number of steps.
fn settle(domain: &mut Domain, engine: &mut Engine, target: u64) -> Option<usize> {
    (1..=STEPS).find(|_| domain.step(engine, target) == Stepped::Rest)
}

#[test]
fn takes_and_gives_to_the_page() {
    let mut domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();

    for target in [40_001, 64_999, 20_000, SIZE, 30_000, SIZE] {
        assert!(settle(&mut domain, &mut engine, target).is_some());
        assert_eq!(domain.current, target);
        assert_eq!(domain.all(), SIZE);
    }
}

#[test]
fn half_of_an_idle_domain_goes_in_huge_runs() {
    let mut domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();

    assert!(settle(&mut domain, &mut engine, SIZE / 2 + 3).is_some());
    assert_eq!(domain.held_base, (SIZE / 2 - 3) % HUGE_PAGES);
}

#[test]
fn a_gib_takes_fourteen_steps_one_way_and_thirteen_back() {
    let gib = 262_144;
    let weather = Weather {
        free_huge: 10_000,
        ..FAIR
    };
    let mut domain = Domain::new(2 * gib, weather);
    let mut engine = engine();

    // The last step finds that there is nothing left to do.
    assert_eq!(settle(&mut domain, &mut engine, gib), Some(14 + 1));
    assert_eq!(settle(&mut domain, &mut engine, 2 * gib), Some(13 + 1));
}

#[test]
fn the_first_step_is_a_short_one() {
    let mut domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();
    let half = SIZE / 2;

    // Also after a rest, and if the target changes on the way.
    for (from, target) in [(SIZE, half), (SIZE, half), (half + 4096, half)] {
        assert!(settle(&mut domain, &mut engine, from).is_some());
        engine.wake();
        domain.step(&mut engine, target);
        assert_eq!(domain.current, from - HUGE_PAGES);
        domain.step(&mut engine, target);
        assert!(domain.current <= from.saturating_sub(16 * HUGE_PAGES).max(target));
        engine.wake();
        let before = domain.current;
        domain.step(&mut engine, LIMITS.floor);
        assert_eq!(domain.current, (before - HUGE_PAGES).max(LIMITS.floor));
    }
}

#[test]
fn a_target_below_the_floor_stops_at_the_floor() {
    let mut domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();

    assert!(settle(&mut domain, &mut engine, 0).is_some());
    assert_eq!(domain.current, LIMITS.floor);
}

#[test]
fn a_target_above_all_there_is_stops_there() {
    let mut domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();

    assert!(settle(&mut domain, &mut engine, SIZE / 2).is_some());
    assert!(settle(&mut domain, &mut engine, u64::MAX).is_some());
    assert_eq!(domain.current, SIZE);
}

#[test]
fn falls_back_to_single_pages_only_as_far_as_needed() {
    let weather = Weather {
        free_huge: 10,
        ..FAIR
    };
    let mut domain = Domain::new(SIZE, weather);
    let mut engine = engine();

    assert!(settle(&mut domain, &mut engine, SIZE - 20 * HUGE_PAGES).is_some());
    assert_eq!(domain.held_huge, 10);
    assert_eq!(domain.held_base, 10 * HUGE_PAGES);
}

#[test]
fn tries_huge_runs_again_after_a_while() {
    let weather = Weather {
        free_huge: 0,
        ..FAIR
    };
    let mut domain = Domain::new(SIZE, weather);
    let mut engine = engine();

    for _ in 0..3 {
        domain.step(&mut engine, 20_000);
    }
    assert_eq!(domain.held_huge, 0);
    domain.weather.free_huge = 1000;
    assert!(settle(&mut domain, &mut engine, 20_000).is_some());
    assert!(domain.held_huge > 0);
}

#[test]
fn a_host_without_superpages_still_gives_all_back() {
    let mut domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();

    assert!(settle(&mut domain, &mut engine, SIZE / 2).is_some());
    domain.weather.host_huge = false;
    // A try, a step for each run to be broken, one for each 16 MiB, and the last.
    let runs = (SIZE / 2 / HUGE_PAGES) as usize;
    let steps = 1 + runs + runs / 8 + 1;
    assert_eq!(settle(&mut domain, &mut engine, SIZE), Some(steps));
    assert_eq!(domain.current, SIZE);
}

#[test]
fn a_host_that_gives_nothing_is_asked_once_a_second() {
    let mut domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();
    assert!(settle(&mut domain, &mut engine, SIZE / 2).is_some());
    domain.weather.host_limit = domain.current;

    let mut last = 0;
    for _ in 0..20 {
        match domain.step(&mut engine, SIZE) {
            Stepped::After(ms) => last = ms,
            Stepped::On => {}
            Stepped::Rest => panic!("rests below its target"),
        }
    }
    assert_eq!(last, 1000);
    domain.weather.host_limit = u64::MAX;
    assert!(settle(&mut domain, &mut engine, SIZE).is_some());
    assert_eq!(domain.current, SIZE);
}

#[test]
fn what_the_built_in_driver_holds_comes_last() {
    let mut domain = Domain::new(SIZE, FAIR);
    domain.reserve = SIZE;
    let mut engine = engine();

    assert!(settle(&mut domain, &mut engine, SIZE / 2).is_some());
    assert!(settle(&mut domain, &mut engine, SIZE).is_some());
    assert_eq!(domain.reserve, SIZE);
    assert!(settle(&mut domain, &mut engine, SIZE + 77).is_some());
    assert_eq!((domain.current, domain.reserve), (SIZE + 77, SIZE - 77));
}

#[test]
fn nothing_is_taken_that_is_used() {
    let weather = Weather {
        used: SIZE - 3000,
        ..FAIR
    };
    let mut domain = Domain::new(SIZE, weather);
    let mut engine = engine();

    for _ in 0..100 {
        assert_ne!(domain.step(&mut engine, 30_000), Stepped::Rest);
    }
    assert_eq!(domain.available(), LIMITS.reserve);
    // What is freed is taken within a second.
    domain.weather.used = 5_000;
    assert!(settle(&mut domain, &mut engine, 30_000).is_some());
}

#[test]
fn a_page_now_and_then_is_looked_for_once_a_second() {
    let weather = Weather {
        used: SIZE - LIMITS.reserve,
        ..FAIR
    };
    let mut domain = Domain::new(SIZE, weather);
    let mut engine = engine();

    let mut delays = Vec::new();
    while delays.len() < 8 {
        if let Stepped::After(ms) = domain.step(&mut engine, 30_000) {
            delays.push(ms);
            domain.weather.used -= 1;
        }
    }
    assert_eq!(delays, [125, 250, 500, 1000, 1000, 1000, 1000, 1000]);
    assert_eq!(domain.current, SIZE - 7);
    // The last pages count, however few.
    assert!(settle(&mut domain, &mut engine, SIZE - 8).is_some());
}

#[test]
fn an_engine_at_its_target_rests() {
    let domain = Domain::new(SIZE, FAIR);
    let mut engine = engine();

    assert_eq!(engine.next(&domain.view(SIZE)), Action::Rest);
}

#[test]
fn an_outcome_without_progress_delays() {
    let mut engine = engine();
    let nothing = Outcome::Gave {
        unit: Unit::Base,
        pages: 0,
        short: true,
    };

    let delays: Vec<_> = (0..6).map(|_| engine.done(nothing)).collect();
    assert_eq!(delays, [125, 250, 500, 1000, 1000, 1000].map(Some));
    engine.wake();
    assert_eq!(engine.done(nothing), Some(125));
}

prop_compose! {
    fn weather()(
        free_huge in 0..200u64,
        used in 0..SIZE,
        host_huge in any::<bool>(),
        host_limit in prop_oneof![Just(u64::MAX), 0..2 * SIZE],
    ) -> Weather {
        Weather { free_huge, used, cached: 0, host_huge, host_limit }
    }
}

proptest! {
    /// Whatever the outside does: no page is lost, no limit broken (the model checks each step),
    /// no delay too long, and in fair weather the target is reached.
    #[test]
    fn any_weather(
        changes in prop::collection::vec((weather(), 0..2 * SIZE, 1..60usize), 1..20),
        reserve in 0..SIZE,
        floor in 0..SIZE,
        target in 0..2 * SIZE,
    ) {
        let mut domain = Domain::new(SIZE, changes[0].0);
        domain.reserve = reserve;
        let all = domain.all();
        let mut engine = Engine::new(Limits { floor, reserve: 100, cushion: 0 }, DEFAULT_TUNING);

        for (weather, target, steps) in changes {
            domain.weather = weather;
            for _ in 0..steps {
                match domain.step(&mut engine, target) {
                    Stepped::Rest => break,
                    Stepped::After(ms) => prop_assert!(ms <= LONGEST_MS),
                    Stepped::On => {}
                }
                prop_assert_eq!(domain.all(), all);
            }
        }

        domain.weather = Weather { used: 0, ..FAIR };
        let feasible = target.clamp(floor.max(100), all);
        prop_assert!(settle(&mut domain, &mut engine, feasible).is_some());
        prop_assert_eq!(domain.current, feasible);
        prop_assert_eq!(domain.all(), all);
    }
}
