// SPDX-License-Identifier: GPL-2.0

//! What the blocks of a tree mean: records of a fixed size, each decoded and checked by itself.
//!
//! All numbers are little-endian. What is reserved is zero. `docs/pageshare-format.md` has the
//! tables.

mod entry;
mod extent;
mod fields;
mod inode;
mod layout;
mod superblock;
mod xattr;

use core::fmt;

pub use entry::Entry;
pub use extent::{
    Extent,
    FILE_BLOCKS_MAX, //
};
pub use inode::{
    Inode,
    Kind,
    Stamp,
    ROOT, //
};
pub use layout::{
    Counts,
    Layout,
    Region,
    Seal,
    Text,
    LEVELS_MAX,
    PER_BLOCK, //
};
pub use superblock::{
    Superblock,
    HEAD,
    MAGIC,
    VERSION, //
};
pub use xattr::{
    Xattr,
    VALUE_MAX, //
};

/// Bytes of a block, of a page of content, and of a grant.
pub const BLOCK: usize = 4096;

/// Bytes of a digest.
pub const DIGEST: usize = 32;

/// SHA-256 of a block.
pub type Digest = [u8; DIGEST];

/// Longest name, in bytes: `NAME_MAX`.
pub const NAME_MAX: usize = 255;

/// Longest target of a symbolic link, in bytes: `PATH_MAX` without the zero at the end.
pub const TARGET_MAX: usize = BLOCK - 1;

/// What is wrong with a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// It is no tree.
    Magic,
    /// It is of a version, or has features, that this code does not know.
    Version,
    /// Its parts do not add up to the blocks that it has.
    Size,
    /// A record is cut short.
    Length,
    /// Something reserved is not zero.
    Reserved,
    /// An inode has a value out of its range.
    Inode,
    /// A directory's entry has a value out of its range.
    Entry,
    /// A name, or a link's target, is none.
    Name,
    /// A directory is entered by something else than its one name.
    Alias,
    /// A run of a file's blocks has a value out of its range, or is not in order.
    Extent,
    /// An extended attribute has a value out of its range.
    Xattr,
}

impl Flaw {
    /// Returns what is wrong, for people.
    pub const fn why(self) -> &'static str {
        match self {
            Flaw::Magic => "no tree",
            Flaw::Version => "unknown version",
            Flaw::Size => "impossible size",
            Flaw::Length => "cut short",
            Flaw::Reserved => "reserved bytes in use",
            Flaw::Inode => "impossible inode",
            Flaw::Entry => "impossible directory entry",
            Flaw::Name => "impossible name",
            Flaw::Alias => "a directory with two names",
            Flaw::Extent => "impossible run of blocks",
            Flaw::Xattr => "impossible extended attribute",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}
