// SPDX-License-Identifier: GPL-2.0

//! Lists of pages' contents, by their digests. Nothing is copied to read them.

use super::super::format::{
    Digest,
    DIGEST, //
};
use core::fmt;

/// Digests in one message, at the most.
pub const DIGESTS_MAX: usize = 14;

/// Contents that one message supplies, at the most.
pub const SUPPLIES_MAX: usize = 12;

/// Bytes of a grant's reference.
const REF: usize = 4;

/// Bytes of a content that is supplied.
const SUPPLY: usize = REF + DIGEST;

/// Bytes of the longest list of either kind.
pub(super) const CONTENTS_BYTES: usize = DIGESTS_MAX * DIGEST;

const _: () = assert!(SUPPLIES_MAX * SUPPLY <= CONTENTS_BYTES);

/// Digests of pages.
///
/// # Invariants
///
/// The bytes are from 1 to [`DIGESTS_MAX`] digests.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digests<'a>(&'a [u8]);

impl<'a> Digests<'a> {
    /// Returns the digests that the bytes mean.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        // INVARIANT: Just checked.
        is_list(bytes, DIGEST, DIGESTS_MAX).then_some(Self(bytes))
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a Digest> + 'a {
        self.0.chunks_exact(DIGEST).filter_map(<[u8]>::first_chunk)
    }

    /// Returns how many there are.
    pub const fn count(&self) -> u32 {
        (self.0.len() / DIGEST) as u32
    }
}

impl fmt::Debug for Digests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Contents that are supplied: each by a grant of a page that has it, and its digest.
///
/// # Invariants
///
/// The bytes are from 1 to [`SUPPLIES_MAX`] pairs of a grant's reference and a digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Supplies<'a>(&'a [u8]);

impl<'a> Supplies<'a> {
    /// Returns what the bytes mean.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        // INVARIANT: Just checked.
        is_list(bytes, SUPPLY, SUPPLIES_MAX).then_some(Self(bytes))
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns each grant, and the digest of what it is of.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &'a Digest)> + 'a {
        self.0.chunks_exact(SUPPLY).filter_map(|supply| {
            let (reference, digest) = supply.split_first_chunk()?;
            Some((u32::from_le_bytes(*reference), digest.first_chunk()?))
        })
    }

    /// Returns how many there are.
    pub const fn count(&self) -> u32 {
        (self.0.len() / SUPPLY) as u32
    }
}

impl fmt::Debug for Supplies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn is_list(bytes: &[u8], item: usize, most: usize) -> bool {
    !bytes.is_empty() && bytes.len() % item == 0 && bytes.len() / item <= most
}

/// A list of contents to be filled, with items of one kind.
#[derive(Clone, Copy, Debug)]
pub struct ContentList {
    bytes: [u8; CONTENTS_BYTES],
    used: usize,
}

impl ContentList {
    /// Returns a list without contents.
    pub const fn new() -> Self {
        Self {
            bytes: [0; CONTENTS_BYTES],
            used: 0,
        }
    }

    /// Adds a digest. Returns false if there is no room.
    pub fn push(&mut self, digest: &Digest) -> bool {
        self.add(&[], digest)
    }

    /// Adds a content that is supplied by a grant. Returns false if there is no room.
    pub fn supply(&mut self, reference: u32, digest: &Digest) -> bool {
        self.used < SUPPLIES_MAX * SUPPLY && self.add(&reference.to_le_bytes(), digest)
    }

    fn add(&mut self, first: &[u8], digest: &Digest) -> bool {
        let end = self.used + first.len() + DIGEST;
        let Some(to) = self.bytes.get_mut(self.used..end) else {
            return false;
        };
        let (head, tail) = to.split_at_mut(first.len());
        head.copy_from_slice(first);
        tail.copy_from_slice(digest);
        self.used = end;
        true
    }

    /// Returns the digests. [`None`] if there is none.
    pub fn digests(&self) -> Option<Digests<'_>> {
        self.bytes.get(..self.used).and_then(Digests::decode)
    }

    /// Returns what is supplied. [`None`] if that is nothing.
    pub fn supplies(&self) -> Option<Supplies<'_>> {
        self.bytes.get(..self.used).and_then(Supplies::decode)
    }
}

impl Default for ContentList {
    fn default() -> Self {
        Self::new()
    }
}
