// SPDX-License-Identifier: GPL-2.0

//! What becomes of a connection, and of its segments, one message at a time.

use socket_link::link::exchange::{End, Exchange};
use socket_link::link::slots::Violation;
use socket_link::link::stage::{Leave, Stage};

const STAGES: [Stage; 4] = [Stage::Opening, Stage::Open, Stage::Released, Stage::Leaving];

#[test]
fn messages_that_no_peer_may_send_are_noticed() {
    let good = |stage: Stage| {
        let (mut accepted, mut released) = (stage, stage);
        [
            accepted.accepted().is_ok(),
            stage.refused().is_ok(),
            released.released().is_ok(),
        ]
    };
    assert_eq!(
        STAGES.map(good),
        [
            [true, true, false],
            [false, false, true],
            [false, false, false],
            [true, true, true],
        ]
    );
}

#[test]
fn a_socket_that_has_left_is_told_nothing() {
    for mut stage in STAGES {
        let _ = stage.left();
        assert_eq!(stage, Stage::Leaving);
        assert_eq!(stage.accepted(), Ok(false));
        assert_eq!(stage.refused(), Ok(false));
        assert_eq!(stage.left(), Leave::Wait);
        assert_eq!(stage.released(), Ok(true));
    }
}

#[test]
fn the_opener_reads_on_when_the_other_side_is_gone() {
    let mut stage = Stage::Opening;
    assert_eq!(stage.accepted(), Ok(true));
    assert_eq!(stage.released(), Ok(false));
    assert_eq!(stage.left(), Leave::Forget);
    assert_eq!(Stage::Opening.left(), Leave::Cancel);
}

#[test]
fn one_exchange_at_a_time() {
    for end in [End::Producer, End::Consumer] {
        let mut here = Exchange::new(1);
        assert_eq!(here.offer(2), Ok(()));
        assert_eq!(here.offer(3), Err(3));
        assert_eq!(here.dropped(), Err(Violation));
        assert_eq!(here.taken(end), Ok(()));
        assert_eq!(here.taken(end), Err(Violation));
        assert_eq!(here.declined(), Err(Violation));
        assert_eq!(here.went_over(), end == End::Producer);
        assert!(!here.is_settled() && !here.went_over());
        assert_eq!((*here.now(), here.dropped()), (2, Ok(1)));
        assert_eq!(here.dropped(), Err(Violation));
        assert_eq!(here.offer(3), Ok(()));
        assert_eq!(here.declined(), Ok(3));
        assert!(here.is_settled());
    }
}

#[test]
fn the_other_side_goes_over_once() {
    let mut there = Exchange::new(1);
    assert_eq!(there.left(), None);
    assert_eq!(there.mapped(2), Ok(()));
    assert_eq!(there.mapped(3), Err(3));
    assert_eq!(there.next(), Some(&2));
    assert_eq!(there.left(), Some(1));
    assert_eq!((*there.now(), there.left()), (2, None));
    assert!(there.is_settled());
}
