// SPDX-License-Identifier: GPL-2.0

//! The control rings of a link: messages about its connections.

use crate::{
    link::{
        packet,
        ring::{
            Consumer,
            Producer, //
        },
        segment::{
            Place,
            Size, //
        },
        slots::{
            Side,
            Violation, //
        },
        wire::{
            self,
            Message,
            CONTROL_MAX,
            HEAD_MAX, //
        }, //
    },
    memory::{
        RingAt,
        Shared, //
    },
    vsock::Datagram, //
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
const WAITING: usize = 16384;

/// So much of the ring is left to other messages by datagrams, in bytes.
const NO_DATAGRAMS: u32 = Size::CONTROL.bytes() / 4;

/// The ring that we write.
struct Sender {
    lines: RingAt,
    ring: Producer,
    /// Messages that there was no room for.
    waiting: KVVec<Message>,
}

/// The ring that we read.
struct Receiver {
    lines: RingAt,
    ring: Consumer,
}

/// Both control rings of a link.
#[pin_data]
pub(crate) struct Control {
    /// Their segments, the initiator's first.
    memory: Arc<Shared>,
    side: Side,
    #[pin]
    sender: Mutex<Sender>,
    #[pin]
    receiver: Mutex<Receiver>,
}

/// The peer has broken a control ring, or takes nothing from it.
#[derive(Debug)]
pub(crate) struct Lost;

impl From<Violation> for Lost {
    fn from(_: Violation) -> Self {
        Lost
    }
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is in the ring, and the peer looks there.
    Quietly,
    /// It is in the ring, and the peer wants an event.
    Tell,
    /// There was no room: [`Control::flush`] sends it.
    Kept,
}

/// What has come.
pub(crate) struct Received {
    pub(crate) message: Message,
    /// Of a datagram, unless there was no memory for it.
    pub(crate) payload: Option<Datagram>,
    /// The peer wants an event because there is room now.
    pub(crate) event: bool,
}

/// Where in the memory of both the segment is that a side writes, in bytes.
fn segment(writer: Side) -> usize {
    match writer {
        Side::Initiator => 0,
        Side::Acceptor => Size::CONTROL.bytes() as usize,
    }
}

impl Control {
    /// The control rings in `memory`, with their lines in `header`; we are `side`.
    pub(crate) fn new(header: Arc<Shared>, memory: Arc<Shared>, side: Side) -> impl PinInit<Self> {
        pin_init!(Self {
            memory,
            side,
            sender <- new_mutex!(Sender {
                lines: RingAt::new(header.clone(), wire::control_lines(*side)),
                ring: Producer::new(Size::CONTROL),
                waiting: KVVec::new(),
            }),
            receiver <- new_mutex!(Receiver {
                lines: RingAt::new(header, wire::control_lines(side.other())),
                ring: Consumer::new(Size::CONTROL),
            }),
        })
    }

    /// Writes a message, and a datagram's payload, if there is room for it and `spare` bytes more;
    /// then returns whether the peer wants an event for it.
    fn write(
        &self,
        sender: &mut Sender,
        message: &Message,
        payload: &[u8],
        spare: u32,
    ) -> Result<Option<bool>, Lost> {
        let Sender { lines, ring, .. } = sender;
        let frame = message.encode();
        if ring.free(lines).map_err(|_| Lost)? < frame.footprint() + spare {
            return Ok(None);
        }

        let bytes = frame.bytes();
        let place = ring.place((bytes.len() + payload.len()) as u32);
        let head = self.put(&place, bytes);
        let rest = self.put(&place.after(bytes.len() as u32), payload);
        head.and(rest).map_err(|_| Lost)?;
        let wanted = ring.publish(lines, frame.footprint());
        wanted.map(Some).map_err(|_| Lost)
    }

    /// Writes what is at the beginning of a place in the ring that we write.
    fn put(&self, place: &Place, bytes: &[u8]) -> Result {
        let at = segment(self.side);
        let first = bytes.len().min(place.first as usize);
        let (first, second) = bytes.split_at_checked(first).ok_or(EINVAL)?;
        self.memory.write(at + place.offset as usize, first)?;
        self.memory.write(at, second)
    }

    /// Sends a datagram, unless there is no room.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn send_datagram(
        &self,
        message: &Message,
        payload: &[u8],
    ) -> Result<Option<Sent>, Lost> {
        let mut sender = self.sender.lock();
        if !sender.waiting.is_empty() {
            return Ok(None);
        }
        let wanted = self.write(&mut sender, message, payload, NO_DATAGRAMS)?;
        Ok(wanted.map(|tell| if tell { Sent::Tell } else { Sent::Quietly }))
    }

    /// Sends a message, or keeps it until there is room.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn send(&self, message: Message) -> Result<Sent, Lost> {
        let mut sender = self.sender.lock();
        if sender.waiting.is_empty() {
            match self.write(&mut sender, &message, &[], 0)? {
                Some(true) => return Ok(Sent::Tell),
                Some(false) => return Ok(Sent::Quietly),
                None => {}
            }
        }
        if sender.waiting.len() == WAITING {
            return Err(Lost);
        }
        let kept = sender.waiting.push(message, GFP_KERNEL);
        kept.map_err(|_| Lost)?;
        Ok(Sent::Kept)
    }

    /// Sends what was kept, as far as there is room; returns whether the peer wants an event. For
    /// what is left an event comes when there is room.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn flush(&self) -> Result<bool, Lost> {
        let mut sender = self.sender.lock();
        let mut event = false;
        let mut sent = 0;
        while let Some(message) = sender.waiting.get(sent).copied() {
            if let Some(wanted) = self.write(&mut sender, &message, &[], 0)? {
                event |= wanted;
                sent += 1;
                continue;
            }
            let Sender { lines, ring, .. } = &mut *sender;
            let space = message.encode().footprint();
            if !ring.want_space(lines, space).map_err(|_| Lost)? {
                break;
            }
        }
        let mut at = 0;
        sender.waiting.retain(|_| {
            at += 1;
            at > sent
        });
        Ok(event)
    }

    /// Receives a message. [`None`] if there is none; then an event comes when there is one.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn receive(&self) -> Result<Option<Received>, Lost> {
        let mut receiver = self.receiver.lock();
        let Receiver { lines, ring } = &mut *receiver;
        let read = |place: &Place, bytes: &mut [u8]| self.read(place, bytes);
        let mut packet = packet::peek(ring, lines, 0, CONTROL_MAX, |place, bytes| {
            // A header that cannot be read stays empty, and that is none.
            let _ = read(place, bytes);
        });
        if let Ok(None) = packet {
            if !ring.want_data(lines, 1).map_err(|_| Lost)? {
                return Ok(None);
            }
            packet = packet::peek(ring, lines, 0, CONTROL_MAX, |place, bytes| {
                let _ = read(place, bytes);
            });
        }
        let packet = packet.map_err(|_| Lost)?.ok_or(Lost)?;

        let mut head = [0; HEAD_MAX];
        let len = packet.header.len;
        let head = &mut head[..HEAD_MAX.min(len as usize)];
        self.read(&packet.payload, head).map_err(|_| Lost)?;
        let message = Message::decode(packet.header.kind, len, head).map_err(|_| Lost)?;
        let payload = match message {
            Message::Datagram { len, .. } => self.payload(&packet.payload, len),
            _ => None,
        };
        let event = ring.release(lines, packet.footprint).map_err(|_| Lost)?;
        Ok(Some(Received {
            message,
            payload,
            event,
        }))
    }

    /// Copies the `len` bytes of a datagram that are at the end of a place.
    fn payload(&self, place: &Place, len: u32) -> Option<Datagram> {
        let mut datagram = Datagram::new(len as usize).ok()?;
        let place = place.after(place.len().checked_sub(len)?);
        self.read(&place, datagram.payload()).ok()?;
        Some(datagram)
    }

    /// Reads what is at the beginning of a place in the ring that we read.
    fn read(&self, place: &Place, bytes: &mut [u8]) -> Result {
        let at = segment(self.side.other());
        let first = bytes.len().min(place.first as usize);
        let (first, second) = bytes.split_at_mut(first);
        self.memory.read(at + place.offset as usize, first)?;
        self.memory.read(at, second)
    }
}
