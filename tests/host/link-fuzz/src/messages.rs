// SPDX-License-Identifier: GPL-2.0

//! A peer that sends any message at any time, to a side with connections of both kinds.

use crate::bytes::Bytes;
use socket_link::link::doorbell::{Bits, answer};
use socket_link::link::exchange::{End, Exchange};
use socket_link::link::packet::Header;
use socket_link::link::slots::{Side, Slot, Violation};
use socket_link::link::stage::{Leave, Stage};
use socket_link::link::wire::{Direction, HEAD_MAX, Message, Rendezvous, parse_path};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

/// Slots that each side opens here: few, so that messages hit them.
const SLOTS: u32 = 4;

/// A connection, as the driver keeps it. A segment is a number.
struct Connection {
    stage: Stage,
    segments: [Exchange<u32>; 2],
    socket: bool,
}

/// The side that is attacked.
struct House {
    connections: HashMap<Slot, Connection>,
    /// The next segment.
    next: u32,
}

/// Plays messages against a side.
pub fn attack(bytes: &[u8]) -> u64 {
    let mut bytes = Bytes::new(bytes);
    let mut house = House {
        connections: HashMap::new(),
        next: 0,
    };
    let mut heard = 0;
    while !bytes.is_empty() {
        let done = match bytes.byte() {
            0..=19 => house.connect(&mut bytes),
            20..=69 => house.act(&mut bytes),
            70..=74 => xenstore(&mut bytes),
            75..=79 => doorbell(&mut bytes),
            _ => {
                heard += 1;
                house.hear(&mut bytes)
            }
        };
        house.check();
        if done.is_err() {
            // The link is ended.
            house.connections.clear();
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

fn slot(bytes: &mut Bytes<'_>, opener: Side) -> Slot {
    let first = if opener == Side::Initiator { 0 } else { 2048 };
    Slot::new(first + u32::from(bytes.byte()) % SLOTS).unwrap()
}

impl House {
    fn segment(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn insert(&mut self, slot: Slot, stage: Stage) {
        let segments = [self.segment(), self.segment()].map(Exchange::new);
        let connection = Connection {
            stage,
            segments,
            socket: true,
        };
        assert!(self.connections.insert(slot, connection).is_none());
    }

    fn connect(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Violation> {
        let slot = slot(bytes, Side::Initiator);
        if !self.connections.contains_key(&slot) {
            self.insert(slot, Stage::Opening);
        }
        Ok(())
    }

    /// Does what this side may do by itself.
    fn act(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Violation> {
        let ours = bytes.byte() & 1 == 0;
        let opener = if ours {
            Side::Initiator
        } else {
            Side::Acceptor
        };
        let slot = slot(bytes, opener);
        let what = bytes.byte();
        let next = self.segment();
        let Some(connection) = self.connections.get_mut(&slot) else {
            return Ok(());
        };
        if what < 40 {
            self.leave(slot);
            return Ok(());
        }
        let segments = &mut connection.segments[usize::from(what & 1)];
        if !ours {
            segments.left();
        } else if what & 2 == 0 {
            segments.went_over();
        } else if connection.stage == Stage::Open {
            let settled = segments.is_settled();
            assert_eq!(segments.offer(next).is_ok(), settled);
        }
        Ok(())
    }

    /// The socket is closed, or has lost its connection.
    fn leave(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(&slot) else {
            return;
        };
        connection.socket = false;
        if slot.opener() == Side::Acceptor || connection.stage.left() == Leave::Forget {
            self.connections.remove(&slot);
        }
    }

    fn hear(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Violation> {
        let message = message(bytes).ok_or(Violation)?;
        let Some(slot) = message.slot() else {
            return Ok(());
        };
        let ours = slot.opener() == Side::Initiator;
        match message {
            Message::Connect(_) if !ours && !self.connections.contains_key(&slot) => {
                // It may be refused.
                if bytes.byte() & 1 == 0 {
                    self.insert(slot, Stage::Open);
                }
                Ok(())
            }
            Message::Reset { .. } => {
                self.leave(slot);
                Ok(())
            }
            Message::Offer(offer) if !ours => {
                let next = self.segment();
                if let Some(connection) = self.connections.get_mut(&slot) {
                    let segments = &mut connection.segments[offer.direction.index()];
                    let settled = segments.is_settled();
                    assert_eq!(segments.mapped(next).is_ok(), settled);
                }
                Ok(())
            }
            _ if ours => self.hear_answer(slot, message),
            _ => Err(Violation),
        }
    }

    /// Hears what the other side says about a connection that was opened here.
    fn hear_answer(&mut self, slot: Slot, message: Message) -> Result<(), Violation> {
        let connection = self.connections.get_mut(&slot).ok_or(Violation)?;
        let over = match message {
            Message::Accept { .. } => {
                assert!(!connection.stage.accepted()? || connection.socket);
                false
            }
            Message::Refuse { .. } => {
                assert!(!connection.stage.refused()? || connection.socket);
                true
            }
            Message::Released { .. } => connection.stage.released()?,
            Message::Taken { direction, .. } => {
                let end = match direction {
                    Direction::FromOpener => End::Producer,
                    Direction::ToOpener => End::Consumer,
                };
                connection.segments[direction.index()].taken(end)?;
                false
            }
            Message::Declined { direction, .. } => {
                connection.segments[direction.index()].declined()?;
                false
            }
            Message::Dropped { direction, .. } => {
                connection.segments[direction.index()].dropped()?;
                false
            }
            // The driver answers it, whatever it says.
            Message::Want { .. } => false,
            _ => return Err(Violation),
        };
        if over {
            self.connections.remove(&slot);
        }
        Ok(())
    }

    /// No segment is in two places, and no direction has more than two.
    fn check(&self) {
        let mut seen = BTreeSet::new();
        for (slot, connection) in &self.connections {
            let ours = slot.opener() == Side::Initiator;
            assert!(ours || connection.stage == Stage::Open);
            assert!(connection.socket || connection.stage == Stage::Leaving);
            for segments in &connection.segments {
                let mut left = segments.clone();
                let more = [
                    segments.next().copied(),
                    left.declined().ok(),
                    left.dropped().ok(),
                ];
                let more: Vec<u32> = more.into_iter().flatten().collect();
                assert!(more.len() <= 1, "{segments:?}");
                assert_eq!(more.is_empty(), segments.is_settled());
                for segment in more.into_iter().chain([*segments.now()]) {
                    assert!(seen.insert(segment), "{segments:?}");
                }
            }
        }
    }
}
