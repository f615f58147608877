// SPDX-License-Identifier: GPL-2.0

//! Slots: the numbers of connections, and what becomes of a connection.
//!
//! All memory of a connection is its opener's. The opener keeps it, and the slot, until the other
//! side says that it has unmapped everything ([`Message::Released`] or [`Message::Refuse`]). A
//! socket that is closed ends its direction by [`FIN`](super::ring::FIN), and what it has written can
//! still be read: where the opener closes first, its memory waits for the other side; where the other
//! side does, the opener reads on in what is its own.
//!
//! After it has released a connection, the other side may still get a reset or an offer for it, sent
//! before the opener knew. Those are to be ignored, as for any slot that is not in use.
//!
//! [`Message::Released`]: super::wire::Message::Released
//! [`Message::Refuse`]: super::wire::Message::Refuse

mod answerer;
mod opener;
mod set;
mod table;

use super::wire::{
    Message,
    Reason, //
};
pub use answerer::Answerer;
pub use opener::Opener;
pub use set::Set;
pub use table::Table;

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

/// What the socket of a connection has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tell {
    /// The connection is there.
    Connected,
    /// The connection did not come about.
    Refused(Reason),
    /// The other socket is closed: what it has written can be read, and nothing be written.
    Closed,
    /// The connection is lost, with everything in it.
    Lost,
}

/// What to do, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Actions {
    /// Send this.
    pub send: Option<Message>,
    /// Tell the socket.
    pub tell: Option<Tell>,
    /// Touch the connection's memory no more: end its grants, or unmap it.
    pub free: bool,
    /// Send this, after the memory is unmapped.
    pub then: Option<Message>,
    /// Forget the connection. If it was opened here, its slot can be used anew.
    pub done: bool,
}

impl Actions {
    const NONE: Self = Self {
        send: None,
        tell: None,
        free: false,
        then: None,
        done: false,
    };

    const fn send(mut self, message: Message) -> Self {
        self.send = Some(message);
        self
    }

    const fn tell(mut self, tell: Tell) -> Self {
        self.tell = Some(tell);
        self
    }

    const fn then(mut self, message: Message) -> Self {
        self.then = Some(message);
        self
    }

    const fn free(mut self) -> Self {
        self.free = true;
        self
    }

    const fn done(mut self) -> Self {
        self.done = true;
        self
    }
}

/// The peer does what no peer may: its link is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Violation;
