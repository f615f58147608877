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
//! One exchange of a direction at a time. When the connection ends, all of its segments are freed
//! together. A consumer has a share of its own in what it reads from.

use super::slots::Violation;

/// Which end of the direction this side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// This side writes.
    Producer,
    /// This side reads.
    Consumer,
}

/// The segments of a direction, at one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exchange<S> {
    /// The one in use, as far as the two sides have agreed.
    now: S,
    /// At the opener: what the peer has not answered about.
    offered: Option<S>,
    /// What both sides have mapped, and this end has not gone over to.
    next: Option<S>,
    /// At the opener: what the peer may still have mapped.
    before: Option<S>,
}

impl<S> Exchange<S> {
    /// Returns a direction that begins with the segment `now`.
    pub const fn new(now: S) -> Self {
        Self {
            now,
            offered: None,
            next: None,
            before: None,
        }
    }

    /// Returns the segment in use.
    pub const fn now(&self) -> &S {
        &self.now
    }

    /// Returns the segment that this end is to go over to.
    pub const fn next(&self) -> Option<&S> {
        self.next.as_ref()
    }

    /// Whether nothing is on its way to become the segment in use, and nothing is left of the last
    /// one.
    pub const fn is_settled(&self) -> bool {
        self.offered.is_none() && self.next.is_none() && self.before.is_none()
    }

    /// At the opener: `segment` will be offered now. A consumer has to know of it before:
    /// [`Consumer::offered`](super::ring::Consumer::offered). Gives it back if this is not the time.
    pub fn offer(&mut self, segment: S) -> Result<(), S> {
        if !self.is_settled() {
            return Err(segment);
        }
        self.offered = Some(segment);
        Ok(())
    }

    /// At the opener: the peer has mapped what was offered. A producer goes over to what is
    /// [next](Exchange::next) now; a consumer follows when it sees that its producer has.
    pub fn taken(&mut self, end: End) -> Result<(), Violation> {
        let segment = self.offered.take().ok_or(Violation)?;
        match end {
            End::Producer => self.next = Some(segment),
            End::Consumer => self.before = Some(core::mem::replace(&mut self.now, segment)),
        }
        Ok(())
    }

    /// At the opener: the peer has not mapped what was offered, and will not. Returns it, to be
    /// freed; a consumer withdraws it first.
    pub fn declined(&mut self) -> Result<S, Violation> {
        self.offered.take().ok_or(Violation)
    }

    /// At the opener: the peer has unmapped what was in use before. Returns it, to be freed.
    pub fn dropped(&mut self) -> Result<S, Violation> {
        self.before.take().ok_or(Violation)
    }

    /// At the opener: our producer has gone over to what was next. Returns false if there was
    /// nothing.
    pub fn went_over(&mut self) -> bool {
        let Some(next) = self.next.take() else {
            return false;
        };
        self.before = Some(core::mem::replace(&mut self.now, next));
        true
    }

    /// At the other side: what the opener offers is mapped. Gives it back if this is not the time:
    /// then it is to be unmapped, and declined.
    pub fn mapped(&mut self, segment: S) -> Result<(), S> {
        if !self.is_settled() {
            return Err(segment);
        }
        self.next = Some(segment);
        Ok(())
    }

    /// At the other side: our end has gone over to what was next. Returns what is to be unmapped
    /// before the opener is told that it is dropped; [`None`] if there was nothing to go over to.
    pub fn left(&mut self) -> Option<S> {
        let next = self.next.take()?;
        Some(core::mem::replace(&mut self.now, next))
    }
}
