// SPDX-License-Identifier: GPL-2.0

//! The files of which a tree is made.

use crate::area::format::{BLOCK, Kind, Stamp};
use anyhow::Result;
use std::collections::BTreeMap;

/// What is in a block.
pub type Block = [u8; BLOCK];

/// A file, by its index among all.
pub type NodeId = usize;

/// The content of a regular file.
pub trait Content {
    /// Returns its size, in bytes.
    fn size(&self) -> u64;

    /// Hands each block, and its index, to `take`, in order; those that are in a hole need not be
    /// among them. Behind the end of the file the last one has zeroes.
    fn blocks(&self, take: &mut dyn FnMut(u64, &Block) -> Result<()>) -> Result<()>;

    /// Returns the block with that index.
    fn block(&self, index: u64) -> Result<Block>;
}

/// What all kinds of files have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The lower 12 bits of its mode.
    pub permissions: u16,
    /// Who owns it.
    pub uid: u32,
    /// Which group it belongs to.
    pub gid: u32,
    /// When its content was changed last.
    pub modified: Stamp,
    /// Its extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What a file is.
pub enum What {
    /// A directory: the names in it, and what has them.
    Directory(BTreeMap<Vec<u8>, NodeId>),
    /// A regular file.
    Regular(Box<dyn Content>),
    /// A symbolic link, and its target.
    Link(Vec<u8>),
    /// A device.
    Device {
        /// Whether it is a block device; else it is a character device.
        block: bool,
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
}

impl What {
    /// Returns its kind.
    pub fn kind(&self) -> Kind {
        match self {
            What::Directory(_) => Kind::Directory,
            What::Regular(_) => Kind::Regular,
            What::Link(_) => Kind::Link,
            What::Device { block: true, .. } => Kind::BlockDevice,
            What::Device { block: false, .. } => Kind::CharDevice,
            What::Fifo => Kind::Fifo,
            What::Socket => Kind::Socket,
        }
    }
}

/// A file. One that has several names is there once.
pub struct File {
    /// What all kinds have.
    pub attributes: Attributes,
    /// What it is.
    pub what: What,
}

/// All files of a tree; the first one is the root, a directory.
pub struct Files(pub Vec<File>);

impl Content for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn blocks(&self, take: &mut dyn FnMut(u64, &Block) -> Result<()>) -> Result<()> {
        (0..self.size().div_ceil(BLOCK as u64)).try_for_each(|at| take(at, &self.block(at)?))
    }

    fn block(&self, index: u64) -> Result<Block> {
        let mut block = [0; BLOCK];
        let from = usize::try_from(index)?
            .saturating_mul(BLOCK)
            .min(self.len());
        let len = (self.len() - from).min(BLOCK);
        block[..len].copy_from_slice(&self[from..from + len]);
        Ok(block)
    }
}
