// SPDX-License-Identifier: GPL-2.0

//! Control messages: what both sides of a link say to each other.

use super::super::{
    segment::Size,
    slots::{
        Side,
        Slot, //
    },
};

/// Binary logarithm of the pages of the largest segment that a connection may start with.
pub const FIRST_ORDER_MAX: u8 = 3;

/// Grant references that one list page holds.
pub const LISTED_PER_PAGE: u32 = 1024;

/// List pages that the largest segment needs.
pub const LISTED_MAX: usize = (Size::MAX.pages() / LISTED_PER_PAGE) as usize;

/// Grant references of both segments that a connection starts with, at the most.
pub(super) const CONNECT_REFS: usize = 2 << FIRST_ORDER_MAX;

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the side that opened the connection to the other one.
    FromOpener,
    /// To the side that opened the connection.
    ToOpener,
}

impl Direction {
    /// Returns the direction in which `side` writes, on a connection that `opener` opened.
    pub fn written_by(side: Side, opener: Side) -> Self {
        if side == opener {
            Direction::FromOpener
        } else {
            Direction::ToOpener
        }
    }

    /// Returns the other direction.
    pub const fn other(self) -> Self {
        match self {
            Direction::FromOpener => Direction::ToOpener,
            Direction::ToOpener => Direction::FromOpener,
        }
    }

    /// Returns 0 or 1, to find something by.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What kind of socket a connection is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Socket {
    /// `SOCK_STREAM`: the rings carry bytes.
    Stream,
    /// `SOCK_SEQPACKET`: the rings carry packets.
    SeqPacket,
}

/// Why a connection did not come about, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A reason that this version does not know.
    Other = 0,
    /// Nobody listens on that port, or not for this kind of socket.
    NoListener = 1,
    /// The rules do not allow it.
    Denied = 2,
    /// The listener has too many connections waiting.
    Busy = 3,
    /// The other side has no memory for it, or cannot map what was granted.
    NoMemory = 4,
    /// The socket is closed, both ways.
    Closed = 5,
    /// The peer has broken the protocol on this connection.
    Broken = 6,
    /// The opener does not want it any more.
    Cancelled = 7,
    /// The opener has as many connections, or as much memory, as it may have.
    Limit = 8,
}

impl Reason {
    /// Returns the reason with this number.
    pub(super) const fn from_word(word: u32) -> Self {
        match word {
            1 => Reason::NoListener,
            2 => Reason::Denied,
            3 => Reason::Busy,
            4 => Reason::NoMemory,
            5 => Reason::Closed,
            6 => Reason::Broken,
            7 => Reason::Cancelled,
            8 => Reason::Limit,
            _ => Reason::Other,
        }
    }
}

/// The segments that a connection starts with, by [`Direction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segments {
    pub(super) sizes: [Size; 2],
    pub(super) refs: [u32; CONNECT_REFS],
}

impl Segments {
    /// Returns the segments of these sizes, with these grant references. `None` if a size is of
    /// more than [`FIRST_ORDER_MAX`], or a segment does not have as many pages.
    pub fn new(sizes: [Size; 2], all: [&[u32]; 2]) -> Option<Self> {
        let fits = |(size, refs): (Size, &[u32])| {
            size.order() <= FIRST_ORDER_MAX && refs.len() == size.pages() as usize
        };
        if !sizes.into_iter().zip(all).all(fits) {
            return None;
        }
        let mut refs = [0; CONNECT_REFS];
        refs.iter_mut()
            .zip(all.into_iter().flatten())
            .for_each(|(to, from)| *to = *from);
        Some(Self { sizes, refs })
    }

    /// Returns the size of each.
    pub const fn sizes(&self) -> [Size; 2] {
        self.sizes
    }

    /// Returns the grant references of a direction's segment.
    pub fn refs(&self, direction: Direction) -> &[u32] {
        let [forth, back] = self.sizes.map(|size| size.pages() as usize);
        let range = match direction {
            Direction::FromOpener => 0..forth,
            Direction::ToOpener => forth..forth + back,
        };
        self.refs.get(range).unwrap_or(&[])
    }
}

/// The opener asks for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connect {
    /// The connection's number from now on.
    pub slot: Slot,
    /// What it is between.
    pub socket: Socket,
    /// The opener's port.
    pub src_port: u32,
    /// The port that somebody should listen on.
    pub dst_port: u32,
    /// The longest packet that the opener takes, in bytes.
    pub limit: u32,
    /// Grant reference of the connection's page.
    pub page: u32,
    /// Both directions' first segments.
    pub segments: Segments,
}

/// The opener offers another segment for a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Which connection.
    pub slot: Slot,
    /// Which direction.
    pub direction: Direction,
    /// The segment's size.
    pub size: Size,
    pub(super) lists: [u32; LISTED_MAX],
}

impl Offer {
    /// Returns the message. `lists` are the grant references of the pages with the grant references
    /// of the segment, [`LISTED_PER_PAGE`] in each; `None` if those are not as many as it takes.
    pub fn new(slot: Slot, direction: Direction, size: Size, lists: &[u32]) -> Option<Self> {
        if lists.len() != list_pages(size) {
            return None;
        }
        let mut all = [0; LISTED_MAX];
        all.iter_mut().zip(lists).for_each(|(to, from)| *to = *from);
        Some(Self {
            slot,
            direction,
            size,
            lists: all,
        })
    }

    /// Returns the grant references of the list pages.
    pub fn lists(&self) -> &[u32] {
        self.lists.get(..list_pages(self.size)).unwrap_or(&[])
    }
}

/// Returns how many list pages a segment of this size has.
pub(super) fn list_pages(size: Size) -> usize {
    size.pages().div_ceil(LISTED_PER_PAGE) as usize
}

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Opener: asks for a connection.
    Connect(Connect),
    /// The connection is there.
    Accept {
        /// Which one.
        slot: Slot,
    },
    /// The connection is not to be. What was granted for it is not mapped, now and later.
    Refuse {
        /// Which one.
        slot: Slot,
        /// Why.
        reason: Reason,
    },
    /// The connection is over, both ways.
    Reset {
        /// Which one.
        slot: Slot,
        /// Why.
        reason: Reason,
    },
    /// Not the opener: nothing of the connection is mapped any more, and its slot is free.
    Released {
        /// Which one.
        slot: Slot,
    },
    /// Not the opener: the ring that it writes is too small, it wants a segment of this size.
    Want {
        /// Which connection.
        slot: Slot,
        /// How large.
        size: Size,
    },
    /// Opener: the segment that the other side wants is not to be had. That has to do with what it
    /// has.
    NoLarger {
        /// Which connection.
        slot: Slot,
        /// How large it was to be.
        size: Size,
    },
    /// Opener: another segment for a direction.
    Offer(Offer),
    /// Not the opener: the segment offered is mapped, and the producer may go over to it.
    Taken {
        /// Which connection.
        slot: Slot,
        /// Which direction.
        direction: Direction,
    },
    /// Not the opener: the segment offered is not mapped, and its pages' grants may end.
    Declined {
        /// Which connection.
        slot: Slot,
        /// Which direction.
        direction: Direction,
    },
    /// Not the opener: the segment before the newest is not mapped any more.
    Dropped {
        /// Which connection.
        slot: Slot,
        /// Which direction.
        direction: Direction,
    },
    /// A datagram; its payload follows.
    Datagram {
        /// The sender's port.
        src_port: u32,
        /// The receiver's port.
        dst_port: u32,
        /// Bytes of the payload, at most [`DATAGRAM_MAX`].
        len: u32,
    },
    /// The link is over, and all its connections.
    Goodbye,
}

impl Message {
    /// Returns the message's number.
    pub const fn kind(&self) -> u16 {
        match self {
            Message::Connect(_) => 2,
            Message::Accept { .. } => 3,
            Message::Refuse { .. } => 4,
            Message::Reset { .. } => 5,
            Message::Released { .. } => 6,
            Message::Offer(_) => 7,
            Message::Taken { .. } => 8,
            Message::Declined { .. } => 9,
            Message::Dropped { .. } => 10,
            Message::Datagram { .. } => 11,
            Message::Goodbye => 12,
            Message::Want { .. } => 13,
            Message::NoLarger { .. } => 14,
        }
    }

    /// Returns the connection that the message is about.
    pub const fn slot(&self) -> Option<Slot> {
        match self {
            Message::Connect(Connect { slot, .. })
            | Message::Offer(Offer { slot, .. })
            | Message::Accept { slot }
            | Message::Refuse { slot, .. }
            | Message::Reset { slot, .. }
            | Message::Released { slot }
            | Message::Want { slot, .. }
            | Message::NoLarger { slot, .. }
            | Message::Taken { slot, .. }
            | Message::Declined { slot, .. }
            | Message::Dropped { slot, .. } => Some(*slot),
            Message::Datagram { .. } | Message::Goodbye => None,
        }
    }
}
