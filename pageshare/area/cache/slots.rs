// SPDX-License-Identifier: GPL-2.0

//! A place for a mapped block.

use super::super::chain::{
    Linked,
    Links, //
};

/// Which block of which tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What stands for the tree.
    pub tree: u8,
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

/// A bit of [`Slot::marks`]: it was used since somebody last looked for one that is not.
const RECENT: u8 = 1;

/// A bit of [`Slot::marks`]: the owner wants the block back.
const DOOMED: u8 = 2;

/// A bit of [`Slot::marks`]: it was granted through a link that is over: nobody is to be told.
const OLD: u8 = 4;

/// Two bits of [`Slot::marks`]: the state.
const STATE: u32 = 6;

/// A place for a block. There is one for each page that may be mapped: so they are small.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    links: Links,
    block: u32,
    /// How many use the mapping now.
    pub(super) pins: u16,
    tree: u8,
    marks: u8,
}

const _: () = assert!(size_of::<Slot>() == 16);

impl Slot {
    pub(super) fn new(key: Key) -> Self {
        Self {
            block: key.block,
            tree: key.tree,
            ..Self::default()
        }
    }

    pub(super) const fn state(&self) -> State {
        match self.marks >> STATE {
            0 => State::Asked,
            1 => State::Mapping,
            2 => State::Ready,
            _ => State::Closing,
        }
    }

    pub(super) fn set_state(&mut self, state: State) {
        self.marks = self.marks & !(3 << STATE) | ((state as u8) << STATE);
    }

    pub(super) const fn is_doomed(&self) -> bool {
        self.marks & DOOMED != 0
    }

    pub(super) fn doom(&mut self) {
        self.marks |= DOOMED;
    }

    pub(super) const fn is_old(&self) -> bool {
        self.marks & OLD != 0
    }

    pub(super) fn set_old(&mut self) {
        self.marks |= OLD;
    }

    /// It is used.
    pub(super) fn set_recent(&mut self) {
        self.marks |= RECENT;
    }

    /// Returns whether it was used, and forgets that.
    pub(super) fn take_recent(&mut self) -> bool {
        let recent = self.marks & RECENT != 0;
        self.marks &= !RECENT;
        recent
    }
}

impl Linked for Slot {
    type Key = Key;

    fn key(&self) -> Key {
        Key {
            tree: self.tree,
            block: self.block,
        }
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
