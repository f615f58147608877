// SPDX-License-Identifier: GPL-2.0

//! Control messages as bytes: packets in the control ring, of the kind that is the message's number.
//! Each is a row of 32-bit words, as many as its kind has; a datagram has its payload behind them.

use super::{
    super::{
        packet::{
            footprint,
            Header,
            EOR, //
        },
        segment::Size,
        slots::Slot,
    },
    message::{
        list_pages,
        Connect,
        Direction,
        Message,
        Offer,
        Reason,
        Segments,
        Socket,
        CONNECT_REFS,
        FIRST_ORDER_MAX,
        LISTED_MAX, //
    },
    DATAGRAM_MAX, //
};

/// Words before the grant references of a [`Connect`].
const CONNECT_WORDS: usize = 8;

/// Bytes of the longest message, without a datagram's payload: so many are enough to decode one.
pub const HEAD_MAX: usize = 4 * (CONNECT_WORDS + CONNECT_REFS);

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// There is no such kind.
    Kind,
    /// A message of this kind has another length.
    Length,
    /// A value is out of its range.
    Value,
}

impl Message {
    /// Returns the message as bytes for the control ring; a datagram's payload comes behind them.
    pub fn encode(&self) -> Frame {
        let mut frame = Frame::new();
        match *self {
            Message::Connect(connect) => frame.connect(&connect),
            Message::Accept { slot } | Message::Released { slot } => frame.words(&[slot.number()]),
            Message::Refuse { slot, reason } | Message::Reset { slot, reason } => {
                frame.words(&[slot.number(), reason as u32])
            }
            Message::Offer(offer) => {
                frame.words(&[
                    offer.slot.number(),
                    offer.direction as u32,
                    offer.size.order().into(),
                ]);
                frame.words(&offer.lists);
            }
            Message::Taken { slot, direction }
            | Message::Declined { slot, direction }
            | Message::Dropped { slot, direction } => {
                frame.words(&[slot.number(), direction as u32]);
            }
            Message::Datagram {
                src_port, dst_port, ..
            } => frame.words(&[src_port, dst_port]),
            Message::Want { slot, size } | Message::NoLarger { slot, size } => {
                frame.words(&[slot.number(), size.order().into()]);
            }
            Message::Goodbye => (),
        }
        frame.finish(self)
    }

    /// Returns the message of this kind. `head` is the packet's payload, of which everything behind
    /// the first [`HEAD_MAX`] bytes may be missing; `len` is the length of all of it.
    pub fn decode(kind: u16, len: u32, head: &[u8]) -> Result<Self, Malformed> {
        let mut words = Words(head);
        let message = match kind {
            2 => Message::Connect(words.connect()?),
            3 => Message::Accept {
                slot: words.slot()?,
            },
            4 => Message::Refuse {
                slot: words.slot()?,
                reason: words.reason()?,
            },
            5 => Message::Reset {
                slot: words.slot()?,
                reason: words.reason()?,
            },
            6 => Message::Released {
                slot: words.slot()?,
            },
            7 => Message::Offer(words.offer()?),
            8 => Message::Taken {
                slot: words.slot()?,
                direction: words.direction()?,
            },
            9 => Message::Declined {
                slot: words.slot()?,
                direction: words.direction()?,
            },
            10 => Message::Dropped {
                slot: words.slot()?,
                direction: words.direction()?,
            },
            11 => return words.datagram(len),
            12 => Message::Goodbye,
            13 => Message::Want {
                slot: words.slot()?,
                size: words.size(Size::MAX_ORDER)?,
            },
            14 => Message::NoLarger {
                slot: words.slot()?,
                size: words.size(Size::MAX_ORDER)?,
            },
            _ => return Err(Malformed::Kind),
        };
        if words.0.is_empty() && len as usize == head.len() {
            Ok(message)
        } else {
            Err(Malformed::Length)
        }
    }
}

/// A packet for the control ring.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    bytes: [u8; 8 + HEAD_MAX],
    used: usize,
    footprint: u32,
}

impl Frame {
    const fn new() -> Self {
        Self {
            bytes: [0; 8 + HEAD_MAX],
            used: 8,
            footprint: 0,
        }
    }

    /// Returns the header and the message.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&[])
    }

    /// Returns the bytes that the whole packet takes in the ring: what to publish.
    pub const fn footprint(&self) -> u32 {
        self.footprint
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            let end = self.used + 4;
            if let Some(to) = self.bytes.get_mut(self.used..end) {
                to.copy_from_slice(&word.to_le_bytes());
                self.used = end;
            }
        }
    }

    fn connect(&mut self, connect: &Connect) {
        self.words(&[
            connect.slot.number(),
            connect.socket as u32,
            connect.src_port,
            connect.dst_port,
            connect.limit,
            connect.page,
        ]);
        self.words(&connect.segments.sizes.map(|size| size.order().into()));
        self.words(connect.segments.refs(Direction::FromOpener));
        self.words(connect.segments.refs(Direction::ToOpener));
    }

    fn finish(mut self, message: &Message) -> Self {
        let payload = match message {
            Message::Datagram { len, .. } => (*len).min(DATAGRAM_MAX),
            _ => 0,
        };
        let header = Header {
            len: (self.used - 8) as u32 + payload,
            flags: EOR,
            kind: message.kind(),
        };
        if let Some(to) = self.bytes.first_chunk_mut() {
            *to = header.encode();
        }
        self.footprint = footprint(header.len).unwrap_or(0);
        self
    }
}

/// What is left of a message's words.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Result<u32, Malformed> {
        let (word, rest) = self.0.split_first_chunk().ok_or(Malformed::Length)?;

        self.0 = rest;
        Ok(u32::from_le_bytes(*word))
    }

    fn slot(&mut self) -> Result<Slot, Malformed> {
        Slot::new(self.next()?).ok_or(Malformed::Value)
    }

    fn reason(&mut self) -> Result<Reason, Malformed> {
        Ok(Reason::from_word(self.next()?))
    }

    fn direction(&mut self) -> Result<Direction, Malformed> {
        match self.next()? {
            0 => Ok(Direction::FromOpener),
            1 => Ok(Direction::ToOpener),
            _ => Err(Malformed::Value),
        }
    }

    fn socket(&mut self) -> Result<Socket, Malformed> {
        match self.next()? {
            0 => Ok(Socket::Stream),
            1 => Ok(Socket::SeqPacket),
            _ => Err(Malformed::Value),
        }
    }

    fn size(&mut self, max_order: u8) -> Result<Size, Malformed> {
        let order = u8::try_from(self.next()?).map_err(|_| Malformed::Value)?;

        match Size::from_order(order) {
            Some(size) if order <= max_order => Ok(size),
            _ => Err(Malformed::Value),
        }
    }

    fn connect(&mut self) -> Result<Connect, Malformed> {
        Ok(Connect {
            slot: self.slot()?,
            socket: self.socket()?,
            src_port: self.next()?,
            dst_port: self.next()?,
            limit: self.next()?,
            page: self.next()?,
            segments: self.segments()?,
        })
    }

    fn segments(&mut self) -> Result<Segments, Malformed> {
        let sizes = [self.size(FIRST_ORDER_MAX)?, self.size(FIRST_ORDER_MAX)?];
        let pages: u32 = sizes.iter().map(|size| size.pages()).sum();
        let mut refs = [0; CONNECT_REFS];

        for to in refs.iter_mut().take(pages as usize) {
            *to = self.next()?;
        }
        Ok(Segments { sizes, refs })
    }

    fn offer(&mut self) -> Result<Offer, Malformed> {
        let mut offer = Offer {
            slot: self.slot()?,
            direction: self.direction()?,
            size: self.size(Size::MAX_ORDER)?,
            lists: [0; LISTED_MAX],
        };
        for to in &mut offer.lists {
            *to = self.next()?;
        }
        // What is not used says nothing, so that equal messages have equal bytes.
        let used = list_pages(offer.size);
        offer
            .lists
            .iter_mut()
            .skip(used)
            .for_each(|unused| *unused = 0);
        Ok(offer)
    }

    fn datagram(&mut self, len: u32) -> Result<Message, Malformed> {
        let (src_port, dst_port) = (self.next()?, self.next()?);
        let len = len.checked_sub(8).ok_or(Malformed::Length)?;

        if len > DATAGRAM_MAX {
            return Err(Malformed::Length);
        }
        Ok(Message::Datagram {
            src_port,
            dst_port,
            len,
        })
    }
}
