// SPDX-License-Identifier: GPL-2.0

//! Control messages: packets in the control ring, of the kind that is the message's number. Each is
//! a row of 32-bit words, as many as its kind has; a datagram has its payload behind them.

use super::{
    super::{
        packet::{
            footprint,
            Header,
            EOR, //
        },
        segment::Size,
        slots::{
            Side,
            Slot, //
        },
    },
    DATAGRAM_MAX, //
};

/// Binary logarithm of the pages of the largest segment that a connection may start with.
pub const FIRST_ORDER_MAX: u8 = 3;

/// Grant references that one list page holds.
pub const LISTED_PER_PAGE: u32 = 1024;

/// List pages that the largest segment needs.
pub const LISTED_MAX: usize = (Size::MAX.pages() / LISTED_PER_PAGE) as usize;

/// Grant references of both segments that a connection starts with, at the most.
const CONNECT_REFS: usize = 2 << FIRST_ORDER_MAX;

/// Words before the grant references of a [`Connect`].
const CONNECT_WORDS: usize = 7;

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

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the side that opened the connection to the other one.
    FromOpener,
    /// To the side that opened the connection.
    ToOpener,
}

impl Direction {
    /// Returns the direction in which `side` writes, on a connection that `opener` opened.
    pub fn written_by(side: Side, opener: Side) -> Self {
        if side == opener {
            Direction::FromOpener
        } else {
            Direction::ToOpener
        }
    }

    /// Returns the other direction.
    pub const fn other(self) -> Self {
        match self {
            Direction::FromOpener => Direction::ToOpener,
            Direction::ToOpener => Direction::FromOpener,
        }
    }

    /// Returns 0 or 1, to find something by.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What kind of socket a connection is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Socket {
    /// `SOCK_STREAM`: the rings carry bytes.
    Stream,
    /// `SOCK_SEQPACKET`: the rings carry packets.
    SeqPacket,
}

/// Why a connection did not come about, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A reason that this version does not know.
    Other = 0,
    /// Nobody listens on that port, or not for this kind of socket.
    NoListener = 1,
    /// The rules do not allow it.
    Denied = 2,
    /// The listener has too many connections waiting, or the peer too many open.
    Busy = 3,
    /// The other side has no memory for it, or cannot map what was granted.
    NoMemory = 4,
    /// The socket is closed, both ways.
    Closed = 5,
    /// The peer has broken the protocol on this connection.
    Broken = 6,
    /// The opener does not want it any more.
    Cancelled = 7,
}

impl Reason {
    const fn from_word(word: u32) -> Self {
        match word {
            1 => Reason::NoListener,
            2 => Reason::Denied,
            3 => Reason::Busy,
            4 => Reason::NoMemory,
            5 => Reason::Closed,
            6 => Reason::Broken,
            7 => Reason::Cancelled,
            _ => Reason::Other,
        }
    }
}

/// The segments that a connection starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segments {
    size: Size,
    refs: [u32; CONNECT_REFS],
}

impl Segments {
    /// Returns the segments, of `size` each, with these grant references. `None` if the size is of
    /// more than [`FIRST_ORDER_MAX`], or a segment does not have as many pages.
    pub fn new(size: Size, from_opener: &[u32], to_opener: &[u32]) -> Option<Self> {
        let pages = size.pages() as usize;
        if size.order() > FIRST_ORDER_MAX || [from_opener.len(), to_opener.len()] != [pages; 2] {
            return None;
        }
        let mut refs = [0; CONNECT_REFS];
        let given = from_opener.iter().chain(to_opener);
        refs.iter_mut()
            .zip(given)
            .for_each(|(to, from)| *to = *from);
        Some(Self { size, refs })
    }

    /// Returns the size of each.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Returns the grant references of a direction's segment.
    pub fn refs(&self, direction: Direction) -> &[u32] {
        let pages = self.size.pages() as usize;
        let start = pages * direction.index();

        self.refs.get(start..start + pages).unwrap_or(&[])
    }
}

/// The opener asks for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connect {
    /// The connection's number from now on.
    pub slot: Slot,
    /// What it is between.
    pub socket: Socket,
    /// The opener's port.
    pub src_port: u32,
    /// The port that somebody should listen on.
    pub dst_port: u32,
    /// The longest packet that the opener takes, in bytes.
    pub limit: u32,
    /// Grant reference of the connection's page.
    pub page: u32,
    /// Both directions' first segments.
    pub segments: Segments,
}

/// The opener offers another segment for a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Which connection.
    pub slot: Slot,
    /// Which direction.
    pub direction: Direction,
    /// The segment's size.
    pub size: Size,
    lists: [u32; LISTED_MAX],
}

impl Offer {
    /// Returns the message. `lists` are the grant references of the pages with the grant references
    /// of the segment, [`LISTED_PER_PAGE`] in each; `None` if those are not as many as it takes.
    pub fn new(slot: Slot, direction: Direction, size: Size, lists: &[u32]) -> Option<Self> {
        if lists.len() != list_pages(size) {
            return None;
        }
        let mut all = [0; LISTED_MAX];
        all.iter_mut().zip(lists).for_each(|(to, from)| *to = *from);
        Some(Self {
            slot,
            direction,
            size,
            lists: all,
        })
    }

    /// Returns the grant references of the list pages.
    pub fn lists(&self) -> &[u32] {
        self.lists.get(..list_pages(self.size)).unwrap_or(&[])
    }
}

fn list_pages(size: Size) -> usize {
    size.pages().div_ceil(LISTED_PER_PAGE) as usize
}

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Each side's first: what it speaks.
    Hello {
        /// [`VERSION`](super::VERSION).
        version: u32,
        /// How many connections it lets the other side open, at the most.
        slots: u32,
    },
    /// Opener: asks for a connection.
    Connect(Connect),
    /// The connection is there.
    Accept {
        /// Which one.
        slot: Slot,
    },
    /// The connection is not to be. What was granted for it is not mapped, now and later.
    Refuse {
        /// Which one.
        slot: Slot,
        /// Why.
        reason: Reason,
    },
    /// The connection is over, both ways.
    Reset {
        /// Which one.
        slot: Slot,
        /// Why.
        reason: Reason,
    },
    /// Not the opener: nothing of the connection is mapped any more, and its slot is free.
    Released {
        /// Which one.
        slot: Slot,
    },
    /// Not the opener: the ring that it writes is too small, it wants a segment of this size.
    Want {
        /// Which connection.
        slot: Slot,
        /// How large.
        size: Size,
    },
    /// Opener: another segment for a direction.
    Offer(Offer),
    /// Not the opener: the segment offered is mapped, and the producer may go over to it.
    Taken {
        /// Which connection.
        slot: Slot,
        /// Which direction.
        direction: Direction,
    },
    /// Not the opener: the segment offered is not mapped, and its pages' grants may end.
    Declined {
        /// Which connection.
        slot: Slot,
        /// Which direction.
        direction: Direction,
    },
    /// Not the opener: the segment before the newest is not mapped any more.
    Dropped {
        /// Which connection.
        slot: Slot,
        /// Which direction.
        direction: Direction,
    },
    /// A datagram; its payload follows.
    Datagram {
        /// The sender's port.
        src_port: u32,
        /// The receiver's port.
        dst_port: u32,
        /// Bytes of the payload, at most [`DATAGRAM_MAX`].
        len: u32,
    },
    /// The link is over, and all its connections.
    Goodbye,
}

impl Message {
    /// Returns the message's number.
    pub const fn kind(&self) -> u16 {
        match self {
            Message::Hello { .. } => 1,
            Message::Connect(_) => 2,
            Message::Accept { .. } => 3,
            Message::Refuse { .. } => 4,
            Message::Reset { .. } => 5,
            Message::Released { .. } => 6,
            Message::Offer(_) => 7,
            Message::Taken { .. } => 8,
            Message::Declined { .. } => 9,
            Message::Dropped { .. } => 10,
            Message::Datagram { .. } => 11,
            Message::Goodbye => 12,
            Message::Want { .. } => 13,
        }
    }

    /// Returns the connection that the message is about.
    pub const fn slot(&self) -> Option<Slot> {
        match self {
            Message::Connect(Connect { slot, .. })
            | Message::Offer(Offer { slot, .. })
            | Message::Accept { slot }
            | Message::Refuse { slot, .. }
            | Message::Reset { slot, .. }
            | Message::Released { slot }
            | Message::Want { slot, .. }
            | Message::Taken { slot, .. }
            | Message::Declined { slot, .. }
            | Message::Dropped { slot, .. } => Some(*slot),
            Message::Hello { .. } | Message::Datagram { .. } | Message::Goodbye => None,
        }
    }

    /// Returns the message as bytes for the control ring; a datagram's payload comes behind them.
    pub fn encode(&self) -> Frame {
        let mut frame = Frame::new();
        match *self {
            Message::Hello { version, slots } => frame.words(&[version, slots]),
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
            Message::Want { slot, size } => frame.words(&[slot.number(), size.order().into()]),
            Message::Goodbye => (),
        }
        frame.finish(self)
    }

    /// Returns the message of this kind. `head` is the packet's payload, of which everything behind
    /// the first [`HEAD_MAX`] bytes may be missing; `len` is the length of all of it.
    pub fn decode(kind: u16, len: u32, head: &[u8]) -> Result<Self, Malformed> {
        let mut words = Words(head);
        let message = match kind {
            1 => Message::Hello {
                version: words.next()?,
                slots: words.next()?,
            },
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
            connect.segments.size.order().into(),
        ]);
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
        let size = self.size(FIRST_ORDER_MAX)?;
        let mut refs = [0; CONNECT_REFS];

        for to in refs.iter_mut().take(2 * size.pages() as usize) {
            *to = self.next()?;
        }
        Ok(Segments { size, refs })
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
