// SPDX-License-Identifier: GPL-2.0

//! A tree that is complete.

use crate::area::format::{BLOCK, Digest, Superblock};
use crate::area::tree::Blocks;
use crate::files::{Block, Files, What};
use crate::pack::Contents;
use anyhow::{Error, Result, bail, ensure};

/// A tree: what describes its files, and where their content comes from, which is read when it is
/// asked for.
pub struct Image {
    superblock: Superblock,
    digest: Digest,
    metadata: Vec<Block>,
    contents: Contents,
    files: Files,
}

impl Image {
    pub(crate) fn new(
        superblock: Superblock,
        digest: Digest,
        metadata: Vec<Block>,
        contents: Contents,
        files: Files,
    ) -> Self {
        Self {
            superblock,
            digest,
            metadata,
            contents,
            files,
        }
    }

    /// Returns what the tree has.
    pub const fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Returns the tree's digest, which names it.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the blocks that are not content, the first of the tree.
    pub fn metadata(&self) -> &[Block] {
        &self.metadata
    }

    /// Returns how many blocks of the files were all zeroes: they are in no tree.
    pub const fn zeroes(&self) -> u64 {
        self.contents.zeroes
    }

    /// Returns the digests of all blocks of content.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.contents.sources.iter().map(|source| &source.digest)
    }

    /// Returns a block.
    ///
    /// # Errors
    ///
    /// If there is none of that number, or the file that it is from cannot be read, or has changed.
    pub fn block(&self, block: u32) -> Result<Block> {
        if let Some(block) = self.metadata.get(block as usize) {
            return Ok(*block);
        }
        let index = self.superblock.layout().data().index(block);
        let source = index.and_then(|index| self.contents.sources.get(index as usize));
        let Some(source) = source else {
            bail!("there is no block {block}");
        };
        let What::Regular(content) = &self.files.0[source.file].what else {
            bail!("block {block} is of no regular file");
        };
        let found = content.block(source.block)?;
        ensure!(
            crate::digest(&found) == source.digest,
            "block {block} has changed since it was read"
        );
        Ok(found)
    }
}

impl Blocks for &Image {
    type Error = Error;

    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> Result<()> {
        ensure!(offset + to.len() <= BLOCK, "beyond the block");
        to.copy_from_slice(&self.block(block)?[offset..offset + to.len()]);
        Ok(())
    }
}
