// SPDX-License-Identifier: GPL-2.0

//! What is told to the host, and when.

use balloon_engine::statistics::{
    COUNT, Figures, Ledger, SHORTEST_MS, Strain, TooFast, check_interval, to_wait,
};
use std::collections::BTreeSet;

#[test]
fn nothing_is_told_more_than_once_a_second() {
    for (ms, answer) in [
        (0, Ok(0)),
        (1, Err(TooFast)),
        (SHORTEST_MS - 1, Err(TooFast)),
        (SHORTEST_MS, Ok(SHORTEST_MS)),
        (u32::MAX, Ok(u32::MAX)),
    ] {
        assert_eq!(check_interval(ms), answer, "{ms}");
    }
    for (since, left) in [
        (None, 0),
        (Some(0), 1000),
        (Some(-5), 1000),
        (Some(999), 1),
        (Some(1000), 0),
        (Some(i64::MAX), 0),
    ] {
        assert_eq!(to_wait(since), left, "{since:?}");
    }
}

#[test]
fn every_node_is_there_once() {
    let nodes: BTreeSet<_> = Figures::NODES
        .iter()
        .map(|node| (node.dir, node.name))
        .collect();
    assert_eq!(nodes.len(), COUNT);
    let own = |node: &&(_, _)| node.0 == c"data/xenballoon";
    assert!(nodes.iter().filter(own).count() >= 21);
}

#[test]
fn values_are_in_the_order_of_their_nodes() {
    let figures = Figures {
        meminfo_total: 1,
        pressure: 2,
        held_kb: 3,
        ..Figures::default()
    };
    let told: Vec<_> = Figures::NODES
        .iter()
        .zip(figures.values())
        .filter(|(_, value)| *value != 0)
        .map(|(node, value)| (node.name, value))
        .collect();
    assert_eq!(
        told,
        [(c"meminfo_total", 1), (c"pressure", 2), (c"held_kb", 3)]
    );
}

#[test]
fn only_changes_are_due() {
    let mut ledger = Ledger::new();
    assert!(ledger.is_due(0, 7));
    ledger.written(0, 7);
    assert!(!ledger.is_due(0, 7));
    assert!(ledger.is_due(0, 8));
    assert!(ledger.is_due(1, 7));
}

#[test]
fn what_is_denied_is_tried_again_after_resume() {
    let mut ledger = Ledger::new();
    ledger.written(0, 7);
    ledger.denied(1);
    assert!(!ledger.is_due(1, 1) && !ledger.is_due(1, 2));
    ledger.forget();
    assert!(ledger.is_due(0, 7) && ledger.is_due(1, 1));
}

#[test]
fn pressure_is_a_share_of_time() {
    let strain = |alloc_stalls, direct_scans, refaults| Strain {
        alloc_stalls,
        direct_scans,
        refaults,
    };
    let none = Strain::default();
    for (now, ms, percent) in [
        (none, 1000, 0),
        (strain(1000, 0, 0), 1000, 10),
        (strain(0, 100_000, 0), 1000, 10),
        (strain(0, 0, 1000), 1000, 10),
        (strain(1000, 100_000, 1000), 1000, 30),
        (strain(0, 0, 1000), 10_000, 1),
        (strain(0, 0, 1_000_000), 1000, 100),
        (strain(u64::MAX, u64::MAX, u64::MAX), 0, 100),
    ] {
        assert_eq!(now.pressure(&none, ms), percent, "{now:?} in {ms} ms");
    }
    // Counters that went back, as they may between two processors.
    assert_eq!(none.pressure(&strain(5, 5, 5), 1000), 0);
}
