// SPDX-License-Identifier: GPL-2.0

//! Slots: the numbers of connections.

mod set;

pub use set::Set;

/// Connections that two domains can have at once.
pub const SLOTS: u32 = 4096;

/// Who made the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The domain whose memory the link's header is in.
    Initiator,
    /// The other one.
    Acceptor,
}

impl Side {
    /// Returns the other side.
    pub const fn other(self) -> Self {
        match self {
            Side::Initiator => Side::Acceptor,
            Side::Acceptor => Side::Initiator,
        }
    }
}

/// The number of a connection of a link. Those below 2048 are opened by the initiator, the others
/// by the acceptor.
///
/// # Invariants
///
/// Less than [`SLOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// Returns the slot with that number, if there is one.
    pub const fn new(number: u32) -> Option<Self> {
        if number < SLOTS {
            Some(Self(number as u16))
        } else {
            None
        }
    }

    /// Returns the slot's number.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// Returns the slot's number, to find something by.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the side that opens connections with this number.
    pub const fn opener(self) -> Side {
        if self.number() < SLOTS / 2 {
            Side::Initiator
        } else {
            Side::Acceptor
        }
    }
}

/// The peer does what no peer may: its link is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Violation;
