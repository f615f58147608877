// SPDX-License-Identifier: GPL-2.0

//! What a batch of blocks needs while it is asked for, mapped and checked.

use super::held::Held;
use crate::area::{
    format::{
        Digest,
        DIGEST, //
    },
    wire::{
        RunList,
        BATCH, //
    }, //
};
use core::ops::Range;
use kernel::prelude::*;

/// What the digests of blocks are to be.
pub(super) enum Proof<'a> {
    /// That of this block, and of no other.
    Known(u32, Digest),
    /// Those in blocks of digests, each with the block that its first one is of, in order.
    In(KVec<(u32, Held<'a>)>),
}

impl Proof<'_> {
    /// Returns the digest of a block.
    pub(super) fn digest(&self, block: u32) -> Result<Digest> {
        match self {
            Proof::Known(number, digest) if *number == block => Ok(*digest),
            Proof::Known(..) => Err(EINVAL),
            Proof::In(all) => {
                let found = all.iter().rev().find(|(first, _)| *first <= block);
                let (first, held) = found.ok_or(EINVAL)?;
                let index = block - first;
                let mut digest = [0; DIGEST];
                held.view()?.read(index as usize * DIGEST, &mut digest)?;
                Ok(digest)
            }
        }
    }
}

/// A request that is under way.
pub(super) struct Ticket {
    /// The blocks that it is about, if they were not there.
    pub(super) span: Range<u32>,
    /// Its number.
    pub(super) number: u32,
    /// Which one of that number it is.
    pub(super) serial: u32,
    pub(super) blocks: RunList,
}

/// Room for what is done about blocks that are fetched at once, allocated before they are asked for.
pub(super) struct Batch {
    /// What was asked, first for the block that is needed.
    pub(super) tickets: KVec<Ticket>,
    /// Each slot that a grant is to be mapped in, and the grant.
    pub(super) wanted: KVec<(u32, u32)>,
    /// The slots where it was mapped.
    pub(super) mapped: KVec<u32>,
    /// Slots that are to be unmapped.
    pub(super) closing: KVec<u32>,
    /// Blocks of one request that are to be released.
    pub(super) back: RunList,
}

impl Batch {
    /// For up to so many blocks.
    pub(super) fn new(most: usize) -> Result<Self> {
        // Room is made for a batch.
        let most = most.max(BATCH as usize);
        Ok(Self {
            tickets: KVec::with_capacity(most.div_ceil(BATCH as usize), GFP_KERNEL)?,
            wanted: KVec::with_capacity(most, GFP_KERNEL)?,
            mapped: KVec::with_capacity(most, GFP_KERNEL)?,
            closing: KVec::with_capacity(most, GFP_KERNEL)?,
            back: RunList::new(),
        })
    }
}

/// Puts `value` where there is room for it.
pub(super) fn put<T>(list: &mut KVec<T>, value: T) {
    // There is room for as many as there are blocks.
    let _ = list.push(value, GFP_NOWAIT);
}
