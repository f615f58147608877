// SPDX-License-Identifier: GPL-2.0

//! What is fetched with a block that has to be.

use proptest::prelude::*;
use shared_area::area::ahead::{behind, With, WINDOW};
use shared_area::area::format::{Counts, Layout};
use shared_area::area::wire::BATCH;
use std::collections::HashSet;

/// A tree with some blocks of everything, and much content.
fn layout() -> Layout {
    Layout::new(Counts {
        inodes: 1000,
        entries: 3000,
        extents: 2000,
        xattrs: 0,
        text: 100_000,
        data: 20_000,
    })
    .unwrap()
}

/// The first block of content whose siblings begin with it.
fn first(layout: &Layout) -> u32 {
    let data = layout.data().first;
    let siblings = layout.siblings(data + BATCH).unwrap();
    siblings.first
}

fn span(with: With, block: u32, there: &HashSet<u32>) -> std::ops::Range<u32> {
    with.span(&layout(), block, WINDOW, |block| there.contains(&block))
}

#[test]
fn groups_are_counted_off() {
    let (at, none) = (first(&layout()), HashSet::new());
    assert_eq!(span(With::Around(0), at + 5, &none), at..at + 32);
    assert_eq!(span(With::Around(0), at + 32, &none), at + 32..at + 64);
    assert_eq!(span(With::Behind(3), at + 5, &none), at + 5..at + 9);
    // What is behind the group, up to the last one with a digest in the same block.
    assert_eq!(span(With::Around(40), at + 5, &none), at..at + 46);
    assert_eq!(span(With::Around(127), at + 5, &none), at..at + 128);
    // The tree's digest stands for the superblock alone.
    assert_eq!(span(With::Around(15), 0, &none), 0..1);
}

#[test]
fn groups_grow_where_those_before_are_here() {
    let at = first(&layout()) + BATCH;
    let there = |groups: &[u32]| -> HashSet<u32> {
        let blocks = |&group: &u32| at - group * 32..at - group * 32 + 32;
        groups.iter().flat_map(blocks).collect()
    };
    let all = at..at + 128;
    for (groups, expected) in [
        (&[][..], at..at + 32),
        (&[1], at..at + 32),
        (&[4], at..at + 32),
        (&[1, 2], all.clone()),
        (&[2, 4], all.clone()),
        (&[1, 2, 3, 4], all),
        (&[4, 5, 6], at..at + 32),
    ] {
        assert_eq!(
            span(With::Around(0), at + 9, &there(groups)),
            expected,
            "{groups:?}"
        );
    }
}

#[test]
fn a_file_that_is_read_from_one_end_to_the_other_is_read_ahead() {
    let ahead = |there: std::ops::Range<u32>, left, most| {
        behind(10_000, left, most, |block| there.contains(&block))
    };
    // It has just been begun; or somebody looks here and there.
    assert_eq!(ahead(0..0, 5000, WINDOW), 15);
    assert_eq!(ahead(9000..9999, 5000, WINDOW), 15);
    // As much again as was read.
    assert_eq!(ahead(9999..10_000, 5000, WINDOW), 127);
    assert_eq!(ahead(9872..10_000, 5000, WINDOW), 255);
    assert_eq!(ahead(9744..10_000, 5000, WINDOW), 511);
    assert_eq!(ahead(9488..10_000, 5000, WINDOW), 1023);
    assert_eq!(ahead(0..10_000, 5000, WINDOW), 1023);
    // Not more than there may be, or than there is.
    assert_eq!(ahead(0..10_000, 5000, BATCH), 127);
    assert_eq!(ahead(0..10_000, 5000, 300), 511);
    assert_eq!(ahead(0..10_000, 300, WINDOW), 300);
    assert_eq!(ahead(0..0, 3, WINDOW), 3);
    // With those around it.
    let at = first(&layout());
    let there: HashSet<u32> = (at - BATCH..at + 5).collect();
    assert_eq!(span(With::InFile(5000), at + 5, &there), at..at + 261);
    assert_eq!(span(With::InFile(5000), at + 45, &there), at..at + 128);
}

proptest! {
    #[test]
    fn a_span_has_its_block_and_no_more_than_a_window(
        block in 0..20_500u32,
        left in 0..20_500u32,
        most in BATCH..2 * WINDOW,
        there in prop::collection::vec(any::<bool>(), 20_500),
    ) {
        let layout = layout();
        prop_assume!(block < layout.blocks());
        let is_there = |block: u32| there.get(block as usize).copied().unwrap_or(false);
        let left = left.min(layout.blocks() - 1 - block);
        for with in [
            With::InFile(left),
            With::Around(left.min(WINDOW)),
            With::Behind(left.min(BATCH - 1)),
        ] {
            let span = with.span(&layout, block, most, is_there);
            prop_assert!(span.contains(&block) && span.len() <= WINDOW as usize);
            prop_assert!(span.end <= layout.blocks());
            // All before it, and all but a window, have their digests in one block.
            let siblings = layout.siblings(block).map_or(block..block + 1, |siblings| {
                siblings.first..siblings.first + siblings.blocks
            });
            prop_assert!(siblings.contains(&span.start));
            let ahead = match with {
                With::Around(ahead) | With::Behind(ahead) => ahead,
                With::InFile(left) => behind(block, left, most, is_there),
            };
            prop_assert!(span.end <= siblings.end || ahead >= BATCH);
        }
    }
}
