// SPDX-License-Identifier: GPL-2.0

//! Control messages.

pub use super::super::policy::Uuid;
use super::{
    super::{
        format::Digest,
        names::{
            self,
            LABEL_MAX, //
        }, //
    },
    contents::{
        Digests,
        Supplies, //
    },
    list::{
        Refs,
        Runs, //
    }, //
};
use core::fmt;

/// Bytes of a label in a message.
pub(super) const LABEL: usize = LABEL_MAX + 1;

/// The name of an area or a tree, or no name.
///
/// # Invariants
///
/// The bytes are a [label](names::is_label) and zeroes behind it, at least one; or zeroes only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label([u8; LABEL]);

impl Label {
    /// No name.
    pub const NONE: Self = Self([0; LABEL]);

    /// Returns the label that a text is.
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; LABEL];

        if !names::is_label(text) {
            return None;
        }
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        // INVARIANT: Just checked.
        Some(Self(bytes))
    }

    /// Returns the label that the bytes of a message mean.
    pub(super) fn decode(bytes: [u8; LABEL]) -> Option<Self> {
        // INVARIANT: Just checked.
        let found = Self(bytes);
        let sound = found == Self::NONE || Self::new(found.text()) == Some(found);

        sound.then_some(found)
    }

    pub(super) const fn bytes(&self) -> &[u8; LABEL] {
        &self.0
    }

    /// Returns the text; empty if it is no name.
    pub fn text(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or(&[])
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.text().escape_ascii())
    }
}

/// Why something is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A reason that this version does not know.
    Other = 0,
    /// There is no such area, or the member may not attach to it: which of the two is not told.
    NoArea = 1,
    /// The area has no such tree; or it has several, and none was named.
    NoTree = 2,
    /// The member has as much as it may have.
    Limit = 3,
    /// The owner has no memory for it, or no grant.
    NoMemory = 4,
    /// The tree is retired.
    Retired = 5,
    /// The area takes no offers.
    NoOffers = 6,
}

impl Reason {
    /// Returns the reason with this number.
    pub(super) const fn from_word(word: u32) -> Self {
        match word {
            1 => Reason::NoArea,
            2 => Reason::NoTree,
            3 => Reason::Limit,
            4 => Reason::NoMemory,
            5 => Reason::Retired,
            6 => Reason::NoOffers,
            _ => Reason::Other,
        }
    }
}

/// A control message.
///
/// `request` is a number that the asking side has chosen, and that comes back with the answer;
/// `tree` is one that the owner has chosen for a tree that the member is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message<'a> {
    /// Each side's first.
    Hello {
        /// [`VERSION`](super::VERSION).
        version: u32,
        /// Owner: how many pages it grants to the member at once, at the most. Member: how many it
        /// means to have.
        pages: u32,
    },
    /// Member: wants to read a tree.
    Attach {
        /// Comes back with the answer.
        request: u32,
        /// The name of the area.
        area: Label,
        /// The name of the tree; none if it is the only one.
        tree: Label,
    },
    /// Member: wants to read the very tree that it has read before, perhaps from another owner.
    Again {
        /// Comes back with the answer.
        request: u32,
        /// The area's UUID.
        area: Uuid,
        /// The tree's digest.
        digest: &'a Digest,
    },
    /// Owner: the member may read the tree.
    Attached {
        /// Which request.
        request: u32,
        /// The tree's number from now on.
        tree: u32,
        /// How often trees of that name were loaded.
        generation: u64,
        /// The area's UUID.
        area: Uuid,
        /// The tree's digest, by which the member checks all that it reads of it.
        digest: &'a Digest,
    },
    /// Owner: the member may not.
    Refused {
        /// Which request.
        request: u32,
        /// Why.
        reason: Reason,
    },
    /// Member: wants to map these blocks.
    Fetch {
        /// Which tree.
        tree: u32,
        /// Comes back with the answer.
        request: u32,
        /// Which blocks.
        runs: Runs<'a>,
    },
    /// Owner: grants for the blocks asked for, in that order.
    Granted {
        /// Which request.
        request: u32,
        /// One for each block.
        refs: Refs<'a>,
    },
    /// Member: has no mapping of these blocks any more, and the grants may end.
    Release {
        /// Which tree.
        tree: u32,
        /// Which blocks.
        runs: Runs<'a>,
    },
    /// Owner: the member shall give these blocks back. It may ask for them again.
    Withdraw {
        /// Which tree.
        tree: u32,
        /// Comes back with the answer.
        request: u32,
        /// Which blocks.
        runs: Runs<'a>,
    },
    /// Member: has no mapping any more of the blocks that were to be given back.
    Withdrawn {
        /// Which request.
        request: u32,
    },
    /// Owner: no more blocks of the tree are to be had, and all shall be given back.
    Retire {
        /// Which tree.
        tree: u32,
    },
    /// Member: has no mapping of any block of the tree, and does not read it any more.
    Detach {
        /// Which tree.
        tree: u32,
    },
    /// The link is over.
    Goodbye,
    /// Member: a program of it has pages of these contents, and would rather have those of an area.
    Offer {
        /// Comes back with the answer: [`Message::Granted`], with a grant for each content that the
        /// area has, or [`Message::Refused`].
        request: u32,
        /// The name of the area.
        area: Label,
        /// Which contents.
        digests: Digests<'a>,
    },
    /// Member: contents that the area did not have. The answer is that to an offer; then the pages
    /// that were granted are not looked at any more.
    Supply {
        /// Comes back with the answer.
        request: u32,
        /// The name of the area.
        area: Label,
        /// Which contents, and where they are.
        supplies: Supplies<'a>,
    },
    /// Member: has no mapping any more of pages that it got for offers, one for each digest.
    Return {
        /// The name of the area.
        area: Label,
        /// Their contents.
        digests: Digests<'a>,
    },
    /// Owner: the member shall give back all that it got for offers. It may offer it again.
    Recall {
        /// Comes back with the answer: [`Message::Withdrawn`].
        request: u32,
        /// The name of the area.
        area: Label,
    },
}

impl Message<'_> {
    /// Returns the message's number.
    pub const fn kind(&self) -> u16 {
        match self {
            Message::Hello { .. } => 1,
            Message::Attach { .. } => 2,
            Message::Again { .. } => 3,
            Message::Attached { .. } => 4,
            Message::Refused { .. } => 5,
            Message::Fetch { .. } => 6,
            Message::Granted { .. } => 7,
            Message::Release { .. } => 8,
            Message::Withdraw { .. } => 9,
            Message::Withdrawn { .. } => 10,
            Message::Retire { .. } => 12,
            Message::Detach { .. } => 13,
            Message::Goodbye => 14,
            Message::Offer { .. } => 15,
            Message::Supply { .. } => 16,
            Message::Return { .. } => 17,
            Message::Recall { .. } => 18,
        }
    }
}
