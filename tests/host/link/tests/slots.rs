// SPDX-License-Identifier: GPL-2.0

//! Slots and the doorbell that names them.

use proptest::prelude::*;
use socket_link::link::doorbell::{answer, ring};
use socket_link::link::slots::{Set, Side, Slot, SLOTS};
use socket_link::plain::Bell;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

fn slot(number: u32) -> Slot {
    Slot::new(number).unwrap()
}

#[test]
fn each_side_opens_its_own_half() {
    assert_eq!(slot(2047).opener(), Side::Initiator);
    assert_eq!(slot(2048).opener(), Side::Acceptor);
    assert_eq!(Slot::new(SLOTS), None);
    assert_eq!(Slot::new(u32::MAX), None);
}

proptest! {
    #[test]
    fn a_set_has_what_was_put_there(
        steps in prop::collection::vec((0..SLOTS, prop::bool::weighted(0.7)), 0..200),
    ) {
        let (mut set, mut model) = (Set::new(), BTreeSet::new());
        for (number, put) in steps {
            if put {
                set.insert(slot(number));
                model.insert(number);
            } else {
                set.remove(slot(number));
                model.remove(&number);
            }
            let mut found = Vec::new();
            while let Some(next) = set.first(found.last().map_or(0, |last| last + 1)) {
                found.push(next.number());
            }
            prop_assert!(found.iter().eq(&model), "{:?}, not {:?}", found, model);
        }
        prop_assert_eq!(set.first(SLOTS), None);
    }

    #[test]
    fn who_rang_is_heard_once(
        rounds in prop::collection::vec(prop::collection::vec(0..SLOTS, 0..200), 1..4),
    ) {
        let bell = Bell::default();
        for rung in rounds {
            let events = rung.iter().filter(|&&number| ring(&bell, slot(number))).count();
            prop_assert_eq!(events, usize::from(!rung.is_empty()));
            let mut heard = Vec::new();
            let count = answer(&bell, |slot| heard.push(slot.number()));
            prop_assert_eq!(count as usize, heard.len());
            let rung: BTreeSet<_> = rung.into_iter().collect();
            prop_assert_eq!(heard, rung.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(answer(&bell, |_| ()), 0);
        }
    }
}

#[test]
fn a_summary_without_words_is_nothing() {
    let bell = Bell::default();
    bell.summary.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(answer(&bell, |_| ()), 0);
    // What is not named is not looked at.
    bell.words[3].store(1, Ordering::Relaxed);
    assert_eq!(answer(&bell, |_| ()), 0);
    bell.summary.store(1 << 3, Ordering::Relaxed);
    assert_eq!(answer(&bell, |rung| assert_eq!(rung, slot(192))), 1);
}
