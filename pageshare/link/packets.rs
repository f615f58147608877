// SPDX-License-Identifier: GPL-2.0

//! The rings of a link: a message is a packet.

use crate::{
    area::{
        packet::{
            self,
            Header, //
        },
        ring::{
            Consumer,
            Producer, //
        },
        segment::Place,
        wire::{
            self,
            Message,
            Side,
            CONTROL,
            MESSAGE_MAX, //
        }, //
    },
    lines::RingAt,
    xen::grant::Region, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// More messages never wait: a peer that takes none is gone.
const WAITING: usize = 1024;

/// The peer has broken a ring or the protocol, or takes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

/// Room for a message that is received.
pub(crate) type Letter = [u8; MESSAGE_MAX];

/// A message that there was no room for.
struct Waiting {
    kind: u16,
    payload: KVec<u8>,
}

/// The ring that we write.
struct Sender {
    lines: RingAt<Region>,
    ring: Producer,
    waiting: KVec<Waiting>,
}

/// The ring that we read.
struct Receiver {
    lines: RingAt<Region>,
    ring: Consumer,
}

/// Both rings of a link.
#[pin_data]
pub(super) struct Packets {
    /// Their segments, the member's first.
    memory: Arc<Region>,
    side: Side,
    #[pin]
    sender: Mutex<Sender>,
    #[pin]
    receiver: Mutex<Receiver>,
}

/// Where in the memory of both the segment is that a side writes, in bytes.
fn segment(writer: Side) -> usize {
    match writer {
        Side::Member => 0,
        Side::Owner => CONTROL.bytes() as usize,
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Member => Side::Owner,
        Side::Owner => Side::Member,
    }
}

impl Packets {
    /// The rings in `memory`, with their lines in `header`; we are `side`.
    pub(super) fn new(header: Arc<Region>, memory: Arc<Region>, side: Side) -> impl PinInit<Self> {
        pin_init!(Self {
            memory,
            side,
            sender <- new_mutex!(Sender {
                lines: RingAt::new(header.clone(), wire::control_lines(*side)),
                ring: Producer::new(CONTROL),
                waiting: KVec::new(),
            }),
            receiver <- new_mutex!(Receiver {
                lines: RingAt::new(header, wire::control_lines(other(*side))),
                ring: Consumer::new(CONTROL),
            }),
        })
    }

    /// Writes a message, if there is room; then returns whether the peer wants an event for it.
    fn write(&self, sender: &mut Sender, kind: u16, payload: &[u8]) -> Result<Option<bool>, Lost> {
        let Sender { lines, ring, .. } = sender;
        let header = Header {
            len: payload.len() as u32,
            flags: 0,
            kind,
        };
        let room = packet::room(ring, lines, header.len).map_err(|_| Lost)?;
        let Some(room) = room else {
            return Ok(None);
        };
        self.put(&room.header, &header.encode())?;
        self.put(&room.payload, payload)?;
        let wanted = ring.publish(lines, room.footprint);
        wanted.map(Some).map_err(|_| Lost)
    }

    /// Copies bytes to a place in the ring that we write.
    fn put(&self, place: &Place, bytes: &[u8]) -> Result<(), Lost> {
        let at = segment(self.side);
        let (first, second) = bytes.split_at_checked(place.first as usize).ok_or(Lost)?;
        let first = self.memory.write(at + place.offset as usize, first);
        let second = self.memory.write(at, second);
        first.and(second).map_err(|_| Lost)
    }

    /// Sends a message, or keeps it until there is room; returns whether the peer wants an event.
    ///
    /// Context: process context, may sleep.
    pub(super) fn send(&self, message: &Message<'_>) -> Result<bool, Lost> {
        let mut letter = [0; MESSAGE_MAX];
        let payload = message.encode(&mut letter);
        let mut sender = self.sender.lock();
        if sender.waiting.is_empty() {
            if let Some(event) = self.write(&mut sender, message.kind(), payload)? {
                return Ok(event);
            }
        }
        if sender.waiting.len() == WAITING {
            return Err(Lost);
        }
        let mut kept = KVec::new();
        kept.extend_from_slice(payload, GFP_KERNEL)
            .map_err(|_| Lost)?;
        let waiting = Waiting {
            kind: message.kind(),
            payload: kept,
        };
        sender.waiting.push(waiting, GFP_KERNEL).map_err(|_| Lost)?;
        let Sender { lines, ring, .. } = &mut *sender;
        ring.want_space(lines, 1).map_err(|_| Lost)?;
        Ok(false)
    }

    /// Sends what was kept, as far as there is room; returns whether the peer wants an event.
    ///
    /// Context: process context, may sleep.
    pub(super) fn flush(&self) -> Result<bool, Lost> {
        let mut sender = self.sender.lock();
        let waiting = core::mem::take(&mut sender.waiting);
        let mut event = false;
        let mut sent = 0;
        while let Some(next) = waiting.get(sent) {
            if let Some(wanted) = self.write(&mut sender, next.kind, &next.payload)? {
                event |= wanted;
                sent += 1;
                continue;
            }
            let Sender { lines, ring, .. } = &mut *sender;
            let space = packet::footprint(next.payload.len() as u32).ok_or(Lost)?;
            if !ring.want_space(lines, space).map_err(|_| Lost)? {
                break;
            }
        }
        sender.waiting = waiting;
        let mut at = 0;
        sender.waiting.retain(|_| {
            at += 1;
            at > sent
        });
        Ok(event)
    }

    /// Copies a message to `letter`. Returns its kind, its length, and whether the peer wants an
    /// event because there is room now. [`None`] if there is no message; then an event comes when
    /// there is one.
    ///
    /// Context: process context, may sleep.
    pub(super) fn receive(&self, letter: &mut Letter) -> Result<Option<(u16, usize, bool)>, Lost> {
        let mut receiver = self.receiver.lock();
        let Receiver { lines, ring } = &mut *receiver;
        let limit = MESSAGE_MAX as u32;
        let header = |place: &Place, bytes: &mut [u8; 8]| {
            // A header that cannot be read stays empty, and that is none.
            let _ = self.get(place, bytes);
        };
        let mut packet = packet::peek(ring, lines, 0, limit, header);
        if let Ok(None) = packet {
            if !ring.want_data(lines, 1).map_err(|_| Lost)? {
                return Ok(None);
            }
            packet = packet::peek(ring, lines, 0, limit, header);
        }
        let packet = packet.map_err(|_| Lost)?.ok_or(Lost)?;
        let len = packet.header.len as usize;
        let payload = letter.get_mut(..len).ok_or(Lost)?;
        self.get(&packet.payload, payload)?;
        let event = ring.release(lines, packet.footprint).map_err(|_| Lost)?;
        Ok(Some((packet.header.kind, len, event)))
    }

    /// Copies what is at the beginning of a place in the ring that we read.
    fn get(&self, place: &Place, bytes: &mut [u8]) -> Result<(), Lost> {
        let at = segment(other(self.side));
        let first = bytes.len().min(place.first as usize);
        let (first, second) = bytes.split_at_mut(first);
        let first = self.memory.read(at + place.offset as usize, first);
        let second = self.memory.read(at, second);
        first.and(second).map_err(|_| Lost)
    }
}
