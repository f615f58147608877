// SPDX-License-Identifier: GPL-2.0

//! The blocks of a tree, each checked before it is used.

use super::{
    batch::Proof,
    held::Held,
    Owner, //
};
use crate::{
    area::{
        ahead::With,
        cache::Key,
        format::{
            Digest,
            Layout,
            Seal,
            Superblock,
            DIGEST,
            HEAD,
            LEVELS_MAX,
            PER_BLOCK, //
        },
        tree, //
    },
    digest::sha256,
    failure::Failure,
    linux::{
        noio::NoIo,
        work::Worker, //
    },
    vfs::Locked,
    window::{
        Place,
        Shown, //
    }, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    }, //
};

/// The longest way from a block up to one whose digest is known: levels, and itself.
const WAY_MAX: usize = LEVELS_MAX + 1;

/// The blocks of a tree that is mounted.
pub(super) struct Blocks {
    owner: Arc<Worker<Owner>>,
    /// What stands for the tree.
    tree: u8,
    digest: Digest,
    superblock: SetOnce<Superblock>,
}

impl Blocks {
    pub(super) fn new(owner: Arc<Worker<Owner>>, tree: u8, digest: Digest) -> Self {
        Self {
            owner,
            tree,
            digest,
            superblock: SetOnce::new(),
        }
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    #[inline]
    fn key(&self, block: u32) -> Key {
        Key {
            tree: self.tree,
            block,
        }
    }

    /// Returns the superblock, read if it was not.
    fn superblock(&self) -> Result<&Superblock> {
        if let Some(superblock) = self.superblock.as_ref() {
            return Ok(superblock);
        }
        let mut head = [0; HEAD];
        self.hold(0, With::Behind(0))?.view()?.read(0, &mut head)?;
        let superblock = Superblock::decode(&head).map_err(|_| Failure::Unclean)?;
        // Who else has read it has read the same.
        self.superblock.populate(superblock);
        self.superblock.as_ref().ok_or(EIO)
    }

    /// Returns a block to be used, fetched with others if it has to be.
    ///
    /// Context: process context, sleeps until the owner has answered.
    ///
    /// # Errors
    ///
    /// As for [`Owner::obtain`]; `EUCLEAN` if there is no such block.
    pub(super) fn hold(&self, block: u32, with: With) -> Result<Held<'_>> {
        if let Some(held) = self.owner.find(self.key(block))? {
            return Ok(held);
        }
        if block == 0 {
            let proof = Proof::Known(0, self.digest);
            return self.owner.obtain(self.key(0), &proof, 0..1);
        }
        let superblock = self.superblock()?;
        let layout = superblock.layout();
        // From the block up to one whose digest is known, or that is here.
        let mut way = [0; WAY_MAX];
        let mut len = 0;
        let mut at = block;
        let mut held = loop {
            match layout.seal(at).ok_or(Failure::Unclean)? {
                Seal::Tree => return Err(Failure::Unclean.into()),
                Seal::Superblock => {
                    let proof = Proof::Known(at, *superblock.digest());
                    break self.owner.obtain(self.key(at), &proof, at..at + 1)?;
                }
                Seal::At { block: above, .. } => {
                    *way.get_mut(len).ok_or(Failure::Unclean)? = at;
                    len += 1;
                    if let Some(held) = self.owner.find(self.key(above))? {
                        break held;
                    }
                    at = above;
                }
            }
        };
        // And down again.
        for &at in way.iter().take(len).rev() {
            let with = if at == block { with } else { With::Around(0) };
            let mut span = self.owner.span(layout, self.key(at), with);
            let proof = self.proof(layout, held, at, &mut span)?;
            held = self.owner.obtain(self.key(at), &proof, span)?;
        }
        Ok(held)
    }

    /// Returns what the digests of the blocks `span` are to be: `held` has that of block `at`, and of
    /// its siblings. Behind these the span ends where there are no digests to be had.
    fn proof<'a>(
        &'a self,
        layout: &Layout,
        held: Held<'a>,
        at: u32,
        span: &mut Range<u32>,
    ) -> Result<Proof<'a>> {
        let _scope = NoIo::begin();
        let siblings = layout.siblings(at).ok_or(Failure::Unclean)?;
        let mut next = siblings.first.saturating_add(siblings.blocks);
        let more = span.end.saturating_sub(next).div_ceil(PER_BLOCK);
        let mut all = KVec::with_capacity(1 + more as usize, GFP_KERNEL)?;
        all.push((siblings.first, held), GFP_KERNEL)?;
        while next < span.end {
            let held = match layout.seal(next) {
                Some(Seal::At { block, .. }) => self.hold(block, With::Around(0)),
                _ => Err(EIO),
            };
            let Ok(held) = held else {
                span.end = next;
                break;
            };
            all.push((next, held), GFP_KERNEL)?;
            next = next.saturating_add(PER_BLOCK);
        }
        Ok(Proof::In(all))
    }

    /// As [`Blocks::hold`], for a block of content that `left` others follow in its file: those worth
    /// it are fetched with it.
    #[inline]
    pub(super) fn hold_content(&self, block: u32, left: u32) -> Result<Held<'_>> {
        match self.glance(block) {
            Some(held) => Ok(held),
            None => self.hold(block, With::InFile(left)),
        }
    }

    /// Returns a block to be used, if it is where one looks first.
    ///
    /// Context: process context; when it is dropped it may sleep.
    #[inline]
    pub(super) fn glance(&self, block: u32) -> Option<Held<'_>> {
        self.owner.glance(self.key(block))
    }

    /// As [`Blocks::glance`], with those of up to `most` blocks in all that follow it and are mapped
    /// behind it.
    #[inline]
    pub(super) fn glance_run(&self, block: u32, most: usize) -> Option<Held<'_>> {
        self.owner.glance_run(self.key(block), most)
    }

    /// As [`Owner::shown`], for `count` blocks from `block` on.
    #[inline]
    pub(super) fn shown<'a>(
        &'a self,
        (block, count): (u32, u32),
        place: impl Fn(u32) -> Place,
        locked: &'a Locked,
        each: impl FnMut(u32, Shown<'a>),
    ) {
        self.owner
            .shown((self.key(block), count), place, locked, each);
    }

    /// Copies a block to `page`, and checks the copy: whatever the owner does meanwhile or later, it
    /// is what the digest names. `left` as for [`Blocks::hold_content`].
    ///
    /// # Errors
    ///
    /// As for [`Blocks::hold`]; `EBADMSG` if the owner has changed it.
    pub(super) fn copy(&self, block: u32, left: u32, page: &mut [u8]) -> Result {
        self.hold_content(block, left)?.view()?.read(0, page)?;
        let mut digest = [0; DIGEST];
        match self
            .superblock()?
            .layout()
            .seal(block)
            .ok_or(Failure::Unclean)?
        {
            Seal::At { block, offset } => {
                self.hold(block, With::Around(0))?
                    .view()?
                    .read(offset, &mut digest)?;
            }
            Seal::Tree | Seal::Superblock => return Err(Failure::Unclean.into()),
        }
        if sha256(page) == digest {
            Ok(())
        } else {
            Err(Failure::Spoiled.into())
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.owner.detach(self.tree);
    }
}

impl tree::Blocks for Blocks {
    type Error = Error;

    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> Result<()> {
        self.hold(block, With::Around(0))?.view()?.read(offset, to)
    }
}
