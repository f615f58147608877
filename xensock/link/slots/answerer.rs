// SPDX-License-Identifier: GPL-2.0

//! A connection at the side that was asked for it.

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
    Asked,
    /// Not answered, and not wanted any more.
    Withdrawn,
    /// Not answered, and there is nobody left to be answered.
    Orphaned,
    /// There.
    Open,
    /// The opener's socket is closed; ours may still read.
    Half,
    /// Nothing is left.
    Done,
}

/// A connection that the peer has asked for with [`Message::Connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answerer {
    slot: Slot,
    state: State,
}

impl Answerer {
    /// Returns the connection that was asked for just now, with a slot that is not in use.
    pub const fn new(slot: Slot) -> Self {
        Self {
            slot,
            state: State::Asked,
        }
    }

    /// Whether the connection is there for its socket to read.
    pub fn is_readable(&self) -> bool {
        matches!(self.state, State::Open | State::Half)
    }

    /// Whether the connection is there for its socket to write.
    pub fn is_writable(&self) -> bool {
        self.state == State::Open
    }

    /// Accepts: there is a socket, and everything is mapped. If the answer says to free it, the
    /// connection is not there after all.
    pub fn accept(&mut self) -> Actions {
        match self.state {
            State::Asked => {
                self.state = State::Open;
                Actions::NONE.send(Message::Accept { slot: self.slot })
            }
            State::Withdrawn => self.release(),
            State::Orphaned => self.end(),
            State::Open | State::Half | State::Done => Actions::NONE,
        }
    }

    /// Refuses: nothing is mapped.
    pub fn refuse(&mut self, reason: Reason) -> Actions {
        match self.state {
            State::Asked | State::Withdrawn => self.end().then(Message::Refuse {
                slot: self.slot,
                reason,
            }),
            State::Orphaned => self.end(),
            State::Open | State::Half | State::Done => Actions::NONE,
        }
    }

    /// Learns that the opener ends the connection.
    pub fn reset(&mut self, reason: Reason) -> Result<Actions, Violation> {
        match (self.state, reason) {
            (State::Asked, _) => {
                self.state = State::Withdrawn;
                Ok(Actions::NONE)
            }
            (State::Open, Reason::Closed) => {
                self.state = State::Half;
                Ok(Actions::NONE.tell(Tell::Closed))
            }
            (State::Open, _) => Ok(self.release().tell(Tell::Lost)),
            (State::Withdrawn | State::Orphaned | State::Half, _) => Err(Violation),
            // It has crossed with our release.
            (State::Done, _) => Ok(Actions::NONE),
        }
    }

    /// Learns that the socket is closed. Its direction has been finished, and it has left the
    /// other one.
    pub fn closed(&mut self) -> Actions {
        match self.state {
            State::Open | State::Half => self.release(),
            State::Asked | State::Withdrawn | State::Orphaned | State::Done => Actions::NONE,
        }
    }

    /// Learns that a ring of the connection is broken.
    pub fn broke(&mut self) -> Actions {
        match self.state {
            State::Open => {
                let reset = Message::Reset {
                    slot: self.slot,
                    reason: Reason::Broken,
                };
                self.release().send(reset).tell(Tell::Lost)
            }
            State::Half => self.release().tell(Tell::Lost),
            State::Asked | State::Withdrawn | State::Orphaned | State::Done => Actions::NONE,
        }
    }

    /// Learns that the link is gone.
    pub fn unlinked(&mut self) -> Actions {
        match self.state {
            State::Asked | State::Withdrawn => {
                self.state = State::Orphaned;
                Actions::NONE
            }
            State::Open | State::Half => self.end().tell(Tell::Lost),
            State::Orphaned | State::Done => Actions::NONE,
        }
    }

    fn release(&mut self) -> Actions {
        self.end().then(Message::Released { slot: self.slot })
    }

    fn end(&mut self) -> Actions {
        self.state = State::Done;
        Actions::NONE.free().done()
    }
}
