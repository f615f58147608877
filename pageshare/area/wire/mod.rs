// SPDX-License-Identifier: GPL-2.0

//! What a member and the owner say to each other: in xenstore once, then in control rings.
//!
//! Of a link: the header page, which the member grants and whose grant it tells in xenstore, and
//! the pages of both control rings. Rings, packets and the text in xenstore are those of xensock.

mod codec;
mod contents;
mod list;
mod message;
mod path;

use super::{
    ring,
    segment::{
        Size,
        PAGE, //
    }, //
};
pub use codec::{
    Malformed,
    MESSAGE_MAX, //
};
pub use contents::{
    ContentList,
    Digests,
    Supplies,
    DIGESTS_MAX,
    SUPPLIES_MAX, //
};
pub use list::{
    RefList,
    Refs,
    RunList,
    Runs,
    BATCH,
    NO_GRANT,
    RUNS_MAX, //
};
pub use message::{
    Label,
    Message,
    Reason,
    Uuid, //
};
pub use path::{
    parse_path,
    Path, //
};

/// What a link's header page starts with: "PGSH".
pub const MAGIC: u32 = u32::from_le_bytes(*b"PGSH");

/// The version of all that is described here.
pub const VERSION: u32 = 1;

/// The size of each control ring: 16 KiB, some twenty batches.
pub const CONTROL: Size = Size::CONTROL;

/// Grant references of the pages of both control rings.
pub const CONTROL_REFS: usize = 2 * CONTROL.pages() as usize;

/// Offset of [`MAGIC`] in the header page, in bytes.
pub const MAGIC_OFFSET: usize = 0;

/// Offset of [`VERSION`] in the header page, in bytes.
pub const VERSION_OFFSET: usize = 4;

/// Offset of the [`CONTROL_REFS`] grant references in the header page, in bytes: first those of the
/// ring that the member writes to, then those of the other one.
pub const CONTROL_REFS_OFFSET: usize = 8;

/// Who is at an end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who reads the pages. The link is in its memory.
    Member,
    /// Whose pages they are.
    Owner,
}

/// Returns the offset in the header page of the lines of the control ring that this side writes to.
pub const fn control_lines(producer: Side) -> usize {
    match producer {
        Side::Member => 256,
        Side::Owner => 256 + ring::LINES,
    }
}

const _: () = {
    assert!(CONTROL_REFS_OFFSET + 4 * CONTROL_REFS <= control_lines(Side::Member));
    assert!(control_lines(Side::Owner) + ring::LINES <= PAGE as usize);
};
