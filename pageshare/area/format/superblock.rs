// SPDX-License-Identifier: GPL-2.0

//! The first block of a tree: what it is, and how much there is of everything.

use super::{
    fields::{
        Reader,
        Writer, //
    },
    Counts,
    Digest,
    Flaw,
    Layout, //
};

/// What a tree starts with.
pub const MAGIC: [u8; 8] = *b"PgShTree";

/// The version of all that is described here.
pub const VERSION: u32 = 1;

/// The kind of the digests: SHA-256.
const SHA256: u32 = 1;

/// Bytes of the superblock that are in use. Those behind them, up to the end of the block, are
/// zero.
pub const HEAD: usize = 128;

/// The superblock.
///
/// # Invariants
///
/// `referenced` is at most `u64::MAX / 4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    layout: Layout,
    referenced: u64,
    digest: Digest,
}

impl Superblock {
    /// Returns the superblock of a tree. Files have `referenced` blocks of content, one that is in
    /// several places counted for each; `digest` is that of the topmost block of digests.
    pub fn new(layout: Layout, referenced: u64, digest: Digest) -> Option<Self> {
        // INVARIANT: Just checked.
        (referenced <= u64::MAX >> 12).then_some(Self {
            layout,
            referenced,
            digest,
        })
    }

    /// Returns where the tree's parts are.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns how many blocks of content the files have, one that is in several places counted
    /// for each.
    pub const fn referenced(&self) -> u64 {
        self.referenced
    }

    /// Returns the digest of the topmost block of digests.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the first bytes of the block.
    pub fn encode(&self) -> [u8; HEAD] {
        let counts = self.layout.counts();

        Writer::new()
            .put(&MAGIC)
            .put(&VERSION.to_le_bytes())
            .put(&0u32.to_le_bytes())
            .put(&self.layout.blocks().to_le_bytes())
            .put(&counts.inodes.to_le_bytes())
            .put(&counts.entries.to_le_bytes())
            .put(&counts.extents.to_le_bytes())
            .put(&counts.xattrs.to_le_bytes())
            .put(&counts.text.to_le_bytes())
            .put(&counts.data.to_le_bytes())
            .put(&SHA256.to_le_bytes())
            .put(&self.referenced.to_le_bytes())
            .put(&0u64.to_le_bytes())
            .put(&self.digest)
            .done()
    }

    /// Returns the superblock that the bytes mean: the first [`HEAD`] of a block.
    pub fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut fields = Reader::new(bytes);

        if fields.bytes()? != MAGIC {
            return Err(Flaw::Magic);
        }
        // The version, and features that one cannot do without.
        if [fields.u32()?, fields.u32()?] != [VERSION, 0] {
            return Err(Flaw::Version);
        }
        let blocks = fields.u32()?;
        let counts = Counts {
            inodes: fields.u32()?,
            entries: fields.u32()?,
            extents: fields.u32()?,
            xattrs: fields.u32()?,
            text: fields.u32()?,
            data: fields.u32()?,
        };
        if fields.u32()? != SHA256 {
            return Err(Flaw::Version);
        }
        let referenced = fields.u64()?;
        fields.zero::<8>()?;
        let digest = fields.bytes()?;
        fields.zero::<32>()?;

        let layout = Layout::new(counts).filter(|layout| layout.blocks() == blocks);
        Self::new(layout.ok_or(Flaw::Size)?, referenced, digest).ok_or(Flaw::Size)
    }
}
