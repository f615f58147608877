// SPDX-License-Identifier: GPL-2.0

//! A place for a mapped block.

use super::super::chain::{
    Linked,
    Links, //
};

/// Which block of which tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The number that the owner has for the tree.
    pub tree: u32,
    /// The block.
    pub block: u32,
}

/// What becomes of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It is for a block that was, or is to be, asked for.
    #[default]
    Asked,
    /// The block was granted, and is being mapped.
    Mapping,
    /// The block is mapped.
    Ready,
    /// The block is being unmapped.
    Closing,
}

/// A place for a block. A window of pages has one for each of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    pub(super) key: Key,
    links: Links,
    /// How many use the mapping now.
    pub(super) pins: u16,
    pub(super) state: State,
    /// It was used since somebody last looked for one that is not.
    pub(super) recent: bool,
    /// The owner wants the block back.
    pub(super) doomed: bool,
    /// It was granted through a link that is over: nobody is to be told.
    pub(super) old: bool,
}

impl Slot {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            ..Self::default()
        }
    }
}

impl Linked for Slot {
    type Key = Key;

    fn key(&self) -> Key {
        self.key
    }

    fn number(key: Key) -> u64 {
        (u64::from(key.tree) << 32) | u64::from(key.block)
    }

    fn links(&self) -> Links {
        self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}
