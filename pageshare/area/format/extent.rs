// SPDX-License-Identifier: GPL-2.0

//! A run of a file's blocks.

use super::{
    fields::{
        Reader,
        Writer, //
    },
    Flaw,
    Layout,
    BLOCK, //
};

/// Blocks of the largest file: its size is at most `i64::MAX`.
pub const FILE_BLOCKS_MAX: u64 = (i64::MAX as u64).div_ceil(BLOCK as u64);

/// A run of a file's blocks that are one after the other in the tree, too. Those of one file stand
/// together, in the order of `at`; what lies between them, and behind the last one, is a hole.
///
/// # Invariants
///
/// `count` is at least 1, and `at + count` at most [`FILE_BLOCKS_MAX`]. All of its blocks are
/// blocks of content of the tree that it was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    at: u64,
    count: u32,
    start: u32,
}

impl Extent {
    /// Bytes of the record.
    pub const SIZE: usize = 16;

    /// Returns the extent of `count` blocks from the file's block `at`, the tree's block `start`
    /// on, if that is possible.
    pub fn new(at: u64, count: u32, start: u32, layout: &Layout) -> Option<Self> {
        let last = count.checked_sub(1)?;
        let data = layout.data();
        let fits = at.checked_add(count.into())? <= FILE_BLOCKS_MAX
            && data.index(start).is_some()
            && data.index(start.checked_add(last)?).is_some();

        // INVARIANT: Just checked.
        fits.then_some(Self { at, count, start })
    }

    /// Returns the file's first block in it.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Returns how many blocks it has.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Returns the tree's first block in it.
    pub const fn start(&self) -> u32 {
        self.start
    }

    /// Returns the file's first block behind it.
    pub const fn end(&self) -> u64 {
        // No overflow, by the type invariants.
        self.at.saturating_add(self.count as u64)
    }

    /// Returns the record.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        Writer::new()
            .put(&self.at.to_le_bytes())
            .put(&self.count.to_le_bytes())
            .put(&self.start.to_le_bytes())
            .done()
    }

    /// Returns the extent that the bytes mean.
    pub fn decode(bytes: &[u8], layout: &Layout) -> Result<Self, Flaw> {
        let mut fields = Reader::new(bytes);
        let (at, count, start) = (fields.u64()?, fields.u32()?, fields.u32()?);

        Self::new(at, count, start, layout).ok_or(Flaw::Extent)
    }
}
