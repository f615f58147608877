// SPDX-License-Identifier: GPL-2.0

//! What a member offers, and how much it may borrow.

use proptest::prelude::*;
use shared_area::area::offer::{is_zero, left_for_files, may_borrow, Pending};

proptest! {
    #[test]
    fn each_page_is_replaced_once(mut pages in prop::collection::btree_set(0..60usize, 0..40)) {
        let mut pending = Pending::default();
        let mut runs = Vec::new();
        for &page in &pages {
            runs.extend(pending.add(page));
        }
        runs.extend(pending.take());
        prop_assert_eq!(pending.take(), None);
        for (one, next) in runs.iter().zip(runs.iter().skip(1)) {
            // Else they would be one run.
            prop_assert!(one.end < next.start);
        }
        for page in runs.into_iter().flatten() {
            prop_assert!(pages.remove(&page));
        }
        prop_assert!(pages.is_empty());
    }

    #[test]
    fn files_and_programs_have_no_more_than_is_granted(most in 1..=u32::MAX, share in 0..=8u32) {
        let borrowed = (u64::from(most) * u64::from(share) / 8) as u32;
        let files = left_for_files(most, borrowed);
        prop_assert!(files >= 1 && files >= most / 8);
        let room = may_borrow(most, borrowed);
        // As much as may be borrowed leaves files what they have to have.
        let full = borrowed + room;
        prop_assert!(room == 0 || u64::from(left_for_files(most, full)) + u64::from(full) == u64::from(most));
    }
}

#[test]
fn one_byte_makes_a_page_worth_it() {
    let mut page = [0; 4096];
    assert!(is_zero(&page));
    for at in [0, 7, 4095] {
        page[at] = 1;
        assert!(!is_zero(&page));
        page[at] = 0;
    }
}
