// SPDX-License-Identifier: GPL-2.0

//! The blocks of a tree, each checked before it is used.

use super::{
    fetch::Proof,
    held::Held,
    Owner, //
};
use crate::{
    area::{
        cache::Key,
        format::{
            Digest,
            Seal,
            Superblock,
            BLOCK,
            DIGEST,
            HEAD,
            LEVELS_MAX, //
        },
        tree,
        wire::BATCH, //
    },
    digest::sha256,
    failure::Failure,
    linux::work::Worker,
    vfs::Locked,
    window::{
        Place,
        Shown, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    }, //
};

/// As many blocks are asked for with one that nothing is known about.
const AHEAD: u32 = 15;

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
        self.hold(0, 0)?.view()?.read(0, &mut head)?;
        let superblock = Superblock::decode(&head).map_err(|_| Failure::Unclean)?;
        // Who else has read it has read the same.
        self.superblock.populate(superblock);
        self.superblock.as_ref().ok_or(EIO)
    }

    /// Returns a block to be used, and has up to `ahead` of those behind it fetched with it if it
    /// has to be.
    ///
    /// Context: process context, sleeps until the owner has answered.
    ///
    /// # Errors
    ///
    /// As for [`Owner::obtain`]; `EUCLEAN` if there is no such block.
    pub(super) fn hold(&self, block: u32, ahead: u32) -> Result<Held<'_>> {
        if let Some(held) = self.owner.find(self.key(block))? {
            return Ok(held);
        }
        if block == 0 {
            let proof = Proof::Known(self.digest);
            return self.owner.obtain(self.key(0), &proof, 0);
        }
        let superblock = self.superblock()?;
        // From the block up to one whose digest is known, or that is here.
        let mut way = [(0, 0); WAY_MAX];
        let mut len = 0;
        let mut at = block;
        let mut held = loop {
            match superblock.layout().seal(at).ok_or(Failure::Unclean)? {
                Seal::Tree => return Err(Failure::Unclean.into()),
                Seal::Superblock => {
                    let proof = Proof::Known(*superblock.digest());
                    break self.owner.obtain(self.key(at), &proof, 0)?;
                }
                Seal::At {
                    block: above,
                    offset,
                } => {
                    *way.get_mut(len).ok_or(Failure::Unclean)? = (at, offset);
                    len += 1;
                    if let Some(held) = self.owner.find(self.key(above))? {
                        break held;
                    }
                    at = above;
                }
            }
        };
        // And down again.
        for &(at, offset) in way.iter().take(len).rev() {
            let ahead = if at == block { ahead } else { 0 };
            // Those whose digests are in the same block.
            let more = ((BLOCK - offset) / DIGEST - 1) as u32;
            let proof = Proof::At(&held, offset);
            let next = self.owner.obtain(self.key(at), &proof, ahead.min(more))?;
            held = next;
        }
        Ok(held)
    }

    /// As [`Blocks::hold`], for a block of content that `left` others follow in its file: those worth
    /// it are fetched with it.
    #[inline]
    pub(super) fn hold_content(&self, block: u32, left: u32) -> Result<Held<'_>> {
        match self.glance(block) {
            Some(held) => Ok(held),
            None => self.hold(block, self.ahead(block, left)?),
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
                self.hold(block, 0)?.view()?.read(offset, &mut digest)?;
            }
            Seal::Tree | Seal::Superblock => return Err(Failure::Unclean.into()),
        }
        if sha256(page) == digest {
            Ok(())
        } else {
            Err(Failure::Spoiled.into())
        }
    }

    /// How many blocks behind a block of content are worth to be fetched with it, of the `left`
    /// that follow it in its file: many if the file is being read from one end to the other.
    pub(super) fn ahead(&self, block: u32, left: u32) -> Result<u32> {
        let before = self.owner.find(self.key(block.saturating_sub(1)))?;
        let most = if before.is_some() { BATCH - 1 } else { AHEAD };
        Ok(left.min(most))
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
        self.hold(block, 0)?.view()?.read(offset, to)
    }
}
