// SPDX-License-Identifier: GPL-2.0

//! Where the content of files is.

use super::{
    super::format::{
        Extent,
        Inode,
        Kind, //
    },
    search,
    Blocks,
    Fault,
    Tree, //
};
use core::cmp::Ordering;

/// A run of a file's blocks, all of which end before the file does, or with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Run {
    /// So many blocks are nowhere, and read as zeroes.
    Hole(u64),
    /// So many blocks are one after the other in the tree.
    Data {
        /// The first one there.
        start: u32,
        /// How many.
        count: u32,
    },
}

/// Where blocks of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The run.
    pub run: Run,
    /// The extent that it is of, if it is no hole.
    pub extent: Option<Extent>,
}

impl Run {
    /// Returns what of an extent of a file begins at a block. [`None`] if the block is not in it.
    pub fn within(extent: &Extent, file: &Inode, block: u64) -> Option<Self> {
        let skip = block.checked_sub(extent.at())?;
        let rest = u64::from(extent.count()).checked_sub(skip)?;
        let left = file.file_blocks().saturating_sub(block);
        // No more than the extent has.
        let count = rest.min(left) as u32;

        (count > 0).then(|| Run::Data {
            start: extent.start().saturating_add(skip as u32),
            count,
        })
    }

    /// Returns how many blocks it has; at least one.
    pub const fn count(&self) -> u64 {
        match self {
            Run::Hole(count) => *count,
            Run::Data { count, .. } => *count as u64,
        }
    }
}

impl<B: Blocks> Tree<B> {
    /// Looks where a file's block is, and as many of those behind it as are together with it.
    /// [`None`] behind the file's end, or if it is no regular file.
    pub fn map(&self, file: &Inode, block: u64) -> Result<Option<Run>, Fault<B::Error>> {
        let found = self.find(file, block)?;
        Ok(found.map(|found| found.run))
    }

    /// As [`Tree::map`], and returns the extent that the block is in, if it is in one.
    pub fn find(&self, file: &Inode, block: u64) -> Result<Option<Found>, Fault<B::Error>> {
        let left = file.file_blocks().saturating_sub(block);
        if file.kind() != Some(Kind::Regular) || left == 0 {
            return Ok(None);
        }
        // Where the next one starts, of those that were looked at: of all, if they are in order.
        let mut next = u64::MAX;
        let mut hit = None;
        search(file.first, file.count, |index| {
            let extent = self.extent(index)?;
            if extent.end() <= block {
                return Ok(Ordering::Less);
            }
            if extent.at() > block {
                next = next.min(extent.at());
                return Ok(Ordering::Greater);
            }
            hit = Some(extent);
            Ok::<_, Fault<B::Error>>(Ordering::Equal)
        })?;
        let Some(extent) = hit else {
            return Ok(Some(Found {
                run: Run::Hole(left.min(next - block)),
                extent: None,
            }));
        };
        let run = Run::within(&extent, file, block);
        let extent = Some(extent);
        Ok(run.map(|run| Found { run, extent }))
    }
}
