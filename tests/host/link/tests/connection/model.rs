// SPDX-License-Identifier: GPL-2.0

//! A connection between two sides, and what the driver does for it: with the stages and segments
//! that it keeps. A segment is a number here, and shared as the driver shares memory: it is freed,
//! or unmapped, when nobody has it any more.

use socket_link::link::exchange::{End, Exchange};
use socket_link::link::segment::Size;
use socket_link::link::slots::{Slot, Violation};
use socket_link::link::stage::{Leave, Stage};
use socket_link::link::wire::{Connect, Direction, Message, Offer, Reason, Segments, Socket};
use std::collections::BTreeSet;

pub const SLOT: Slot = Slot::new(0).unwrap();
pub const DIRECTION: Direction = Direction::FromOpener;
pub const SIZE: Size = Size::MIN;

/// How often the slot is used, and how often a segment is exchanged.
pub const LIVES: u8 = 2;
pub const EXCHANGES: u8 = 3;

/// A way of getting it wrong that has to be noticed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// The other side releases the connection before it has unmapped it.
    ReleaseFirst,
    /// The opener frees the old segment when it goes over.
    FreeWhenTaken,
    /// The other side drops the old segment before its consumer has followed.
    DropWhenTaken,
    /// What has crossed with a release ends the link.
    HearLate,
    /// The opener forgets a connection that it gives up before there was an answer.
    ForgetUnanswered,
}

/// A connection, and which end of its one direction the opener is.
#[derive(Clone)]
pub struct House {
    pub end: End,
    pub flaw: Flaw,
}

/// A socket's end of the ring, with its shares in segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ring {
    pub now: u8,
    pub other: Option<u8>,
}

/// What the driver keeps of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub stage: Stage,
    pub segments: Exchange<u8>,
}

/// A side.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Half {
    pub record: Option<Record>,
    pub ring: Option<Ring>,
    /// The program has closed its socket, and the worker does not know yet.
    pub closed: bool,
    /// The program has read over to the next segment, and the worker does not know yet.
    pub crossed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct State {
    /// The side that opens the connection.
    pub here: Half,
    /// The side that is asked for it.
    pub there: Half,
    /// It was asked, with this segment, and has not answered.
    pub asked: Option<u8>,
    pub to_here: Vec<Message>,
    pub to_there: Vec<Message>,
    /// How often each end of the ring has gone over.
    pub prod: u8,
    pub cons: u8,
    /// The last segment there was.
    pub last: u8,
    pub lives: u8,
    pub exchanges: u8,
    pub unlinked: bool,
    /// Segments that are still mapped though the other side says they are not.
    pub forgotten: BTreeSet<u8>,
    pub wrong: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    Connect,
    Accept,
    Refuse,
    HearHere,
    HearThere,
    /// There is no memory for what is offered.
    HearThereInVain,
    CloseHere,
    CloseThere,
    FinishHere,
    FinishThere,
    BreakHere,
    BreakThere,
    Offer,
    GoOverHere,
    GoOverThere,
    Follow,
    Crossed,
    Unlink,
}

pub const EVENTS: [Event; 18] = [
    Event::Connect,
    Event::Accept,
    Event::Refuse,
    Event::HearHere,
    Event::HearThere,
    Event::HearThereInVain,
    Event::CloseHere,
    Event::CloseThere,
    Event::FinishHere,
    Event::FinishThere,
    Event::BreakHere,
    Event::BreakThere,
    Event::Offer,
    Event::GoOverHere,
    Event::GoOverThere,
    Event::Follow,
    Event::Crossed,
    Event::Unlink,
];

impl Half {
    fn new(segment: u8, stage: Stage) -> Self {
        Self {
            record: Some(Record {
                stage,
                segments: Exchange::new(segment),
            }),
            ring: Some(Ring {
                now: segment,
                other: None,
            }),
            ..Self::default()
        }
    }

    fn stage(&self) -> Option<Stage> {
        self.record.as_ref().map(|record| record.stage)
    }

    /// The segments that this side has.
    pub fn segments(&self) -> BTreeSet<u8> {
        let ring = self.ring.iter();
        let mut all: BTreeSet<u8> = ring
            .flat_map(|ring| [Some(ring.now), ring.other])
            .flatten()
            .collect();
        if let Some(record) = &self.record {
            let mut segments = record.segments.clone();
            all.insert(*segments.now());
            all.extend(segments.next());
            all.extend(segments.declined().ok());
            all.extend(segments.dropped().ok());
        }
        all
    }

    /// Lets the socket know that the connection is lost.
    fn disconnect(&mut self) {
        self.ring = None;
        self.closed = false;
    }

    fn has_next(&self) -> bool {
        let record = self.record.as_ref();
        self.ring.is_some() && record.is_some_and(|record| record.segments.next().is_some())
    }
}

impl State {
    fn check(&mut self, holds: bool, wrong: &'static str) {
        if !holds {
            self.wrong.get_or_insert(wrong);
        }
    }

    fn send_there(&mut self, message: Message) {
        if !self.unlinked {
            self.to_there.push(message);
        }
    }

    fn send_here(&mut self, message: Message) {
        if !self.unlinked {
            self.to_here.push(message);
        }
    }

    fn new_segment(&mut self) -> u8 {
        self.last += 1;
        self.last
    }

    /// Whether both programs may write.
    pub fn is_open(&self) -> bool {
        let open = |half: &Half| half.ring.is_some() && half.stage() == Some(Stage::Open);
        open(&self.here) && open(&self.there)
    }

    /// Takes a ring over to its other segment.
    fn switch(half: &mut Half) {
        if let Some(ring) = &mut half.ring {
            if let Some(next) = ring.other.take() {
                ring.now = next;
            }
        }
    }
}

impl House {
    /// Whether an event can happen now.
    pub fn is_possible(&self, state: &State, event: Event) -> bool {
        let (here, there) = (&state.here, &state.there);
        match event {
            Event::Connect => {
                let free = here.record.is_none() && here.ring.is_none();
                free && state.lives < LIVES && !state.unlinked
            }
            Event::Accept | Event::Refuse => state.asked.is_some(),
            Event::HearHere => !state.to_here.is_empty(),
            Event::HearThere => !state.to_there.is_empty(),
            Event::HearThereInVain => matches!(state.to_there.first(), Some(Message::Offer(_))),
            Event::CloseHere => here.ring.is_some(),
            Event::CloseThere => there.ring.is_some(),
            Event::FinishHere => here.closed && here.record.is_some(),
            Event::FinishThere => there.closed && there.record.is_some(),
            Event::BreakHere => here.ring.is_some() && here.record.is_some(),
            Event::BreakThere => there.ring.is_some() && there.record.is_some(),
            Event::Offer => {
                let settled = here.record.as_ref().is_some_and(|record| {
                    record.stage == Stage::Open && record.segments.is_settled()
                });
                settled && state.exchanges < EXCHANGES && self.can_be_offered(state)
            }
            Event::GoOverHere => self.end == End::Producer && here.has_next(),
            Event::GoOverThere => self.end == End::Consumer && there.has_next(),
            Event::Follow => state.prod != state.cons && self.consumer(state).ring.is_some(),
            Event::Crossed => self.consumer(state).crossed,
            Event::Unlink => !state.unlinked,
        }
    }

    /// Whether a consumer at the opener has a place for another segment.
    fn can_be_offered(&self, state: &State) -> bool {
        let ring = state.here.ring.as_ref();
        self.end == End::Producer || ring.is_some_and(|ring| ring.other.is_none())
    }

    fn consumer<'a>(&self, state: &'a State) -> &'a Half {
        match self.end {
            End::Consumer => &state.here,
            End::Producer => &state.there,
        }
    }

    fn consumer_mut<'a>(&self, state: &'a mut State) -> &'a mut Half {
        match self.end {
            End::Consumer => &mut state.here,
            End::Producer => &mut state.there,
        }
    }

    fn connect(&self, state: &mut State) {
        state.lives += 1;
        state.exchanges = 0;
        (state.prod, state.cons) = (0, 0);
        let segment = state.new_segment();
        state.here = Half::new(segment, Stage::Opening);
        let refs = [u32::from(segment)];
        state.send_there(Message::Connect(Connect {
            slot: SLOT,
            socket: Socket::Stream,
            src_port: 1,
            dst_port: 2,
            limit: 0,
            page: 0,
            segments: Segments::new([SIZE; 2], [&refs; 2]).unwrap(),
        }));
    }

    fn decide(&self, state: &mut State, accept: bool) {
        let Some(segment) = state.asked.take() else {
            return;
        };
        if accept {
            state.there = Half::new(segment, Stage::Open);
            state.send_here(Message::Accept { slot: SLOT });
        } else {
            let reason = Reason::NoListener;
            state.send_here(Message::Refuse { slot: SLOT, reason });
        }
    }

    fn finish_here(&self, state: &mut State) {
        state.here.closed = false;
        let Some(record) = &mut state.here.record else {
            return;
        };
        match record.stage.left() {
            Leave::Wait => {}
            Leave::Cancel => {
                let reason = Reason::Cancelled;
                state.send_there(Message::Reset { slot: SLOT, reason });
                if self.flaw == Flaw::ForgetUnanswered {
                    state.here.record = None;
                }
            }
            Leave::Forget => state.here.record = None,
        }
    }

    fn finish_there(&self, state: &mut State) {
        state.there.closed = false;
        if self.flaw == Flaw::ReleaseFirst {
            state.forgotten = state.there.segments();
        }
        state.there.record = None;
        state.send_here(Message::Released { slot: SLOT });
    }

    fn break_off(&self, state: &mut State, here: bool) {
        let reset = Message::Reset {
            slot: SLOT,
            reason: Reason::Broken,
        };
        if here {
            state.here.disconnect();
            state.send_there(reset);
            self.finish_here(state);
        } else {
            state.there.disconnect();
            state.send_here(reset);
            self.finish_there(state);
        }
    }

    fn offer(&self, state: &mut State) {
        state.exchanges += 1;
        let segment = state.new_segment();
        if self.end == End::Consumer {
            if let Some(ring) = &mut state.here.ring {
                ring.other = Some(segment);
            }
        }
        if let Some(record) = &mut state.here.record {
            let offered = record.segments.offer(segment);
            state.check(offered.is_ok(), "offered twice");
        }
        let lists = [u32::from(segment)];
        let offer = Offer::new(SLOT, DIRECTION, SIZE, &lists).unwrap();
        state.send_there(Message::Offer(offer));
    }

    fn go_over_here(&self, state: &mut State) {
        state.check(state.prod == state.cons, "the consumer has not followed");
        let Some(record) = &mut state.here.record else {
            return;
        };
        record.segments.went_over();
        let now = *record.segments.now();
        state.here.ring = Some(Ring { now, other: None });
        if self.flaw == Flaw::FreeWhenTaken {
            let _ = record.segments.dropped();
        }
        state.prod += 1;
    }

    fn go_over_there(&self, state: &mut State) {
        state.check(state.prod == state.cons, "the consumer has not followed");
        let Some(record) = &mut state.there.record else {
            return;
        };
        record.segments.left();
        let now = *record.segments.now();
        state.there.ring = Some(Ring { now, other: None });
        state.prod += 1;
        let (slot, direction) = (SLOT, DIRECTION);
        state.send_here(Message::Taken { slot, direction });
        state.send_here(Message::Dropped { slot, direction });
    }

    /// The other side hears of an offer.
    fn offered(&self, state: &mut State, segment: u8, mapped: bool) {
        let (slot, direction) = (SLOT, DIRECTION);
        let declined = Message::Declined { slot, direction };
        let consumes = self.end == End::Producer;
        let Half { record, ring, .. } = &mut state.there;
        let Some(record) = record else {
            return;
        };
        if !mapped || (consumes && ring.is_none()) {
            return state.send_here(declined);
        }
        let now = *record.segments.now();
        let settled = record.segments.mapped(segment).is_ok();
        state.check(settled, "offered twice");
        if !consumes {
            return;
        }
        if let Some(ring) = &mut state.there.ring {
            ring.other = Some(segment);
        }
        state.send_here(Message::Taken { slot, direction });
        if self.flaw == Flaw::DropWhenTaken {
            state.forgotten.insert(now);
            state.send_here(Message::Dropped { slot, direction });
        }
    }

    fn follow(&self, state: &mut State) {
        state.cons += 1;
        let consumer = self.consumer_mut(state);
        let knew = consumer.ring.as_ref().is_some_and(|it| it.other.is_some());
        State::switch(consumer);
        consumer.crossed = true;
        state.check(knew, "the consumer does not know of the segment");
    }

    fn crossed(&self, state: &mut State) {
        self.consumer_mut(state).crossed = false;
        if self.end == End::Consumer {
            return;
        }
        let record = state.there.record.as_mut();
        if record.and_then(|record| record.segments.left()).is_some() {
            let (slot, direction) = (SLOT, DIRECTION);
            state.send_here(Message::Dropped { slot, direction });
        }
    }

    fn hear_here(&self, state: &mut State) {
        let message = state.to_here.remove(0);
        let heard = self.here(state, message);
        state.check(heard.is_ok(), "an honest side violates the protocol");
    }

    fn here(&self, state: &mut State, message: Message) -> Result<(), Violation> {
        let half = &mut state.here;
        let record = half.record.as_mut().ok_or(Violation)?;
        match message {
            Message::Accept { .. } => {
                record.stage.accepted()?;
            }
            Message::Refuse { .. } => {
                if record.stage.refused()? {
                    half.disconnect();
                }
                half.record = None;
            }
            Message::Reset { .. } => {
                half.disconnect();
                self.finish_here(state);
            }
            Message::Released { .. } => {
                if record.stage.released()? {
                    half.record = None;
                }
            }
            Message::Taken { .. } => record.segments.taken(self.end)?,
            Message::Declined { .. } => {
                record.segments.declined()?;
                if let Some(ring) = &mut half.ring {
                    ring.other = None;
                }
            }
            Message::Dropped { .. } => {
                record.segments.dropped()?;
            }
            _ => return Err(Violation),
        }
        Ok(())
    }

    fn hear_there(&self, state: &mut State, memory: bool) {
        match state.to_there.remove(0) {
            Message::Connect(connect) => {
                let used = state.there.record.is_some() || state.asked.is_some();
                state.check(!used, "a connection is asked for twice");
                state.asked = Some(connect.segments.refs(DIRECTION)[0] as u8);
            }
            Message::Reset { .. } if state.there.record.is_some() => {
                state.there.disconnect();
                self.finish_there(state);
            }
            Message::Reset { .. } => {
                if state.asked.is_some() {
                    self.decide(state, false);
                } else {
                    state.check(self.flaw != Flaw::HearLate, "heard what has crossed");
                }
            }
            Message::Offer(offer) => self.offered(state, offer.lists()[0] as u8, memory),
            _ => state.check(false, "an honest side violates the protocol"),
        }
    }

    fn unlink(&self, state: &mut State) {
        state.unlinked = true;
        state.to_here.clear();
        state.to_there.clear();
        state.asked = None;
        state.there = Half::default();
        // What has come before the other side closed can still be read.
        let ring = match state.here.stage() {
            Some(Stage::Released) => state.here.ring.take(),
            _ => None,
        };
        state.here = Half {
            ring,
            ..Half::default()
        };
    }

    /// Lets an event happen.
    pub fn play(&self, state: &mut State, event: Event) {
        match event {
            Event::Connect => self.connect(state),
            Event::Accept => self.decide(state, true),
            Event::Refuse => self.decide(state, false),
            Event::HearHere => self.hear_here(state),
            Event::HearThere => self.hear_there(state, true),
            Event::HearThereInVain => self.hear_there(state, false),
            Event::CloseHere => {
                state.here.disconnect();
                state.here.closed = state.here.record.is_some();
            }
            Event::CloseThere => {
                state.there.disconnect();
                state.there.closed = true;
            }
            Event::FinishHere => self.finish_here(state),
            Event::FinishThere => self.finish_there(state),
            Event::BreakHere => self.break_off(state, true),
            Event::BreakThere => self.break_off(state, false),
            Event::Offer => self.offer(state),
            Event::GoOverHere => self.go_over_here(state),
            Event::GoOverThere => self.go_over_there(state),
            Event::Follow => self.follow(state),
            Event::Crossed => self.crossed(state),
            Event::Unlink => self.unlink(state),
        }
    }
}
