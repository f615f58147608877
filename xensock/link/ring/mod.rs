// SPDX-License-Identifier: GPL-2.0

//! One direction of a connection: bytes from a producer in one domain to a consumer in another.
//!
//! Indices run freely through all of `u32` and wrap; a byte's place in its segment is its index
//! modulo the segment's size. Each end keeps its own index to itself, tells the other by its shared
//! word and never reads that back.
//!
//! # Events
//!
//! An end that is about to wait says at which index it wants to be told (`data_event`,
//! `space_event`), passes a full barrier and looks again. The other end tells its new index, passes a
//! full barrier and only then reads what is wanted: one of the two always notices. Whoever says
//! that there is no more, or goes over to another segment, sends an event in any case.
//!
//! # Going over to another segment
//!
//! Both ends have mapped the new segment before the producer may go over ([`Consumer::offered`]
//! before the message that tells of it). From `switch_at` on all bytes are in the new segment; the
//! consumer follows when it has read up to there, and says so by its generation. Until then the
//! producer does not go over again.

mod consumer;
mod producer;

use core::fmt;

pub use consumer::Consumer;
pub use producer::Producer;

/// A shared word, by who writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Producer: index after the last byte written.
    Prod,
    /// Producer: [`FIN`].
    ProdFlags,
    /// Producer: how often it has gone over to another segment.
    ProdGen,
    /// Producer: index of the first byte in the newest segment.
    SwitchAt,
    /// Producer: wants an event once `Cons` is past this.
    SpaceEvent,
    /// Consumer: index after the last byte read.
    Cons,
    /// Consumer: [`GONE`].
    ConsFlags,
    /// Consumer: how often it has followed to another segment.
    ConsGen,
    /// Consumer: wants an event once `Prod` is past this.
    DataEvent,
    /// Consumer: longest packet that it takes, in bytes.
    Limit,
}

impl Field {
    /// Returns where the word lies, in bytes from the start of the direction's lines.
    pub const fn offset(self) -> usize {
        match self {
            Field::Prod => 0,
            Field::ProdFlags => 4,
            Field::ProdGen => 8,
            Field::SwitchAt => 12,
            Field::SpaceEvent => 16,
            Field::Cons => 128,
            Field::ConsFlags => 132,
            Field::ConsGen => 136,
            Field::DataEvent => 140,
            Field::Limit => 144,
        }
    }
}

/// Bytes that the shared words of one direction take: a pair of cache lines for each end.
pub const LINES: usize = 256;

/// In [`Field::ProdFlags`]: nothing will be written any more.
pub const FIN: u32 = 1;

/// In [`Field::ConsFlags`]: nobody reads any more.
pub const GONE: u32 = 1;

/// Why an end passes a full barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fence {
    /// After telling that there is data, before reading whether an event is wanted.
    Published,
    /// After telling that there is space, before reading whether an event is wanted.
    Released,
    /// After asking for an event about data, before looking again.
    WantData,
    /// After asking for an event about space, before looking again.
    WantSpace,
}

/// The shared words of one direction, little-endian, each at its [`Field::offset`].
///
/// The peer may change any of them at any time.
pub trait Lines {
    /// Reads a word once, relaxed.
    fn load(&self, field: Field) -> u32;

    /// Reads a word once, with acquire ordering.
    fn load_acquire(&self, field: Field) -> u32;

    /// Writes a word, relaxed.
    fn store(&self, field: Field, value: u32);

    /// Writes a word, with release ordering.
    fn store_release(&self, field: Field, value: u32);

    /// Passes a full memory barrier, one that holds between virtual processors.
    fn barrier(&self, why: Fence);
}

/// What made a ring unusable. It stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// The peer's producer index went back, or further than there is room.
    Producer,
    /// The peer's consumer index went back, or further than there is data.
    Consumer,
    /// The peer's generation is neither the one that it had nor the next.
    Generation,
    /// The peer goes over to another segment at an impossible index.
    SwitchPoint,
    /// The peer goes over to a segment that nobody offered.
    NoSegment,
    /// A packet's header is impossible, or the packet is not there as a whole.
    Packet,
    /// This end published more than was free, or released more than was there.
    Misuse,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::Producer => "impossible producer index",
            Broken::Consumer => "impossible consumer index",
            Broken::Generation => "impossible generation",
            Broken::SwitchPoint => "impossible switch point",
            Broken::NoSegment => "switch to a segment that was not offered",
            Broken::Packet => "impossible packet",
            Broken::Misuse => "ring used beyond its bounds",
        })
    }
}

/// Whether an index that goes from `old` to `new` passes `event`.
const fn passes(old: u32, new: u32, event: u32) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}
