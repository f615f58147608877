// SPDX-License-Identifier: GPL-2.0

//! A connection between two sides, and what the driver does for it.

use socket_link::link::exchange::{End, Offering, Step, Take, Taking};
use socket_link::link::segment::Size;
use socket_link::link::slots::{Actions, Answerer, Opener, Slot, Tell, Violation};
use socket_link::link::wire::{Connect, Direction, Message, Offer, Reason, Segments, Socket};

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
    /// The answerer releases the connection before it has unmapped it.
    ReleaseFirst,
    /// The opener frees the old segment when the new one is taken.
    FreeWhenTaken,
    /// The answerer drops the old segment before its consumer has followed.
    DropWhenTaken,
    /// What has crossed with a release ends the link.
    HearLate,
}

/// A connection, and which end of its one direction the opener is.
#[derive(Clone)]
pub struct House {
    pub end: End,
    pub flaw: Flaw,
}

/// The side that opens the connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Here {
    pub opener: Option<Opener>,
    pub offering: Option<Offering>,
    pub socket: bool,
    /// Page, segment 0, segment 1.
    pub granted: [bool; 3],
}

/// The side that is asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct There {
    pub answerer: Option<Answerer>,
    pub taking: Option<Taking>,
    pub socket: bool,
    pub undecided: bool,
    pub mapped: [bool; 3],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct State {
    pub here: Here,
    pub there: There,
    pub to_here: Vec<Message>,
    pub to_there: Vec<Message>,
    /// The ring: generations of both ends, and whether the consumer knows of another segment.
    pub prod: u8,
    pub cons: u8,
    pub offered: bool,
    pub lives: u8,
    pub exchanges: u8,
    pub unlinked: bool,
    pub wrong: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    Connect,
    Accept,
    Refuse,
    HearHere,
    HearThere,
    CloseHere,
    CloseThere,
    BreakHere,
    BreakThere,
    Offer,
    Take,
    Decline,
    Follow,
    Unlink,
}

pub const EVENTS: [Event; 14] = [
    Event::Connect,
    Event::Accept,
    Event::Refuse,
    Event::HearHere,
    Event::HearThere,
    Event::CloseHere,
    Event::CloseThere,
    Event::BreakHere,
    Event::BreakThere,
    Event::Offer,
    Event::Take,
    Event::Decline,
    Event::Follow,
    Event::Unlink,
];

/// Which of [`Here::granted`] a generation's segment is.
pub const fn segment(generation: u8) -> usize {
    1 + (generation & 1) as usize
}

impl State {
    fn check(&mut self, holds: bool, wrong: &'static str) {
        if !holds {
            self.wrong.get_or_insert(wrong);
        }
    }

    fn agreed<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        self.check(result.is_ok(), "an honest side violates the protocol");
        result.ok()
    }

    fn send_there(&mut self, message: Option<Message>) {
        if !self.unlinked {
            self.to_there.extend(message);
        }
    }

    fn send_here(&mut self, message: Option<Message>) {
        if !self.unlinked {
            self.to_here.extend(message);
        }
    }

    fn revoke(&mut self, what: usize) {
        let mapped = self.there.mapped[what];
        self.check(!mapped || self.unlinked, "freed while it is mapped");
        self.check(self.here.granted[what], "freed twice");
        self.here.granted[what] = false;
    }

    fn map(&mut self, what: usize) {
        self.check(
            self.here.granted[what] || self.unlinked,
            "mapped though it is freed",
        );
        self.there.mapped[what] = true;
    }

    fn here_does(&mut self, actions: Actions) {
        let Actions {
            send,
            tell,
            free,
            then,
            done,
        } = actions;
        self.send_there(send);
        if tell.is_some_and(|tell| tell != Tell::Connected) {
            self.check(self.here.socket, "a closed socket is told");
        }
        if free {
            (0..3)
                .filter(|&what| self.here.granted[what])
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|what| self.revoke(what));
        }
        self.check(then.is_none(), "the opener releases");
        self.check(free == done, "the opener's memory outlives its slot");
        if done {
            self.here.opener = None;
        }
    }

    fn there_does(&mut self, actions: Actions, flaw: Flaw) {
        let Actions {
            send,
            tell,
            free,
            then,
            done,
        } = actions;
        self.send_here(send);
        if tell.is_some() {
            self.check(self.there.socket, "a closed socket is told");
        }
        if free && flaw != Flaw::ReleaseFirst {
            self.there.mapped = [false; 3];
        }
        self.send_here(then);
        if done {
            self.there.answerer = None;
        }
    }

    /// Whether both sides may write.
    pub fn is_open(&self) -> bool {
        let here = self.here.opener.as_ref().is_some_and(Opener::is_writable);
        here && self
            .there
            .answerer
            .as_ref()
            .is_some_and(Answerer::is_writable)
    }
}

impl House {
    /// Whether an event can happen now.
    pub fn is_possible(&self, state: &State, event: Event) -> bool {
        let (here, there) = (&state.here, &state.there);
        let writable = here.opener.as_ref().is_some_and(Opener::is_writable);
        let answered = there.answerer.is_some() && !there.undecided;
        let asked = there
            .taking
            .is_some_and(|mut taking| taking.offered().is_err() && !taking.crossed());
        match event {
            Event::Connect => {
                here.opener.is_none() && !here.socket && state.lives < LIVES && !state.unlinked
            }
            Event::Accept | Event::Refuse => there.undecided,
            Event::HearHere => !state.to_here.is_empty(),
            Event::HearThere => !state.to_there.is_empty(),
            Event::CloseHere => here.socket,
            Event::CloseThere => there.socket,
            Event::BreakHere => writable,
            Event::BreakThere => answered && there.socket,
            Event::Offer => {
                writable
                    && state.exchanges < EXCHANGES
                    && here.offering.is_some_and(|it| it.is_idle())
            }
            Event::Take | Event::Decline => answered && asked,
            Event::Follow => state.prod != state.cons && self.consumer_is_there(state),
            Event::Unlink => !state.unlinked,
        }
    }

    fn consumer_is_there(&self, state: &State) -> bool {
        match self.end {
            End::Consumer => state.here.opener.as_ref().is_some_and(Opener::is_readable),
            End::Producer => state
                .there
                .answerer
                .as_ref()
                .is_some_and(Answerer::is_readable),
        }
    }

    const fn other_end(&self) -> End {
        match self.end {
            End::Producer => End::Consumer,
            End::Consumer => End::Producer,
        }
    }

    fn connect(&self, state: &mut State) {
        state.lives += 1;
        state.check(
            state.there.answerer.is_none() || state.to_here.is_empty(),
            "slot used too early",
        );
        state.here = Here {
            opener: Some(Opener::new(SLOT)),
            offering: Some(Offering::new(self.end)),
            socket: true,
            granted: [true, true, false],
        };
        (state.prod, state.cons, state.offered, state.exchanges) = (0, 0, false, 0);
        state.send_there(Some(Message::Connect(Connect {
            slot: SLOT,
            socket: Socket::Stream,
            src_port: 1,
            dst_port: 2,
            limit: 0,
            page: 0,
            segments: Segments::new([SIZE; 2], [&[0]; 2]).unwrap(),
        })));
    }

    fn offer(&self, state: &mut State) {
        state.exchanges += 1;
        if self.end == End::Consumer {
            state.check(
                !state.offered && state.prod == state.cons,
                "offered too early",
            );
            state.offered = true;
        }
        let next = segment(state.cons + 1);
        state.check(
            !state.here.granted[next],
            "the other segment is still there",
        );
        state.here.granted[next] = true;
        state.here.offering.as_mut().unwrap().offer(SIZE);
        state.send_there(Some(Message::Offer(
            Offer::new(SLOT, DIRECTION, SIZE, &[0]).unwrap(),
        )));
    }

    fn switch(&self, state: &mut State) {
        state.check(
            state.prod == state.cons,
            "the consumer has not followed the last time",
        );
        state.check(state.offered, "the consumer does not know of the segment");
        state.prod += 1;
    }

    fn take(&self, state: &mut State) {
        let next = segment(state.prod + 1);
        state.check(
            !state.there.mapped[next],
            "the other segment is still mapped",
        );
        state.map(next);
        let (slot, direction) = (SLOT, DIRECTION);
        let dropped = Message::Dropped { slot, direction };
        let taken = Message::Taken { slot, direction };
        match state.there.taking.as_mut().unwrap().take() {
            Take::SwitchAndDrop => {
                self.switch(state);
                state.there.mapped[segment(state.prod - 1)] = false;
                state.to_here.extend([taken, dropped]);
            }
            Take::Tell => {
                state.check(!state.offered, "offered too early");
                state.offered = true;
                state.send_here(Some(taken));
                if self.flaw == Flaw::DropWhenTaken {
                    state.there.mapped[segment(state.cons)] = false;
                    state.send_here(Some(dropped));
                }
            }
        }
    }

    fn follow(&self, state: &mut State) {
        let old = segment(state.cons);
        state.cons += 1;
        state.offered = false;
        if self.end == End::Consumer {
            let step = state.here.offering.as_mut().unwrap().crossed();
            self.step(state, step);
        } else {
            let taken = state.there.taking.as_mut().unwrap().crossed();
            state.check(taken, "followed to a segment that was not taken");
            state.there.mapped[old] = false;
            let (slot, direction) = (SLOT, DIRECTION);
            if self.flaw != Flaw::DropWhenTaken {
                state.send_here(Some(Message::Dropped { slot, direction }));
            }
        }
    }

    fn step(&self, state: &mut State, step: Step) {
        match step {
            Step::Wait => (),
            Step::Switch(_) => {
                self.switch(state);
                if self.flaw == Flaw::FreeWhenTaken {
                    state.revoke(segment(state.prod - 1));
                }
            }
            Step::FreeOld => {
                state.check(
                    state.prod == state.cons,
                    "an end still uses the old segment",
                );
                state.revoke(segment(state.prod - 1));
            }
            Step::FreeNew => {
                if self.end == End::Consumer {
                    state.check(
                        state.offered && state.prod == state.cons,
                        "cannot be withdrawn",
                    );
                    state.offered = false;
                }
                state.revoke(segment(state.cons + 1));
            }
        }
    }

    fn hear_here(&self, state: &mut State) {
        let message = state.to_here.remove(0);
        let Some(opener) = &mut state.here.opener else {
            return state.check(false, "a message for a connection that is over");
        };
        let actions = match message {
            Message::Accept { .. } => opener.accepted(),
            Message::Refuse { reason, .. } => opener.refused(reason),
            Message::Reset { .. } => opener.reset(),
            Message::Released { .. } => opener.released(),
            _ if opener.is_writable() => return self.exchange(state, &message),
            _ => return,
        };
        if let Some(actions) = state.agreed(actions) {
            state.here_does(actions);
        }
    }

    fn exchange(&self, state: &mut State, message: &Message) {
        let offering = state.here.offering.as_mut().unwrap();
        let step = match message {
            Message::Taken { .. } => offering.taken(),
            Message::Declined { .. } => offering.declined(),
            Message::Dropped { .. } => offering.dropped(),
            _ => Err(Violation),
        };
        if let Some(step) = state.agreed(step) {
            self.step(state, step);
        }
    }

    fn hear_there(&self, state: &mut State) {
        let message = state.to_there.remove(0);
        let Some(answerer) = &mut state.there.answerer else {
            match message {
                Message::Connect(_) => {
                    let (answerer, taking) = (
                        Some(Answerer::new(SLOT)),
                        Some(Taking::new(self.other_end())),
                    );
                    state.there = There {
                        answerer,
                        taking,
                        undecided: true,
                        ..There::default()
                    };
                }
                _ => state.check(self.flaw != Flaw::HearLate, "heard what has crossed"),
            }
            return;
        };
        match message {
            Message::Reset { reason, .. } => {
                let actions = answerer.reset(reason);
                if let Some(actions) = state.agreed(actions) {
                    state.there_does(actions, self.flaw);
                }
            }
            Message::Offer(_) => {
                let offered = state.there.taking.as_mut().unwrap().offered();
                state.agreed(offered);
            }
            _ => state.check(false, "a connection is asked for twice"),
        }
    }

    fn decide(&self, state: &mut State, accept: bool) {
        state.there.undecided = false;
        if accept {
            state.map(0);
            state.map(1);
            state.there.socket = true;
        }
        let answerer = state.there.answerer.as_mut().unwrap();
        let actions = if accept {
            answerer.accept()
        } else {
            answerer.refuse(Reason::NoListener)
        };
        state.there_does(actions, self.flaw);
    }

    fn unlink(&self, state: &mut State) {
        state.unlinked = true;
        state.to_here.clear();
        state.to_there.clear();
        if let Some(opener) = &mut state.here.opener {
            let actions = opener.unlinked();
            state.here_does(actions);
        }
        if let Some(answerer) = &mut state.there.answerer {
            let actions = answerer.unlinked();
            state.there_does(actions, self.flaw);
        }
    }

    fn here_ends(&self, state: &mut State, end: fn(&mut Opener) -> Actions) {
        if let Some(opener) = &mut state.here.opener {
            let actions = end(opener);
            state.here_does(actions);
        }
    }

    fn there_ends(&self, state: &mut State, end: fn(&mut Answerer) -> Actions) {
        if let Some(answerer) = &mut state.there.answerer {
            let actions = end(answerer);
            state.there_does(actions, self.flaw);
        }
    }

    /// Lets an event happen.
    pub fn play(&self, state: &mut State, event: Event) {
        match event {
            Event::Connect => self.connect(state),
            Event::Accept => self.decide(state, true),
            Event::Refuse => self.decide(state, false),
            Event::HearHere => self.hear_here(state),
            Event::HearThere => self.hear_there(state),
            Event::CloseHere => {
                self.here_ends(state, Opener::closed);
                state.here.socket = false;
            }
            Event::CloseThere => {
                self.there_ends(state, Answerer::closed);
                state.there.socket = false;
            }
            Event::BreakHere => self.here_ends(state, Opener::broke),
            Event::BreakThere => self.there_ends(state, Answerer::broke),
            Event::Offer => self.offer(state),
            Event::Take => self.take(state),
            Event::Decline => {
                state.there.taking.as_mut().unwrap().decline();
                let (slot, direction) = (SLOT, DIRECTION);
                state.send_here(Some(Message::Declined { slot, direction }));
            }
            Event::Follow => self.follow(state),
            Event::Unlink => self.unlink(state),
        }
    }
}
