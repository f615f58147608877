// SPDX-License-Identifier: GPL-2.0

//! A million of the peer's words, the same ones each time, and cases of any kind.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use socket_link_fuzz::{messages, ring};

const MILLION: u64 = 1_000_000;

/// Attacks until a million words are read. Returns after how many attacks.
fn a_million(attack: fn(&[u8]) -> u64) -> u32 {
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut bytes = vec![0; 4096];
    let (mut words, mut attacks) = (0, 0);
    while words < MILLION {
        let len = random.next_u32() as usize % bytes.len();
        random.fill_bytes(&mut bytes[..len]);
        words += attack(&bytes[..len]);
        attacks += 1;
    }
    attacks
}

#[test]
fn a_million_words_against_a_ring() {
    println!("{} rings", a_million(ring::attack));
}

#[test]
fn a_million_messages_against_a_link() {
    println!("{} links", a_million(messages::attack));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_words(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        ring::attack(&bytes);
    }

    #[test]
    fn any_messages(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        messages::attack(&bytes);
    }
}
