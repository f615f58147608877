// SPDX-License-Identifier: GPL-2.0

//! A connection at the side that has opened it.

use super::{
    super::wire::{
        Message,
        Reason, //
    },
    Actions,
    Slot,
    Tell,
    Violation, //
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Asked for, not answered.
    Connecting,
    /// There.
    Open,
    /// Over for the socket, which is closed or has been told; the other side may still map the
    /// memory.
    Ending,
    /// The other side has nothing mapped any more; the socket may still read.
    Kept,
    /// Nothing is left.
    Done,
}

/// A connection that this side has asked for with [`Message::Connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opener {
    slot: Slot,
    state: State,
}

impl Opener {
    /// Returns the connection that was asked for just now.
    pub const fn new(slot: Slot) -> Self {
        Self {
            slot,
            state: State::Connecting,
        }
    }

    /// Whether the connection is there for its socket to read.
    pub fn is_readable(&self) -> bool {
        matches!(self.state, State::Open | State::Kept)
    }

    /// Whether the connection is there for its socket to write.
    pub fn is_writable(&self) -> bool {
        self.state == State::Open
    }

    /// Learns that the other side has accepted.
    pub fn accepted(&mut self) -> Result<Actions, Violation> {
        match self.state {
            State::Connecting => {
                self.state = State::Open;
                Ok(Actions::NONE.tell(Tell::Connected))
            }
            // It has crossed with our reset.
            State::Ending => Ok(Actions::NONE),
            State::Open | State::Kept | State::Done => Err(Violation),
        }
    }

    /// Learns that the other side has refused.
    pub fn refused(&mut self, reason: Reason) -> Result<Actions, Violation> {
        match self.state {
            State::Connecting => Ok(self.end().tell(Tell::Refused(reason))),
            // It has crossed with our reset.
            State::Ending => Ok(self.end()),
            State::Open | State::Kept | State::Done => Err(Violation),
        }
    }

    /// Learns that the other side has reset the connection; it will release it, too.
    pub fn reset(&mut self) -> Result<Actions, Violation> {
        match self.state {
            State::Open => {
                self.state = State::Ending;
                Ok(Actions::NONE.tell(Tell::Lost))
            }
            State::Ending => Ok(Actions::NONE),
            State::Connecting | State::Kept | State::Done => Err(Violation),
        }
    }

    /// Learns that the other side has released the connection: its socket is closed, or it was
    /// reset.
    pub fn released(&mut self) -> Result<Actions, Violation> {
        match self.state {
            State::Open => {
                self.state = State::Kept;
                Ok(Actions::NONE.tell(Tell::Closed))
            }
            State::Ending => Ok(self.end()),
            State::Connecting | State::Kept | State::Done => Err(Violation),
        }
    }

    /// Learns that the socket is closed, or does not want the connection any more. Its direction
    /// has been finished, and it has left the other one.
    pub fn closed(&mut self) -> Actions {
        match self.state {
            State::Connecting => self.end_with(Reason::Cancelled),
            State::Open => self.end_with(Reason::Closed),
            State::Kept => self.end(),
            State::Ending | State::Done => Actions::NONE,
        }
    }

    /// Learns that a ring of the connection is broken.
    pub fn broke(&mut self) -> Actions {
        match self.state {
            State::Open => self.end_with(Reason::Broken).tell(Tell::Lost),
            State::Kept => self.end().tell(Tell::Lost),
            State::Connecting | State::Ending | State::Done => Actions::NONE,
        }
    }

    /// Learns that the link is gone. What was received and not read stays, if the other side has
    /// said that there is no more.
    pub fn unlinked(&mut self) -> Actions {
        match self.state {
            State::Connecting | State::Open => self.end().tell(Tell::Lost),
            State::Ending => self.end(),
            State::Kept | State::Done => Actions::NONE,
        }
    }

    fn end_with(&mut self, reason: Reason) -> Actions {
        self.state = State::Ending;
        Actions::NONE.send(Message::Reset {
            slot: self.slot,
            reason,
        })
    }

    fn end(&mut self) -> Actions {
        self.state = State::Done;
        Actions::NONE.free().done()
    }
}
