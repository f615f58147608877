// SPDX-License-Identifier: GPL-2.0

//! Thousands of attacks, the same ones each time, and cases of any kind.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use shared_area_fuzz::{cache, tree};

/// Attacks until so much was found wrong. Returns after how many attacks.
fn until(wrong: u64, attack: fn(&[u8]) -> u64) -> u32 {
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut bytes = vec![0; 4096];
    let (mut found, mut attacks) = (0, 0);
    while found < wrong {
        let len = random.next_u32() as usize % bytes.len();
        random.fill_bytes(&mut bytes[..len]);
        found += attack(&bytes[..len]);
        attacks += 1;
    }
    attacks
}

#[test]
fn a_hundred_thousand_wrong_records_of_a_tree() {
    println!("{} trees", until(100_000, tree::attack));
}

#[test]
fn a_hundred_thousand_wrong_messages_to_a_member() {
    println!("{} members", until(100_000, cache::attack));
}

#[test]
fn a_good_tree_is_found_good() {
    for bytes in [&[0, 0, 0][..], &[1, 0, 0]] {
        // The root has no name, and is looked at twice.
        assert_eq!(tree::attack(bytes), 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_owner(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        tree::attack(&bytes);
        cache::attack(&bytes);
    }
}
