// SPDX-License-Identifier: GPL-2.0

//! A peer that sends any message at any time, to a side with connections of both kinds.

use crate::bytes::Bytes;
use socket_link::link::doorbell::{Bits, answer};
use socket_link::link::exchange::{End, Offering, Step, Take, Taking};
use socket_link::link::packet::Header;
use socket_link::link::segment::Size;
use socket_link::link::slots::{Actions, Answerer, Opener, Side, Slot, Table, Tell, Violation};
use socket_link::link::wire::{
    Connect, Direction, HEAD_MAX, Message, Offer, Reason, Rendezvous, parse_path,
};
use std::cell::RefCell;
use std::collections::HashMap;

/// Slots that each side opens here: few, so that messages hit them.
const SLOTS: u32 = 4;

/// A connection of either kind, and what is left of it.
struct Connection {
    state: Either,
    /// Each direction's segments: the one in use, and the one that replaces it.
    segments: [(bool, bool); 2],
    socket: bool,
    connected: bool,
}

enum Either {
    Opened(Opener, [Offering; 2]),
    Asked(Answerer, [Taking; 2]),
}

struct House {
    table: Table,
    connections: HashMap<Slot, Connection>,
}

/// Plays messages against a side.
pub fn attack(bytes: &[u8]) -> u64 {
    let mut bytes = Bytes::new(bytes);
    let mut house = House {
        table: Table::new(Side::Initiator, SLOTS),
        connections: HashMap::new(),
    };
    let mut heard = 0;
    while !bytes.is_empty() {
        let done = match bytes.byte() {
            0..=19 => house.connect(),
            20..=69 => house.act(&mut bytes),
            70..=74 => xenstore(&mut bytes),
            75..=79 => doorbell(&mut bytes),
            _ => {
                heard += 1;
                house.hear(&mut bytes)
            }
        };
        if done.is_err() {
            // The link is ended.
            for slot in house.connections.keys().copied().collect::<Vec<_>>() {
                house.unlink(slot);
            }
            assert!(house.connections.values().all(|left| left.socket));
            house.connections.clear();
            house.table = Table::new(Side::Initiator, SLOTS);
        }
    }
    heard
}

/// Returns a message: any bytes, or a good one about a slot that may be in use.
fn message(bytes: &mut Bytes<'_>) -> Option<Message> {
    let kind = bytes.byte() % 16;
    if bytes.byte() < 20 {
        let len = bytes.like(8);
        let head = bytes.take(len.min(HEAD_MAX as u32) as usize);
        return Message::decode(kind.into(), len, head).ok();
    }
    let slot = u32::from(bytes.byte()) % SLOTS + if bytes.byte() & 1 == 0 { 0 } else { 2048 };
    let words: &[u32] = match kind {
        2 => &[slot, 0, 1, 2, 3, 4, 0, 5, 6],
        3 | 6 => &[slot],
        4 | 5 => &[slot, (bytes.byte() % 9).into()],
        7 => &[
            slot,
            (bytes.byte() % 2).into(),
            (bytes.byte() % 14).into(),
            1,
            2,
            3,
            4,
        ],
        8..=10 => &[slot, (bytes.byte() % 2).into()],
        13 | 14 => &[slot, (bytes.byte() % 14).into()],
        _ => &[],
    };
    let head: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let found = Message::decode(kind.into(), head.len() as u32, &head).ok()?;
    // What is understood can be said again.
    let frame = found.encode();
    let (header, payload) = frame.bytes().split_first_chunk::<8>().unwrap();
    let header = Header::decode(*header);
    assert!(Message::decode(header.kind, header.len, payload) == Ok(found));
    Some(found)
}

fn xenstore(bytes: &mut Bytes<'_>) -> Result<(), Violation> {
    let len = bytes.byte().into();
    let text = bytes.take(len);
    if let Some(told) = Rendezvous::parse(text) {
        assert_eq!(told.encode().bytes(), text);
    }
    parse_path(text);
    let path = [b"/local/domain/", text].concat();
    if let Some(path) = parse_path(&path) {
        assert!(path.from < 0x7ff0 && path.to < 0x7ff0);
    }
    Ok(())
}

struct AnyBits<'a, 'b>(RefCell<&'a mut Bytes<'b>>);

impl AnyBits<'_, '_> {
    fn any(&self) -> u64 {
        let mut bytes = self.0.borrow_mut();
        (u64::from(bytes.word()) << 32) | u64::from(bytes.word())
    }
}

impl Bits for AnyBits<'_, '_> {
    fn set_summary(&self, _: u64) -> u64 {
        self.any()
    }

    fn take_summary(&self) -> u64 {
        self.any()
    }

    fn set(&self, _: usize, _: u64) {}

    fn take(&self, word: usize) -> u64 {
        assert!(word < 64);
        self.any()
    }
}

fn doorbell(bytes: &mut Bytes<'_>) -> Result<(), Violation> {
    let mut last = None;
    let rung = answer(&AnyBits(bytes.into()), |slot| {
        // Each once, in order.
        assert!(last < Some(slot));
        last = Some(slot);
    });
    assert!(rung <= 4096);
    Ok(())
}

impl House {
    fn connect(&mut self) -> Result<(), Violation> {
        if let Some(slot) = self.table.take() {
            let ends = [End::Producer, End::Consumer].map(Offering::new);
            let state = Either::Opened(Opener::new(slot), ends);
            assert!(
                self.connections
                    .insert(slot, Connection::new(state))
                    .is_none()
            );
        }
        Ok(())
    }

    /// Does what this side may do by itself.
    fn act(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Violation> {
        let number = u32::from(bytes.byte()) % SLOTS + if bytes.byte() & 1 == 0 { 0 } else { 2048 };
        let what = bytes.byte();
        let slot = Slot::new(number).unwrap();
        let Some(connection) = self.connections.get_mut(&slot) else {
            return Ok(());
        };
        let actions = match (what % 8, &mut connection.state) {
            (0, Either::Opened(opener, _)) => opener.broke(),
            (1, Either::Opened(opener, _)) => {
                let actions = opener.closed();
                connection.socket = false;
                actions
            }
            (0, Either::Asked(answerer, _)) => answerer.broke(),
            (1, Either::Asked(answerer, _)) if connection.connected => {
                let actions = answerer.closed();
                connection.socket = false;
                actions
            }
            (2 | 3, Either::Asked(answerer, _)) if !connection.connected => {
                connection.connected = true;
                connection.segments = [(true, false); 2];
                answerer.accept()
            }
            (4, Either::Asked(answerer, _)) if !connection.connected => {
                connection.connected = true;
                connection.socket = false;
                answerer.refuse(Reason::NoListener)
            }
            _ => return connection.exchange((what / 8) as usize % 2, what),
        };
        self.carry_out(slot, actions);
        Ok(())
    }

    fn hear(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Violation> {
        let Some(message) = message(bytes) else {
            return Err(Violation);
        };
        let Some(slot) = message.slot() else {
            return Ok(());
        };
        if let Message::Connect(Connect { .. }) = message {
            if slot.opener() == Side::Initiator || self.connections.contains_key(&slot) {
                return Err(Violation);
            }
            let ends = [End::Consumer, End::Producer].map(Taking::new);
            let state = Either::Asked(Answerer::new(slot), ends);
            self.connections.insert(slot, Connection::new(state));
            return Ok(());
        }
        let Some(connection) = self.connections.get_mut(&slot) else {
            return Ok(());
        };
        let actions = match (&mut connection.state, message) {
            (Either::Opened(opener, _), Message::Accept { .. }) => opener.accepted()?,
            (Either::Opened(opener, _), Message::Refuse { reason, .. }) => {
                opener.refused(reason)?
            }
            (Either::Opened(opener, _), Message::Reset { .. }) => opener.reset()?,
            (Either::Opened(opener, _), Message::Released { .. }) => opener.released()?,
            (Either::Asked(answerer, _), Message::Reset { reason, .. }) => {
                answerer.reset(reason)?
            }
            _ => return connection.hear(&message),
        };
        self.carry_out(slot, actions);
        Ok(())
    }

    fn carry_out(&mut self, slot: Slot, actions: Actions) {
        let connection = self.connections.get_mut(&slot).unwrap();
        let about = [actions.send, actions.then].into_iter().flatten();
        assert!(
            about
                .map(|message| message.slot())
                .all(|about| about == Some(slot))
        );
        match actions.tell {
            Some(Tell::Connected) => {
                assert!(!connection.connected && connection.socket);
                connection.connected = true;
            }
            Some(Tell::Closed) => assert!(connection.connected && connection.socket),
            Some(Tell::Lost | Tell::Refused(_)) => {
                assert!(connection.socket);
                connection.socket = false;
            }
            None => (),
        }
        assert_eq!(actions.free, actions.done);
        if actions.done {
            let opened = matches!(connection.state, Either::Opened(..));
            self.connections.remove(&slot);
            assert_eq!(self.table.give(slot), opened);
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let connection = self.connections.get_mut(&slot).unwrap();
        let actions = match &mut connection.state {
            Either::Opened(opener, _) => opener.unlinked(),
            Either::Asked(answerer, _) => answerer.unlinked(),
        };
        assert!(actions.send.is_none() && actions.then.is_none());
        self.carry_out(slot, actions);
    }
}

impl Connection {
    fn new(state: Either) -> Self {
        let segments = match state {
            Either::Opened(..) => [(true, false); 2],
            Either::Asked(..) => [(false, false); 2],
        };
        Self {
            state,
            segments,
            socket: true,
            connected: false,
        }
    }

    /// What this side does of itself about a direction's segments.
    fn exchange(&mut self, direction: usize, what: u8) -> Result<(), Violation> {
        let segments = &mut self.segments[direction];
        match &mut self.state {
            Either::Opened(opener, ends) if opener.is_writable() => {
                let offering = &mut ends[direction];
                if what & 1 == 0 && offering.offer(Size::MIN) {
                    assert!(!segments.1);
                    segments.1 = true;
                } else if direction == 1 && segments.1 && !offering.is_idle() && what & 2 == 0 {
                    let step = offering.crossed();
                    self.step(direction, step)?;
                }
            }
            Either::Asked(answerer, ends) if answerer.is_writable() => {
                let mut asked = ends[direction];
                if asked.offered().is_ok() {
                    return Ok(());
                }
                if asked.crossed() {
                    assert!(ends[direction].crossed() && *segments == (true, true));
                    segments.1 = false;
                } else if what & 1 == 0 {
                    ends[direction].decline();
                } else {
                    assert_eq!(*segments, (true, false));
                    segments.1 = ends[direction].take() == Take::Tell;
                }
            }
            _ => (),
        }
        Ok(())
    }

    fn hear(&mut self, message: &Message) -> Result<(), Violation> {
        let direction = match *message {
            Message::Taken { direction, .. }
            | Message::Declined { direction, .. }
            | Message::Dropped { direction, .. }
            | Message::Offer(Offer { direction, .. }) => direction,
            _ => return Err(Violation),
        };
        let index = usize::from(direction == Direction::ToOpener);
        match &mut self.state {
            Either::Opened(opener, ends) if opener.is_writable() => {
                let step = match message {
                    Message::Taken { .. } => ends[index].taken()?,
                    Message::Declined { .. } => ends[index].declined()?,
                    Message::Dropped { .. } => ends[index].dropped()?,
                    _ => return Err(Violation),
                };
                self.step(index, step)
            }
            Either::Asked(answerer, ends) if answerer.is_writable() => match message {
                Message::Offer(_) => ends[index].offered(),
                _ => Err(Violation),
            },
            _ => Ok(()),
        }
    }

    /// Frees one of the two segments, of which both have to be there.
    fn step(&mut self, direction: usize, step: Step) -> Result<(), Violation> {
        let segments = &mut self.segments[direction];
        match step {
            Step::Wait => (),
            Step::Switch(_) => assert_eq!(*segments, (true, true)),
            Step::FreeOld | Step::FreeNew => {
                assert_eq!(*segments, (true, true));
                segments.1 = false;
            }
        }
        Ok(())
    }
}
