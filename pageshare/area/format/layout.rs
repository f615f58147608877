// SPDX-License-Identifier: GPL-2.0

//! Where the parts of a tree are. It follows from how much there is of each, so that no place is
//! ever told, and none can be told wrongly:
//!
//! ```text
//!   0   superblock
//!   1   digests, the level of one block first
//!       inodes, directory entries, extents, extended attributes, text
//!       data
//! ```

use super::{
    Entry,
    Extent,
    Inode,
    Xattr,
    BLOCK,
    DIGEST, //
};

/// Digests that a block holds.
pub const PER_BLOCK: u32 = (BLOCK / DIGEST) as u32;

/// Levels of digests of the largest tree.
pub const LEVELS_MAX: usize = 5;

/// How much of everything a tree has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Inodes.
    pub inodes: u32,
    /// Entries of all directories.
    pub entries: u32,
    /// Extents of all files.
    pub extents: u32,
    /// Extended attributes; equal sets of them may be there once.
    pub xattrs: u32,
    /// Bytes of names, targets of links and values of attributes.
    pub text: u32,
    /// Blocks of content, each there once.
    pub data: u32,
}

/// Blocks that belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Region {
    /// The first of them.
    pub first: u32,
    /// How many they are.
    pub blocks: u32,
}

impl Region {
    /// Returns the block with that index, if it is one of them.
    pub const fn block(&self, index: u32) -> Option<u32> {
        if index < self.blocks {
            self.first.checked_add(index)
        } else {
            None
        }
    }

    /// Returns those of them that are together with a block when they are counted off by `count`, the
    /// last ones fewer. Only the block, if it is not one of them.
    pub fn around(&self, block: u32, count: u32) -> Self {
        let index = self.index(block);
        let start = index.and_then(|index| index.checked_sub(index.checked_rem(count)?));
        match start {
            Some(start) => Self {
                first: self.first.saturating_add(start),
                blocks: count.min(self.blocks - start),
            },
            None => Self {
                first: block,
                blocks: 1,
            },
        }
    }

    /// Returns the index that a block has among them.
    pub const fn index(&self, block: u32) -> Option<u32> {
        match block.checked_sub(self.first) {
            Some(index) if index < self.blocks => Some(index),
            _ => None,
        }
    }
}

/// Where the digest of a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seal {
    /// It is the tree's own digest, which is not in the tree.
    Tree,
    /// In the superblock.
    Superblock,
    /// In a block of digests, so many bytes behind its start.
    At {
        /// Which block.
        block: u32,
        /// Where in it.
        offset: usize,
    },
}

/// A run of bytes of a tree's text.
///
/// # Invariants
///
/// The run ends within the text of the tree that it was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    at: u32,
    len: u32,
}

impl Text {
    /// Where the run starts.
    pub const fn at(&self) -> u32 {
        self.at
    }

    /// Bytes of the run.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether the run has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Where the parts of a tree are.
///
/// # Invariants
///
/// - The regions follow each other without a gap, from block 1 on, and end with block
///   `blocks - 1`.
/// - `levels` has `depth` levels of digests, from 1 to [`LEVELS_MAX`]. The first has one block, and
///   each has a digest for each block of the next; the last for each block behind the digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    counts: Counts,
    blocks: u32,
    levels: [Region; LEVELS_MAX],
    depth: usize,
    inodes: Region,
    entries: Region,
    extents: Region,
    xattrs: Region,
    text: Region,
    data: Region,
}

/// Gives out blocks, one after the other.
struct Next(u32);

impl Next {
    fn region(&mut self, blocks: u32) -> Option<Region> {
        let first = self.0;

        self.0 = first.checked_add(blocks)?;
        Some(Region { first, blocks })
    }

    fn records(&mut self, count: u32, size: usize) -> Option<Region> {
        self.region(count.div_ceil((BLOCK / size) as u32))
    }
}

impl Layout {
    /// Returns the layout of a tree with so much of everything. [`None`] if that is no tree, or one
    /// with more blocks than have a number.
    pub fn new(counts: Counts) -> Option<Self> {
        if counts.inodes == 0 {
            return None;
        }
        // First as if there were no digests: how many of them are needed?
        let mut next = Next(0);
        let mut parts = Self::parts(&counts, &mut next)?;
        let (levels, depth) = Self::levels(next.0)?;
        let digests = levels.iter().map(|level| level.blocks).sum::<u32>();
        let shift = digests.checked_add(1)?;

        for part in &mut parts {
            part.first = part.first.checked_add(shift)?;
        }
        let [inodes, entries, extents, xattrs, text, data] = parts;
        // INVARIANT: `parts` and `levels` gave them out so.
        Some(Self {
            counts,
            blocks: next.0.checked_add(shift)?,
            levels,
            depth,
            inodes,
            entries,
            extents,
            xattrs,
            text,
            data,
        })
    }

    fn parts(counts: &Counts, next: &mut Next) -> Option<[Region; 6]> {
        Some([
            next.records(counts.inodes, Inode::SIZE)?,
            next.records(counts.entries, Entry::SIZE)?,
            next.records(counts.extents, Extent::SIZE)?,
            next.records(counts.xattrs, Xattr::SIZE)?,
            next.records(counts.text, 1)?,
            next.region(counts.data)?,
        ])
    }

    /// Returns the levels for so many blocks, and how many they are.
    fn levels(covered: u32) -> Option<([Region; LEVELS_MAX], usize)> {
        let mut sizes = [0; LEVELS_MAX];
        let mut depth = 0;
        let mut below = covered;

        for size in &mut sizes {
            *size = below.div_ceil(PER_BLOCK);
            below = *size;
            depth += 1;
            if below == 1 {
                break;
            }
        }
        let mut next = Next(1);
        let mut levels = [Region::default(); LEVELS_MAX];
        let topmost_first = sizes.iter().take(depth).rev();
        for (level, &size) in levels.iter_mut().zip(topmost_first) {
            *level = next.region(size)?;
        }
        Some((levels, depth))
    }

    /// Returns how much of everything there is.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns how many blocks the tree has.
    pub const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Returns how many blocks the tree has besides those of content.
    pub const fn metadata(&self) -> u32 {
        self.data.first
    }

    /// Returns the blocks of content.
    pub const fn data(&self) -> Region {
        self.data
    }

    /// Returns the levels of digests, the one of one block first.
    pub fn digests(&self) -> &[Region] {
        self.levels.get(..self.depth).unwrap_or(&[])
    }

    /// Returns where the digest of a block is. [`None`] if there is no such block.
    pub fn seal(&self, block: u32) -> Option<Seal> {
        if block == 0 {
            return Some(Seal::Tree);
        }
        let (above, covered) = self.covering(block)?;
        let index = covered.index(block)?;
        Some(above.map_or(Seal::Superblock, |above| seal_in(above, index)))
    }

    /// Returns the blocks whose digests are in the same block as that of a block. [`None`] if its
    /// digest is in none.
    pub fn siblings(&self, block: u32) -> Option<Region> {
        let (above, covered) = self.covering(block)?;
        above.map(|_| covered.around(block, PER_BLOCK))
    }

    /// Returns the level that has the digest of a block, if one has, and all blocks whose digests it
    /// has. [`None`] for block 0, and if there is no such block.
    fn covering(&self, block: u32) -> Option<(Option<Region>, Region)> {
        let mut above = None;
        for level in self.digests() {
            if level.index(block).is_some() {
                return Some((above, *level));
            }
            above = Some(*level);
        }
        let first = self.inodes.first;
        let rest = Region {
            first,
            blocks: self.blocks.checked_sub(first)?,
        };
        rest.index(block)?;
        Some((above, rest))
    }

    /// Returns the block that has a record of `size` bytes, the one with that index in a region
    /// of `count`, and where it is in that block.
    fn record(region: &Region, count: u32, size: usize, index: u32) -> Option<(u32, usize)> {
        if index >= count {
            return None;
        }
        let per_block = (BLOCK / size) as u32;
        let block = region.block(index / per_block)?;

        Some((block, (index % per_block) as usize * size))
    }

    /// Returns where the inode with that number is: its block, and the bytes before it there.
    pub fn inode(&self, number: u32) -> Option<(u32, usize)> {
        let index = number.checked_sub(1)?;
        Self::record(&self.inodes, self.counts.inodes, Inode::SIZE, index)
    }

    /// Returns where a directory's entry is.
    pub fn entry(&self, index: u32) -> Option<(u32, usize)> {
        Self::record(&self.entries, self.counts.entries, Entry::SIZE, index)
    }

    /// Returns where an extent is.
    pub fn extent(&self, index: u32) -> Option<(u32, usize)> {
        Self::record(&self.extents, self.counts.extents, Extent::SIZE, index)
    }

    /// Returns where an extended attribute is.
    pub fn xattr(&self, index: u32) -> Option<(u32, usize)> {
        Self::record(&self.xattrs, self.counts.xattrs, Xattr::SIZE, index)
    }

    /// Returns where a byte of text is.
    pub fn text(&self, at: u32) -> Option<(u32, usize)> {
        Self::record(&self.text, self.counts.text, 1, at)
    }

    /// Returns a run of text, if it ends within the text.
    pub fn run(&self, at: u32, len: u32) -> Option<Text> {
        // INVARIANT: Just checked.
        within(at, len, self.counts.text).then_some(Text { at, len })
    }

    /// Returns a run of text, if it ends within the text and within one block.
    pub fn short_run(&self, at: u32, len: u32) -> Option<Text> {
        let offset = at % BLOCK as u32;

        self.run(at, len)
            .filter(|_| within(offset, len, BLOCK as u32))
    }
}

/// Whether `count` things from `first` on are among `all`.
pub(super) const fn within(first: u32, count: u32, all: u32) -> bool {
    match first.checked_add(count) {
        Some(end) => end <= all,
        None => false,
    }
}

const fn seal_in(level: Region, index: u32) -> Seal {
    Seal::At {
        // By the layout's invariants the level has a digest with that index.
        block: level.first.saturating_add(index / PER_BLOCK),
        offset: (index % PER_BLOCK) as usize * DIGEST,
    }
}
