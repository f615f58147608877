// SPDX-License-Identifier: GPL-2.0

//! Where the content of files is.

use super::{
    super::format::{
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

impl Run {
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
            return Ok(Some(Run::Hole(left.min(next - block))));
        };
        // Less than the extent's count: the block is in it.
        let skip = (block - extent.at()) as u32;
        let count = u64::from(extent.count() - skip).min(left);

        Ok(Some(Run::Data {
            start: extent.start().saturating_add(skip),
            // No more than the extent has.
            count: count as u32,
        }))
    }
}
