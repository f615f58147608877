// SPDX-License-Identifier: GPL-2.0

//! Where everything lies in the shared pages, and what the bytes mean. All numbers are
//! little-endian.
//!
//! Of a link: the header page, which the initiator grants and whose grant it tells in xenstore, and
//! the pages of both control rings. Of a connection: its page, and two segments that may be
//! exchanged for larger or smaller ones.

mod codec;
mod message;
mod rendezvous;

use super::{
    doorbell,
    ring,
    segment::Size,
    slots::Side, //
};
pub use codec::{
    Frame,
    Malformed,
    HEAD_MAX, //
};
pub use message::{
    Connect,
    Direction,
    Message,
    Offer,
    Reason,
    Segments,
    Socket,
    FIRST_ORDER_MAX,
    LISTED_MAX,
    LISTED_PER_PAGE, //
};
pub use rendezvous::{
    parse_path,
    Path,
    Rendezvous,
    Text,
    DOMID_END, //
};

/// What a link's header page starts with: "XSCK".
pub const MAGIC: u32 = u32::from_le_bytes(*b"XSCK");

/// The version of all that is described here.
pub const VERSION: u32 = 1;

/// Longest payload of a datagram, in bytes.
pub const DATAGRAM_MAX: u32 = 8192;

/// Longest payload of a packet in a control ring, in bytes: a datagram and its ports.
pub const CONTROL_MAX: u32 = DATAGRAM_MAX + 8;

/// Grant references of the pages of both control rings.
pub const CONTROL_REFS: usize = 2 * Size::CONTROL.pages() as usize;

/// Offset of [`MAGIC`] in the header page, in bytes.
pub const MAGIC_OFFSET: usize = 0;

/// Offset of [`VERSION`] in the header page, in bytes.
pub const VERSION_OFFSET: usize = 4;

/// Offset of the [`CONTROL_REFS`] grant references in the header page, in bytes: first those of the
/// ring that the initiator writes to, then those of the other one.
pub const CONTROL_REFS_OFFSET: usize = 8;

/// Returns the offset in the header page of the lines of the control ring that this side writes to.
pub const fn control_lines(producer: Side) -> usize {
    match producer {
        Side::Initiator => 256,
        Side::Acceptor => 256 + ring::LINES,
    }
}

/// Returns the offset in the header page of the doorbell that this side rings.
pub const fn bell(ringer: Side) -> usize {
    match ringer {
        Side::Initiator => 1024,
        Side::Acceptor => 2048,
    }
}

/// Returns the offset in a connection's page of the lines of a direction.
pub const fn lines(direction: Direction) -> usize {
    match direction {
        Direction::FromOpener => 0,
        Direction::ToOpener => ring::LINES,
    }
}

const _: () = {
    assert!(CONTROL_REFS_OFFSET + 4 * CONTROL_REFS <= control_lines(Side::Initiator));
    assert!(control_lines(Side::Acceptor) + ring::LINES <= bell(Side::Initiator));
    assert!(bell(Side::Initiator) + doorbell::BELLS <= bell(Side::Acceptor));
    assert!(bell(Side::Acceptor) + doorbell::BELLS <= super::segment::PAGE as usize);
};
