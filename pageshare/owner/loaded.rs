// SPDX-License-Identifier: GPL-2.0

//! A tree in an area, and the file that has its blocks.

use super::{
    account::Account,
    area::Area,
    counts::Counts, //
};
use crate::{
    area::{
        format::{
            Digest,
            Seal,
            Superblock,
            BLOCK,
            DIGEST,
            HEAD, //
        },
        store::Violation,
        wire::{
            Label,
            Runs, //
        }, //
    },
    backing::{
        Backing,
        Use, //
    },
    digest::sha256,
    failure::Failure,
    Frame, //
};
use core::ops::Range;
use kernel::{
    pr_warn_once,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// A file with the blocks of a tree, one after the other.
pub(super) struct Source {
    backing: Backing,
    superblock: Superblock,
    digest: Digest,
}

impl Source {
    /// Looks whether the file has a tree.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EBADMSG` if not, `ENOMEM`, what the file says.
    pub(super) fn new(backing: Backing) -> Result<Self> {
        let mut block = KVec::from_elem(0, BLOCK, GFP_KERNEL)?;
        read_block(&backing, 0, &mut block)?;
        let head = block.get(..HEAD).ok_or(Failure::Spoiled)?;
        Ok(Self {
            superblock: Superblock::decode(head).map_err(|_| Failure::Spoiled)?,
            digest: sha256(&block),
            backing,
        })
    }

    /// How many blocks the tree has.
    pub(super) fn blocks(&self) -> u32 {
        self.superblock.layout().blocks()
    }

    /// Shows `each` the digests of all blocks, in order, as the tree has them.
    ///
    /// # Errors
    ///
    /// As for [`Source::new`], and those of `each`.
    pub(super) fn digests(&self, mut each: impl FnMut(&Digest) -> Result) -> Result {
        let layout = self.superblock.layout();
        let mut block = KVec::from_elem(0, BLOCK, GFP_KERNEL)?;
        // Blocks in order have their digests in order.
        let mut current = 0;
        for number in 0..layout.blocks() {
            match layout.seal(number).ok_or(Failure::Spoiled)? {
                Seal::Tree => each(&self.digest)?,
                Seal::Superblock => each(self.superblock.digest())?,
                Seal::At { block: at, offset } => {
                    if at != current {
                        read_block(&self.backing, at, &mut block)?;
                        current = at;
                    }
                    let digest = block.get(offset..offset + DIGEST).ok_or(Failure::Spoiled)?;
                    each(digest.try_into().map_err(|_| Failure::Spoiled)?)?;
                }
            }
        }
        Ok(())
    }

    /// Tells what is going to become of blocks of the file.
    fn will_use(&self, blocks: Range<u32>, how: Use) {
        let byte = |block: u32| u64::from(block) * BLOCK as u64;
        let bytes = byte(blocks.start)..byte(blocks.end);
        self.backing.will_use(bytes, how);
    }

    /// Reads a block, which must have the digest.
    fn fill(&self, number: u32, digest: &Digest) -> Result<Frame> {
        let mut block = KVec::from_elem(0, BLOCK, GFP_KERNEL)?;
        read_block(&self.backing, number, &mut block)?;
        if sha256(&block) != *digest {
            pr_warn_once!("block {number} of a tree has changed in its file\n");
            return Err(Failure::Spoiled.into());
        }
        Frame::new(&block)
    }
}

/// Reads a whole block.
fn read_block(backing: &Backing, number: u32, to: &mut [u8]) -> Result {
    let read = backing.read(u64::from(number) * BLOCK as u64, to)?;
    if read == to.len() {
        Ok(())
    } else {
        Err(Failure::Spoiled.into())
    }
}

/// A tree in an area. It stays as long as somebody reads it.
pub(super) struct Loaded {
    area: Arc<Area>,
    name: Label,
    generation: u64,
    source: Source,
    /// Which page of the area each block is.
    pages: KVVec<u32>,
    attached: Atomic<u64>,
    retired: Atomic<bool>,
    counts: Counts,
}

impl Loaded {
    pub(super) fn new(
        area: Arc<Area>,
        name: Label,
        generation: u64,
        source: Source,
        pages: KVVec<u32>,
    ) -> Result<Arc<Self>> {
        // Members say what they are going to read.
        source.backing.read_exactly();
        let tree = Self {
            area,
            name,
            generation,
            source,
            pages,
            attached: Atomic::new(0),
            retired: Atomic::new(false),
            counts: Counts::new(),
        };
        Ok(Arc::new(tree, GFP_KERNEL)?)
    }

    pub(super) fn area(&self) -> &Arc<Area> {
        &self.area
    }

    pub(super) fn name(&self) -> &Label {
        &self.name
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.source.digest
    }

    pub(super) fn blocks(&self) -> u32 {
        self.source.blocks()
    }

    /// How often it is mounted.
    pub(super) fn attached(&self) -> u64 {
        self.attached.load(Relaxed)
    }

    /// What members have got of it.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Which page of the area each block is.
    pub(super) fn pages(&self) -> &[u32] {
        &self.pages
    }

    /// Whether no more blocks of it are to be had.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    /// From now on no more blocks of it are to be had.
    pub(super) fn retire(&self) {
        self.retired.store(true, Relaxed);
    }

    /// Has those of the blocks that have no memory read from the file together. Returns whether there
    /// are any: then they are to be [forgotten](Self::forget_read) when all have their memory.
    ///
    /// Context: process context, may sleep.
    pub(super) fn read_together(&self, runs: Runs<'_>) -> bool {
        let is_bare = |block: &u32| {
            let page = self.pages.get(*block as usize);
            page.is_some_and(|&page| self.area.is_bare(page))
        };
        let mut any = false;
        for (first, count) in runs.iter() {
            let (mut at, end) = (first, first.saturating_add(count));
            while let Some(start) = (at..end).find(is_bare) {
                at = (start..end).find(|block| !is_bare(block)).unwrap_or(end);
                self.source.will_use(start..at, Use::Soon);
                any = true;
            }
        }
        any
    }

    /// Nobody needs the blocks in the page cache any more: what was read of them has memory of its own.
    ///
    /// Context: process context, may sleep.
    pub(super) fn forget_read(&self, runs: Runs<'_>) {
        for (first, count) in runs.iter() {
            let end = first.saturating_add(count);
            self.source.will_use(first..end, Use::Over);
        }
    }

    /// Lets a member read a block, and returns the grant. [`None`] if it is not to be had.
    ///
    /// Context: process context, sleeps.
    pub(super) fn grant(&self, member: &Account, block: u32) -> Option<u32> {
        let page = *self.pages.get(block as usize)?;
        let fill = |digest: &Digest| self.read(member, block, digest);
        let reference = self.area.grant(member, page, fill)?;
        self.counts.count_got();
        Some(reference)
    }

    /// Whether a member may have a block mapped: it has the page that it is.
    pub(super) fn is_held(&self, member: &Account, block: u32) -> bool {
        let page = self.pages.get(block as usize);
        page.is_some_and(|&page| self.area.has(member, page))
    }

    /// Returns a block that is that page of the area.
    pub(super) fn block_of(&self, page: u32) -> Option<u32> {
        let at = self.pages.iter().position(|&other| other == page)?;
        u32::try_from(at).ok()
    }

    /// Reads a block for a member, which must have the digest.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EBADMSG` if it has not, `ENOMEM`, what the file says.
    pub(super) fn read(&self, member: &Account, block: u32, digest: &Digest) -> Result<Frame> {
        let frame = self.source.fill(block, digest)?;
        self.area.count_filled(member);
        self.counts.count_read();
        Ok(frame)
    }

    /// Frees the memory of all blocks that nobody reads. Returns how many pages that were.
    ///
    /// Context: process context, may sleep.
    pub(super) fn empty(&self) -> u64 {
        let freed = self.pages.iter().filter(|&&page| self.area.empty(page));
        freed.count() as u64
    }

    /// A member does not read a block any more.
    pub(super) fn release(&self, member: &Account, block: u32) -> Result<(), Violation> {
        let page = self.pages.get(block as usize).ok_or(Violation)?;
        self.area.release(member, *page)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.area.forget(&self.pages);
    }
}

/// A member's mount of a tree.
pub(super) struct Attachment(Arc<Loaded>);

impl Attachment {
    pub(super) fn new(tree: Arc<Loaded>) -> Self {
        tree.attached.fetch_add(1, Relaxed);
        tree.area.count(true);
        Self(tree)
    }

    pub(super) fn tree(&self) -> &Arc<Loaded> {
        &self.0
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.0.attached.fetch_sub(1, Relaxed);
        self.0.area.count(false);
    }
}
