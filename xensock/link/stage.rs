// SPDX-License-Identifier: GPL-2.0

//! What becomes of a connection.
//!
//! All memory of a connection is its opener's. The opener keeps it, and the slot, until the other
//! side says that it has unmapped everything ([`Message::Released`] or [`Message::Refuse`]). A
//! socket that is closed ends its direction by [`FIN`](super::ring::FIN), and what it has written can
//! still be read: where the opener closes first, its memory waits for the other side; where the other
//! side does, the opener reads on in what is its own.
//!
//! The other side has no stages: it has a connection, or it has not. After it has released one it
//! may still get a reset or an offer for it, sent before the opener knew. Those are to be ignored, as
//! for any slot that is not in use.
//!
//! [`Message::Released`]: super::wire::Message::Released
//! [`Message::Refuse`]: super::wire::Message::Refuse

use super::slots::Violation;

/// How a connection stands at the side that has opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Asked for, not answered.
    Opening,
    /// There. What the other side has opened is from the beginning.
    Open,
    /// The other side has nothing mapped any more; our socket may still read.
    Released,
    /// Over for our socket; the other side may still have the memory mapped.
    Leaving,
}

/// What is to be done when a socket has no use for its connection any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Leave {
    /// Nothing: the other side learns it from the rings, and releases the connection.
    Wait,
    /// Say so, as there may be no socket at the other side that looks at the rings.
    Cancel,
    /// Forget the connection: its memory and its slot are free.
    Forget,
}

impl Stage {
    /// Learns that the other side has accepted. Returns whether the socket is to be told.
    pub fn accepted(&mut self) -> Result<bool, Violation> {
        match self {
            Stage::Opening => {
                *self = Stage::Open;
                Ok(true)
            }
            // It has crossed with our reset.
            Stage::Leaving => Ok(false),
            Stage::Open | Stage::Released => Err(Violation),
        }
    }

    /// Learns that the other side has refused: the connection is to be forgotten. Returns whether
    /// the socket is to be told.
    pub fn refused(self) -> Result<bool, Violation> {
        match self {
            Stage::Opening => Ok(true),
            // It has crossed with our reset.
            Stage::Leaving => Ok(false),
            Stage::Open | Stage::Released => Err(Violation),
        }
    }

    /// Learns that the other side has released the connection. Returns whether it is to be
    /// forgotten.
    pub fn released(&mut self) -> Result<bool, Violation> {
        match self {
            Stage::Open => {
                *self = Stage::Released;
                Ok(false)
            }
            Stage::Leaving => Ok(true),
            Stage::Opening | Stage::Released => Err(Violation),
        }
    }

    /// Learns that the socket is closed, does not want the connection any more, or was told that it
    /// is lost.
    pub fn left(&mut self) -> Leave {
        match core::mem::replace(self, Stage::Leaving) {
            Stage::Opening => Leave::Cancel,
            Stage::Open | Stage::Leaving => Leave::Wait,
            Stage::Released => Leave::Forget,
        }
    }
}
