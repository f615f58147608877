// SPDX-License-Identifier: GPL-2.0

//! How a direction's segment is exchanged for one of another size, while bytes flow.
//!
//! The opener, whose memory it is, offers; the other side maps; the producer, on whichever side it
//! is, goes over to it; the consumer follows; and the old segment is unmapped, then freed:
//!
//! ```text
//!   opener is the producer                opener is the consumer
//!   Offer    ──▶  map                     Offer    ──▶  map, go over, unmap the old one
//!   go over  ◀──  Taken                            ◀──  Taken, Dropped
//!            ──▶  follow, unmap the old   follow, free the old
//!   free it  ◀──  Dropped
//! ```
//!
//! One exchange of a direction at a time. Only while a connection is open: when it ends, all of its
//! segments are freed together.

use super::{
    segment::Size,
    slots::Violation, //
};

/// Which end of the direction this side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// This side writes.
    Producer,
    /// This side reads.
    Consumer,
}

/// What an opener has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Step {
    /// Nothing, for now.
    Wait,
    /// Go over to the new segment. A producer that cannot, since its consumer has not followed the
    /// last time, has a peer that lies.
    Switch(Size),
    /// Free the old segment.
    FreeOld,
    /// Free the new segment. A consumer withdraws it first; if it cannot, the peer lies.
    FreeNew,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Offered {
    /// Nothing is offered.
    No,
    /// The peer has not answered.
    Asked(Size),
    /// The peer has mapped it.
    Taken,
    /// The peer has unmapped the old one.
    Dropped,
}

/// An exchange at the side that has opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offering {
    end: End,
    state: Offered,
    /// Our consumer has followed.
    crossed: bool,
}

impl Offering {
    /// Returns the state of a direction at whose `end` this side is, with nothing offered.
    pub const fn new(end: End) -> Self {
        Self {
            end,
            state: Offered::No,
            crossed: false,
        }
    }

    /// Whether another segment may be offered.
    pub fn is_idle(&self) -> bool {
        self.state == Offered::No
    }

    /// Learns that a segment will be offered now. A consumer has to know of it before:
    /// [`Consumer::offered`](super::ring::Consumer::offered). Returns false if this is not the time.
    pub fn offer(&mut self, size: Size) -> bool {
        if !self.is_idle() {
            return false;
        }
        self.state = Offered::Asked(size);
        true
    }

    /// Learns that the peer has mapped the segment.
    pub fn taken(&mut self) -> Result<Step, Violation> {
        let Offered::Asked(size) = self.state else {
            return Err(Violation);
        };
        self.state = Offered::Taken;
        Ok(match self.end {
            End::Producer => Step::Switch(size),
            End::Consumer => Step::Wait,
        })
    }

    /// Learns that the peer has not mapped the segment, and will not.
    pub fn declined(&mut self) -> Result<Step, Violation> {
        match self.state {
            Offered::Asked(_) if !self.crossed => {
                self.state = Offered::No;
                Ok(Step::FreeNew)
            }
            _ => Err(Violation),
        }
    }

    /// Learns that the peer has unmapped the old segment.
    pub fn dropped(&mut self) -> Result<Step, Violation> {
        if self.state != Offered::Taken {
            return Err(Violation);
        }
        self.state = Offered::Dropped;
        Ok(self.finish())
    }

    /// Learns that our consumer has followed:
    /// [`Consumer::crossed`](super::ring::Consumer::crossed). That may be seen before the peer's
    /// messages are.
    pub fn crossed(&mut self) -> Step {
        self.crossed = true;
        self.finish()
    }

    fn finish(&mut self) -> Step {
        let unused_here = match self.end {
            End::Producer => true,
            End::Consumer => self.crossed,
        };
        if self.state != Offered::Dropped || !unused_here {
            return Step::Wait;
        }
        *self = Self::new(self.end);
        Step::FreeOld
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answered {
    /// Nothing is offered.
    No,
    /// To be answered.
    Asked,
    /// Mapped, and our consumer has not followed.
    Taken,
}

/// An exchange at the side that was asked for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Taking {
    end: End,
    state: Answered,
}

impl Taking {
    /// Returns the state of a direction at whose `end` this side is, with nothing offered.
    pub const fn new(end: End) -> Self {
        Self {
            end,
            state: Answered::No,
        }
    }

    /// Learns that the peer offers a segment.
    pub fn offered(&mut self) -> Result<(), Violation> {
        if self.state != Answered::No {
            return Err(Violation);
        }
        self.state = Answered::Asked;
        Ok(())
    }

    /// Declines: the segment is not mapped.
    pub fn decline(&mut self) {
        self.state = Answered::No;
    }

    /// Takes: the segment is mapped. Returns what this end has to do.
    pub fn take(&mut self) -> Take {
        match self.end {
            End::Producer => {
                self.state = Answered::No;
                Take::SwitchAndDrop
            }
            End::Consumer => {
                self.state = Answered::Taken;
                Take::Tell
            }
        }
    }

    /// Learns that our consumer has followed, so that the old segment is unmapped and the peer told
    /// that it is dropped. Returns false if that cannot be.
    pub fn crossed(&mut self) -> bool {
        let taken = self.state == Answered::Taken;

        self.state = Answered::No;
        taken
    }
}

/// What to do with a segment that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Take {
    /// Go over to it, unmap the old one, tell that one is taken and the other dropped. A producer
    /// that cannot go over, since its consumer has not followed the last time, has a peer that lies.
    SwitchAndDrop,
    /// Let our consumer know, then tell that it is taken.
    Tell,
}
