// SPDX-License-Identifier: GPL-2.0

//! Where the parts of a tree are, and the digest of each block.

use proptest::prelude::*;
use shared_area::area::format::{Counts, Layout, Region, Seal, DIGEST};
use std::collections::HashSet;

fn counts(most: u32) -> impl Strategy<Value = Counts> {
    prop::array::uniform6(0..most).prop_map(|[inodes, entries, extents, xattrs, text, data]| {
        Counts {
            inodes: inodes + 1,
            entries,
            extents,
            xattrs,
            text: text.saturating_mul(8),
            data,
        }
    })
}

/// How many blocks records of that size need.
fn blocks(count: u32, per_block: u32) -> u32 {
    (0..count).step_by(per_block as usize).count() as u32
}

proptest! {
    #[test]
    fn parts_follow_each_other(counts in counts(3000)) {
        let layout = Layout::new(counts).unwrap();
        let mut next = 1;
        for level in layout.digests() {
            prop_assert_eq!(level.first, next);
            next += level.blocks;
        }
        let places = [
            (layout.inode(1), blocks(counts.inodes, 64)),
            (layout.entry(0), blocks(counts.entries, 256)),
            (layout.extent(0), blocks(counts.extents, 256)),
            (layout.xattr(0), blocks(counts.xattrs, 256)),
            (layout.text(0), blocks(counts.text, 4096)),
        ];
        for (place, blocks) in places {
            prop_assert_eq!(place, (blocks > 0).then_some((next, 0)));
            next += blocks;
        }
        prop_assert_eq!(layout.data(), Region { first: next, blocks: counts.data });
        prop_assert_eq!(layout.metadata(), next);
        prop_assert_eq!(layout.blocks(), next + counts.data);
    }

    #[test]
    fn each_block_has_a_digest_of_its_own(counts in counts(3000)) {
        let layout = Layout::new(counts).unwrap();
        let digests: u32 = layout.digests().iter().map(|level| level.blocks).sum();
        let mut places = HashSet::new();
        for block in 0..layout.blocks() {
            let seal = layout.seal(block).unwrap();
            let place = format!("{seal:?}");
            prop_assert!(places.insert(place));
            match seal {
                Seal::Tree => prop_assert_eq!(block, 0),
                Seal::Superblock => prop_assert_eq!(block, 1),
                // In a block of digests before it: there are no circles.
                Seal::At { block: of, offset } => {
                    prop_assert!((1..=digests).contains(&of) && of < block);
                    prop_assert!(offset % DIGEST == 0 && offset < 4096);
                }
            }
        }
        prop_assert_eq!(layout.seal(layout.blocks()), None);
        prop_assert_eq!(layout.seal(u32::MAX), None);
    }

    #[test]
    fn siblings_have_their_digests_in_one_block(counts in counts(3000), size in 1..200u32) {
        let layout = Layout::new(counts).unwrap();
        let mut at = 2;
        prop_assert_eq!((layout.siblings(0), layout.siblings(1)), (None, None));
        while at < layout.blocks() {
            let siblings = layout.siblings(at).unwrap();
            prop_assert_eq!(siblings.first, at);
            at += siblings.blocks;
            let mut next = siblings.first;
            for (index, block) in (siblings.first..at).enumerate() {
                prop_assert_eq!(layout.siblings(block), Some(siblings));
                let Some(Seal::At { block: of, offset }) = layout.seal(block) else {
                    panic!("the digest of {block} is in no block");
                };
                prop_assert_eq!(offset, index * DIGEST);
                prop_assert_eq!(layout.seal(siblings.first), Some(Seal::At { block: of, offset: 0 }));
                // Counted off, without one left out or in two.
                if block == next {
                    next = (next + size).min(at);
                }
                let around = siblings.around(block, size);
                prop_assert_eq!(around.first + around.blocks, next);
                prop_assert_eq!((around.first - siblings.first) % size, 0);
                prop_assert!(around.blocks <= size && around.index(block).is_some());
            }
        }
        prop_assert_eq!(at, layout.blocks());
        prop_assert_eq!(layout.siblings(at), None);
    }

    #[test]
    fn any_counts_are_a_layout_or_none(counts in counts(u32::MAX)) {
        let sum: u64 = [
            counts.inodes.div_ceil(64),
            counts.entries.div_ceil(256),
            counts.extents.div_ceil(256),
            counts.xattrs.div_ceil(256),
            counts.text.div_ceil(4096),
            counts.data,
        ]
        .map(u64::from)
        .iter()
        .sum();
        match Layout::new(counts) {
            None => prop_assert!(sum + sum / 126 + 6 > u32::MAX.into()),
            Some(layout) => {
                let digests = layout.digests().iter().map(|level| u64::from(level.blocks));
                prop_assert_eq!(u64::from(layout.blocks()), 1 + digests.sum::<u64>() + sum);
                let last = layout.digests().last().unwrap();
                prop_assert_eq!(u64::from(last.blocks), sum.div_ceil(128));
                prop_assert!(layout.seal(layout.blocks() - 1).is_some());
            }
        }
    }

    #[test]
    fn records_are_where_they_should_be(counts in counts(1000), at in 0..1200u32) {
        let layout = Layout::new(counts).unwrap();
        let place = |first: Option<(u32, usize)>, count, index: u32, size| {
            let at = index * size;
            (index < count).then(|| (first.unwrap().0 + at / 4096, (at % 4096) as usize))
        };
        let inode = place(layout.inode(1), counts.inodes, at, 64);
        prop_assert_eq!(layout.inode(at + 1), inode);
        prop_assert_eq!(layout.entry(at), place(layout.entry(0), counts.entries, at, 16));
        prop_assert_eq!(layout.extent(at), place(layout.extent(0), counts.extents, at, 16));
        prop_assert_eq!(layout.xattr(at), place(layout.xattr(0), counts.xattrs, at, 16));
        prop_assert_eq!(layout.text(at), place(layout.text(0), counts.text, at, 1));
    }

    #[test]
    fn runs_of_text_end_within_it(text in 0..20000u32, at in 0..20000u32, len in 0..9000u32) {
        let layout = Layout::new(Counts { inodes: 1, text, ..Counts::default() }).unwrap();
        let run = layout.run(at, len);
        prop_assert_eq!(run.map(|run| (run.at(), run.len())), (at + len <= text).then_some((at, len)));
        let short = at % 4096 + len <= 4096;
        prop_assert_eq!(layout.short_run(at, len), run.filter(|_| short));
        prop_assert_eq!(layout.run(at, u32::MAX), None);
    }
}

#[test]
fn there_is_no_tree_without_a_root() {
    assert_eq!(Layout::new(Counts::default()), None);
    assert_eq!(
        Layout::new(Counts {
            inodes: 1,
            ..Counts::default()
        })
        .unwrap()
        .blocks(),
        3
    );
}

#[test]
fn the_largest_tree_has_five_levels() {
    let layout = |data| {
        Layout::new(Counts {
            inodes: 1,
            data,
            ..Counts::default()
        })
    };
    assert_eq!(layout(u32::MAX), None);
    let largest = layout(u32::MAX / 127 * 126).unwrap();
    assert_eq!(largest.digests().len(), 5);
    assert_eq!(layout(127).unwrap().digests().len(), 1);
    assert_eq!(layout(128).unwrap().digests().len(), 2);
}

#[test]
fn around_a_block_that_is_elsewhere_is_nothing_more() {
    let region = Region {
        first: 10,
        blocks: 5,
    };
    let alone = |block| Region {
        first: block,
        blocks: 1,
    };
    for block in [9, 15, u32::MAX] {
        assert_eq!(region.around(block, 4), alone(block));
    }
    assert_eq!(region.around(13, 0), alone(13));
}
