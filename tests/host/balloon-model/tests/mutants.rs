// SPDX-License-Identifier: GPL-2.0

//! Each mutant of the engine is found by the law that it breaks.

use balloon_engine::engine::Engine;
use balloon_model::house::Scene;
use balloon_model::law::Law;
use balloon_model::mutants::{self, table::MUTANTS};
use balloon_model::scenes::{AUTO, LENT, ONE};
use balloon_model::search::Search;
use balloon_model::subject::Subject;

/// Returns whether the law is found broken in one of the scenes with one guest.
fn breaks<E: Subject>(laws: &'static [Law]) -> bool {
    [ONE, LENT, AUTO].into_iter().any(|scene| {
        let scene = Scene {
            laws,
            events: 3,
            faults: 1,
            ..scene
        };
        !Search::<E, 1>::new(scene).run().broken.is_empty()
    })
}

#[test]
fn the_engine_itself_breaks_none() {
    use Law::{L1, L2, L3, L4, L5, S3, S5, S9, S12};
    assert!(!breaks::<Engine>(&[S3, S5, S9, S12, L1, L2, L3, L4, L5]));
}

macro_rules! caught {
    ($($name:ident $law:ident,)*) => {
        $(
            #[test]
            fn $name() {
                let mutant = MUTANTS.iter().find(|mutant| mutant.name == stringify!($name));
                assert_eq!(mutant.map(|mutant| mutant.law), Some(stringify!($law)));
                assert!(breaks::<mutants::$name::Engine>(&[Law::$law]));
            }
        )*

        #[test]
        fn all_mutants_are_here() {
            assert_eq!([$(stringify!($name)),*].len(), MUTANTS.len());
        }
    };
}

caught! {
    one_hour L2,
    no_retry L2,
    short_take_is_full L4,
    short_give_is_full L4,
    no_delay L4,
    borrow_in_a_hurry L4,
    no_floor S5,
    no_reserve S5,
    auto_return_below_the_floor S5,
    take_beyond_the_target S12,
    newest_target_ignored S12,
    rests_a_run_short S12,
    give_beyond_the_target S3,
    relief_without_bound S3,
    relief_of_an_old_target S3,
    borrow_counted_twice S9,
    no_split L1,
    no_borrow L1,
    relief_for_ever L1,
    relief_dropped_at_once L5,
    hold_off_ignored L5,
    relief_taken_though_needed L3,
    no_cushion L3,
}
