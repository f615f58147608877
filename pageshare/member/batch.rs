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
use kernel::prelude::*;

/// What the digests of blocks are to be.
pub(super) enum Proof<'a> {
    /// That of this block, and of no other.
    Known(u32, Digest),
    /// Those in a block of digests, whose first one is of this block.
    In(&'a Held<'a>, u32),
}

impl Proof<'_> {
    /// Returns the digest of a block.
    pub(super) fn digest(&self, block: u32) -> Result<Digest> {
        match self {
            Proof::Known(number, digest) if *number == block => Ok(*digest),
            Proof::Known(..) => Err(EINVAL),
            Proof::In(held, first) => {
                let index = block.checked_sub(*first).ok_or(EINVAL)?;
                let mut digest = [0; DIGEST];
                held.view()?.read(index as usize * DIGEST, &mut digest)?;
                Ok(digest)
            }
        }
    }
}

/// A request that is under way.
pub(super) struct Ticket {
    /// Its number.
    pub(super) number: u32,
    /// Which one of that number it is.
    pub(super) serial: u32,
    pub(super) blocks: RunList,
}

/// Room for what is done about a batch of blocks, allocated before it is asked for.
pub(super) struct Batch {
    /// Each slot that a grant is to be mapped in, and the grant.
    pub(super) wanted: KVec<(u32, u32)>,
    /// The slots where it was mapped.
    pub(super) mapped: KVec<u32>,
    /// Slots that are to be unmapped.
    pub(super) closing: KVec<u32>,
    /// Blocks that are to be released.
    pub(super) back: RunList,
}

impl Batch {
    pub(super) fn new() -> Result<Self> {
        let most = BATCH as usize;
        Ok(Self {
            wanted: KVec::with_capacity(most, GFP_KERNEL)?,
            mapped: KVec::with_capacity(most, GFP_KERNEL)?,
            closing: KVec::with_capacity(most, GFP_KERNEL)?,
            back: RunList::new(),
        })
    }
}

/// Puts `value` where there is room for it.
pub(super) fn put<T>(list: &mut KVec<T>, value: T) {
    // As many as a batch has blocks never fail.
    let _ = list.push(value, GFP_NOWAIT);
}
