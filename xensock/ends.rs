// SPDX-License-Identifier: GPL-2.0

//! The ends of a connection's rings that are here. Nothing in this file sleeps, and nothing is
//! copied between a ring and a program's memory: a [`Part`] says what to copy, and is copied with
//! no lock held.

use crate::{
    counters::{
        Tally,
        Way, //
    },
    link::{
        packet::{
            self,
            Header,
            Packet,
            HEADER, //
        },
        ring::{
            Broken,
            Consumer,
            Producer, //
        },
        segment::{
            Place,
            Size, //
        },
        turn::Turn, //
    },
    linux::work::Worker,
    memory::{
        RingAt,
        Shared, //
    },
    peer::Peer,
    wishes::Wish, //
};
use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    sync::Arc, //
};

/// One end of one direction.
///
/// # Invariants
///
/// The connection's record has all of `segments` that are in use or to be gone over to as well:
/// dropping one of those here never unmaps it. What the reading end has left goes to `left`, and from
/// there to where it may be unmapped.
pub(crate) struct End<R> {
    pub(crate) lines: RingAt,
    pub(crate) ring: R,
    /// The segment in use, and the one to go over to or that was left.
    pub(crate) segments: [Option<Arc<Shared>>; 2],
    /// Not used any more, and perhaps nowhere else: its last reference may not be dropped here.
    pub(crate) left: Option<Arc<Shared>>,
    /// [`None`] where the connection has outlived it: what is there can be read, and that is all.
    pub(crate) link: Option<Arc<Worker<Peer>>>,
    pub(crate) turn: Turn,
    tally: Arc<Tally>,
    way: Way,
    claim: Claim,
}

/// The writing end.
pub(crate) type Tx = End<Producer>;

/// The reading end.
pub(crate) type Rx = End<Consumer>;

/// Whether a program copies to the segment that is written to, for as long as that takes. Until it
/// is done the ring stays in that segment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    No,
    Copying,
    /// The link's worker wants to be told when that is over.
    Awaited,
}

/// What has come of an attempt to go over to another segment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switched {
    Yes,
    /// Not now: [`Wish::UNCLAIMED`] comes when it is time.
    Later,
    /// The peer has not followed the last time.
    No,
}

/// A part of a segment that a program copies to or from. The segment stays mapped meanwhile,
/// whatever becomes of the connection.
pub(crate) struct Part {
    segment: Arc<Shared>,
    place: Place,
}

impl Part {
    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> u32 {
        self.place.len()
    }

    /// Calls `copy` with the offset and the length of each stretch, until it copies less than that;
    /// returns how many bytes it has copied.
    fn each(&self, mut copy: impl FnMut(usize, usize) -> usize) -> u32 {
        let (first, second) = (self.place.first as usize, self.place.second as usize);
        let mut done = copy(self.place.offset as usize, first);
        if done == first && second > 0 {
            done += copy(0, second);
        }
        done as u32
    }

    /// Copies from a program's memory; returns how many bytes.
    ///
    /// Context: process context, sleeps for as long as that memory takes.
    pub(crate) fn copy_in(&self, source: &mut IovIterSource<'_>) -> u32 {
        self.each(|at, len| self.segment.copy_in(at, len, source))
    }

    /// Copies to a program's memory; returns how many bytes.
    ///
    /// Context: process context, sleeps for as long as that memory takes.
    pub(crate) fn copy_out(&self, dest: &mut IovIterDest<'_>) -> u32 {
        self.each(|at, len| self.segment.copy_out(at, len, dest))
    }
}

impl<R> End<R> {
    pub(crate) fn new(
        link: Arc<Worker<Peer>>,
        turn: Turn,
        lines: RingAt,
        ring: R,
        segment: Arc<Shared>,
        (tally, way): (Arc<Tally>, Way),
    ) -> Self {
        tally.ring(way, segment.len() as u32);
        Self {
            lines,
            ring,
            segments: [Some(segment), None],
            left: None,
            link: Some(link),
            turn,
            tally,
            way,
            claim: Claim::No,
        }
    }

    /// What lies at `place`, if that is anything.
    fn part(&self, place: Place) -> Option<Part> {
        let segment = self.segments.get(place.slot)?.clone()?;
        (!place.is_empty()).then_some(Part { segment, place })
    }

    /// Tells the peer that there is something to see.
    pub(crate) fn tell(&self, wanted: bool) {
        if wanted {
            self.tally.wakes(self.way);
            if let Some(link) = &self.link {
                link.ring(self.turn.slot());
            }
        }
    }

    /// Wants something of the link's worker.
    pub(crate) fn wish(&self, wish: Wish) {
        if let Some(link) = &self.link {
            link.wish(self.turn, wish);
        }
    }
}

impl Tx {
    /// How large the ring may become.
    pub(crate) fn largest(&self) -> Size {
        let link = self.link.as_ref();
        link.map_or(self.ring.size(), |link| link.largest())
    }

    /// How many bytes may be written, with at most `limit` of them on their way. It may be more if
    /// it is `need` or more.
    pub(crate) fn room(&mut self, limit: u32, need: u32) -> Result<u32, Broken> {
        let free = self.ring.free_for(&self.lines, need)?;
        if limit == u32::MAX {
            return Ok(free);
        }
        Ok(free.min(limit.saturating_sub(self.ring.unread(&self.lines)?)))
    }

    /// Where at most `len` bytes may be written; [`Tx::publish`] comes next. [`None`] if there is
    /// no room.
    pub(crate) fn claim(&mut self, len: u32) -> Option<Part> {
        let part = self.part(self.ring.place(len))?;
        self.claim = Claim::Copying;
        Some(part)
    }

    /// Where the payload of a packet may be written, and what to publish then. [`None`] if there is
    /// no room for all of it.
    pub(crate) fn claim_packet(&mut self, header: Header) -> Result<Option<(Part, u32)>, Broken> {
        let Some(room) = packet::room(&mut self.ring, &self.lines, header.len)? else {
            return Ok(None);
        };
        let Some(part) = self.part(room.payload) else {
            return Ok(None);
        };
        let at = room.header.offset as usize;
        if room.header.first != HEADER || part.segment.write(at, &header.encode()).is_err() {
            return Err(self.ring.condemn(Broken::Misuse));
        }
        self.claim = Claim::Copying;
        Ok(Some((part, room.footprint)))
    }

    /// Sends the first `len` bytes of what was claimed, and no more of it.
    pub(crate) fn publish(&mut self, len: u32) -> Result<(), Broken> {
        if core::mem::replace(&mut self.claim, Claim::No) == Claim::Awaited {
            self.wish(Wish::UNCLAIMED);
        }
        let wanted = self.ring.publish(&self.lines, len)?;
        self.tell(wanted);
        Ok(())
    }

    /// Goes over to `segment`, which has that size.
    pub(crate) fn go_over(&mut self, size: Size, segment: &Arc<Shared>) -> Switched {
        if self.claim != Claim::No {
            self.claim = Claim::Awaited;
            return Switched::Later;
        }
        if self.ring.switch(&self.lines, size) != Ok(true) {
            return Switched::No;
        }
        let slot = self.ring.slot();
        self.segments[slot] = Some(segment.clone());
        self.segments[1 - slot] = None;
        self.tally.ring(self.way, size.bytes());
        Switched::Yes
    }
}

impl Rx {
    /// What comes next, behind `skip` bytes: at most `len` bytes.
    pub(crate) fn next(&mut self, skip: u32, len: u32) -> Result<Option<Part>, Broken> {
        self.ring.has_more_than(&self.lines, skip)?;
        let part = self.part(self.ring.place_after(skip, len));
        self.follow();
        Ok(part)
    }

    /// How many bytes there are.
    pub(crate) fn look(&mut self) -> Result<u32, Broken> {
        self.ring.available(&self.lines)?;
        self.follow();
        Ok(self.ring.total())
    }

    /// Gives bytes back that have been read.
    pub(crate) fn release(&mut self, len: u32) -> Result<(), Broken> {
        let wanted = self.ring.release(&self.lines, len)?;
        self.tell(wanted);
        self.follow();
        Ok(())
    }

    /// Expects the writer to go over to `segment`, which has that size. Returns false if it may not
    /// yet.
    pub(crate) fn expect_next(&mut self, size: Size, segment: Arc<Shared>) -> bool {
        let free = self.left.is_none() && self.ring.offered(size);
        if free {
            self.segments[1 - self.ring.slot()] = Some(segment);
        }
        free
    }

    /// Lets go of a segment that has been read to its end.
    #[inline]
    pub(crate) fn follow(&mut self) {
        if let Some(left) = self.ring.crossed() {
            self.leave(left);
        }
    }

    /// Lets go of the segment in slot `left`.
    #[cold]
    fn leave(&mut self, left: usize) {
        // Nothing is there: no other segment was expected before it was taken away.
        self.left = self.segments.get_mut(left).and_then(Option::take);
        self.tally.ring(self.way, self.ring.size().bytes());
        self.wish(Wish::CROSSED);
    }

    /// The packet that waits, if one does.
    pub(crate) fn packet(&mut self) -> Result<Option<Packet>, Broken> {
        let Self {
            ring,
            lines,
            segments,
            ..
        } = self;
        let packet = packet::peek(ring, lines, 0, Size::MAX.bytes(), |place, bytes| {
            if let Some(Some(segment)) = segments.get(place.slot) {
                // Where it cannot be read the header stays empty, and that is none.
                let _ = segment.read(place.offset as usize, bytes);
            }
        })?;
        self.follow();
        match packet {
            Some(packet) if packet.header.len == 0 => Err(self.ring.condemn(Broken::Packet)),
            packet => Ok(packet),
        }
    }

    /// The packet that waits, and its payload.
    pub(crate) fn next_packet(&mut self) -> Result<Option<(Packet, Part)>, Broken> {
        let Some(packet) = self.packet()? else {
            return Ok(None);
        };
        let part = self.part(packet.payload);
        part.map(|part| Some((packet, part)))
            .ok_or_else(|| self.ring.condemn(Broken::Packet))
    }
}
