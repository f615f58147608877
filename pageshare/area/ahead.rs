// SPDX-License-Identifier: GPL-2.0

//! How many blocks are fetched with one that has to be.
//!
//! Those that are near it in the tree, whichever files they are of: a tree has what is in one directory
//! together. The more of what goes before is here already, the more is fetched, as a file that is read from
//! one end to the other is read ahead.

use super::{
    format::{
        Layout,
        Region, //
    },
    wire::BATCH, //
};
use core::ops::Range;

/// As many blocks are fetched at once, at the most.
pub const WINDOW: u32 = 8 * BATCH;

/// As many blocks are fetched together at least, where there are as many: they are counted off by
/// that. The kernel reads as much around a page of a file.
const AROUND: u32 = 32;

/// So many such groups before one tell whether programs read what is here...
const BEFORE: u32 = 4;

/// ... if they have fetched so many of them: then all are fetched whose digests are in one block.
const DENSE: usize = 2;

/// As many behind a block of a file are fetched with it, if nothing is known about who reads it.
const AHEAD: u32 = 15;

/// What is fetched with a block that has to be.
#[derive(Clone, Copy, Debug)]
pub enum With {
    /// Up to so many of those behind it.
    Behind(u32),
    /// Those around it, and up to so many of those behind it.
    Around(u32),
    /// Those around a block of content, and of the so many that follow it in its file those worth it.
    InFile(u32),
}

impl With {
    /// Returns the blocks that are fetched together: no more than [`WINDOW`], and more than those
    /// whose digests are in one block only if they are behind it, and a batch at least. `most` is as for
    /// [`behind`]; `is_there` tells whether a block was fetched.
    pub fn span(
        self,
        layout: &Layout,
        block: u32,
        most: u32,
        is_there: impl Fn(u32) -> bool,
    ) -> Range<u32> {
        let Some(siblings) = layout.siblings(block) else {
            return block..block.saturating_add(1);
        };
        let (around, ahead) = match self {
            With::Behind(ahead) => (siblings.around(block, 1), ahead),
            With::Around(ahead) => (group(&siblings, block, is_there), ahead),
            With::InFile(left) => {
                let ahead = behind(block, left, most, &is_there);
                (group(&siblings, block, is_there), ahead)
            }
        };
        let last = match ahead < BATCH {
            true => siblings.first.saturating_add(siblings.blocks),
            false => layout.blocks(),
        };
        let end = around.first.saturating_add(around.blocks);
        let ahead = block.saturating_add(ahead).saturating_add(1);
        let most = around.first.saturating_add(WINDOW);
        around.first..end.max(ahead.min(last).min(most))
    }
}

/// Returns how many are worth to be fetched of the `left` that follow a block of content in its file: if
/// the file is being read from one end to the other as many as `is_there` knows before it, and up to
/// `most`, which is at least a batch.
pub fn behind(block: u32, left: u32, most: u32, is_there: impl Fn(u32) -> bool) -> u32 {
    let is_before = |distance| block.checked_sub(distance).is_some_and(&is_there);
    if !is_before(1) {
        return left.min(AHEAD);
    }
    let mut window = BATCH;
    while window < most.min(WINDOW) && is_before(window) {
        window *= 2;
    }
    left.min(window - 1)
}

/// Those of the blocks `siblings` that are fetched with one of them.
fn group(siblings: &Region, block: u32, is_there: impl Fn(u32) -> bool) -> Region {
    let group = siblings.around(block, AROUND);
    let before = |count| group.first.checked_sub(count * AROUND);
    let fetched = (1..=BEFORE)
        .filter_map(before)
        .filter(|&block| is_there(block));
    match fetched.count() >= DENSE {
        true => *siblings,
        false => group,
    }
}
