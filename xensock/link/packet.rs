// SPDX-License-Identifier: GPL-2.0

//! Packets in a ring: a header of 8 bytes, the payload, padding up to a multiple of 8.
//!
//! A packet is published at once, so whoever sees a part of it sees all. Headers are never split by
//! the end of a segment: all packets start at a multiple of 8.

use super::{
    ring::{
        Broken,
        Consumer,
        Lines,
        Producer, //
    },
    segment::{
        Place,
        Size, //
    },
};

/// Bytes of a header.
pub const HEADER: u32 = 8;

/// In [`Header::flags`]: the packet ends a record.
pub const EOR: u16 = 1;

/// [`Header::kind`] of what users send. Control messages have their own, see
/// [`wire`](super::wire).
pub const DATA: u16 = 0;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Bytes of the payload, without padding.
    pub len: u32,
    /// [`EOR`].
    pub flags: u16,
    /// [`DATA`], or the number of a control message.
    pub kind: u16,
}

impl Header {
    /// Returns the header's bytes.
    pub const fn encode(&self) -> [u8; HEADER as usize] {
        let word = (self.len as u64) | ((self.flags as u64) << 32) | ((self.kind as u64) << 48);
        word.to_le_bytes()
    }

    /// Returns the header that the bytes mean.
    pub const fn decode(bytes: [u8; HEADER as usize]) -> Self {
        let word = u64::from_le_bytes(bytes);

        Self {
            len: word as u32,
            flags: (word >> 32) as u16,
            kind: (word >> 48) as u16,
        }
    }

    /// Returns the bytes that the packet takes in a ring, if that can be told.
    pub const fn footprint(&self) -> Option<u32> {
        footprint(self.len)
    }
}

/// Returns the bytes that a packet with a payload of `len` bytes takes in a ring: none if no ring is
/// large enough.
pub const fn footprint(len: u32) -> Option<u32> {
    if len > Size::MAX.bytes() - HEADER {
        return None;
    }
    Some(HEADER + len.next_multiple_of(HEADER))
}

/// A packet that is there as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its header, copied and checked.
    pub header: Header,
    /// Where its payload lies.
    pub payload: Place,
    /// What to [release](Consumer::release) to have it behind.
    pub footprint: u32,
}

/// Looks for the packet that begins `skip` bytes behind what has been released; 0 for the next one.
/// `limit` is the longest payload that this end takes; `read` copies the header from its place.
pub fn peek<L, F>(
    consumer: &mut Consumer,
    lines: &L,
    skip: u32,
    limit: u32,
    read: F,
) -> Result<Option<Packet>, Broken>
where
    L: Lines,
    F: FnOnce(&Place, &mut [u8; HEADER as usize]),
{
    consumer.available(lines)?;
    if consumer.total() <= skip {
        return Ok(None);
    }
    let at = consumer.place_after(skip, HEADER);
    if at.first != HEADER {
        return Err(consumer.condemn(Broken::Packet));
    }
    let mut bytes = [0; HEADER as usize];
    read(&at, &mut bytes);

    let header = Header::decode(bytes);
    let whole = match header.footprint() {
        Some(footprint) if header.len <= limit => {
            consumer.place_after(skip, footprint).len() == footprint
        }
        _ => false,
    };
    match header.footprint() {
        Some(footprint) if whole => Ok(Some(Packet {
            header,
            payload: consumer.place_after(skip + HEADER, header.len),
            footprint,
        })),
        _ => Err(consumer.condemn(Broken::Packet)),
    }
}

/// Where the parts of a packet go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Where its header goes; never split.
    pub header: Place,
    /// Where its payload goes.
    pub payload: Place,
    /// What to [publish](Producer::publish) once both are written.
    pub footprint: u32,
}

/// Looks for room for a packet with a payload of `len` bytes. None if there is not enough now, or
/// ever.
pub fn room<L: Lines>(
    producer: &mut Producer,
    lines: &L,
    len: u32,
) -> Result<Option<Room>, Broken> {
    let free = producer.free(lines)?;

    Ok(match footprint(len) {
        Some(footprint) if footprint <= free => Some(Room {
            header: producer.place(HEADER),
            payload: producer.place_after(HEADER, len),
            footprint,
        }),
        _ => None,
    })
}
