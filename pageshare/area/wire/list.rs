// SPDX-License-Identifier: GPL-2.0

//! Lists of blocks, and of the grants for them. Nothing is copied to read them.

use core::fmt;

/// Blocks that one message is about, at the most: as many as are mapped at once.
pub const BATCH: u32 = 128;

/// Runs of blocks in one message, at the most.
pub const RUNS_MAX: usize = 32;

/// What stands for the grant of a block that is not to be had.
pub const NO_GRANT: u32 = u32::MAX;

const RUN: usize = 8;
const REF: usize = 4;

/// Bytes of the longest list of runs.
pub(super) const RUNS_BYTES: usize = RUNS_MAX * RUN;

/// Bytes of the longest list of grants.
pub(super) const REFS_BYTES: usize = BATCH as usize * REF;

/// Runs of a tree's blocks.
///
/// # Invariants
///
/// The bytes are from 1 to [`RUNS_MAX`] pairs of words: a run's first block, and how many it has,
/// at least 1. Each ends with a number that a block may have; all have at most [`BATCH`] blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Runs<'a>(&'a [u8]);

impl<'a> Runs<'a> {
    /// Returns the runs that the bytes mean.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let runs = Self(bytes);
        let mut blocks: u32 = 0;

        if bytes.is_empty() || bytes.len() % RUN != 0 || bytes.len() > RUNS_BYTES {
            return None;
        }
        for (first, count) in runs.iter() {
            first.checked_add(count.checked_sub(1)?)?;
            blocks = blocks.checked_add(count)?;
        }
        // INVARIANT: Just checked.
        (blocks <= BATCH).then_some(runs)
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns each run: its first block, and how many it has.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + 'a {
        self.0.chunks_exact(RUN).map(|run| {
            let (first, count) = run.split_at(REF);
            (word(first), word(count))
        })
    }

    /// Returns all blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = u32> + 'a {
        // No overflow, by the type invariants.
        let each = |(first, count): (u32, u32)| (0..count).map(move |at| first.saturating_add(at));
        self.iter().flat_map(each)
    }

    /// Returns how many blocks there are.
    pub fn count(&self) -> u32 {
        self.iter().map(|(_, count)| count).sum()
    }
}

impl fmt::Debug for Runs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Grants of blocks, in the order in which they were asked for.
///
/// # Invariants
///
/// The bytes are from 1 to [`BATCH`] words.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refs<'a>(&'a [u8]);

impl<'a> Refs<'a> {
    /// Returns the grants that the bytes mean.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let sound = !bytes.is_empty() && bytes.len() % REF == 0 && bytes.len() <= REFS_BYTES;

        // INVARIANT: Just checked.
        sound.then_some(Self(bytes))
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the grants; [`None`] for a block that is not to be had.
    pub fn iter(&self) -> impl Iterator<Item = Option<u32>> + 'a {
        let granted = |&reference: &u32| reference != NO_GRANT;

        self.0
            .chunks_exact(REF)
            .map(move |reference| Some(word(reference)).filter(granted))
    }

    /// Returns how many blocks they are for.
    pub const fn count(&self) -> u32 {
        (self.0.len() / REF) as u32
    }
}

impl fmt::Debug for Refs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// A list of blocks to be filled.
///
/// # Invariants
///
/// What is used of the bytes is that of [`Runs`], or nothing; `blocks` is how many blocks it has.
#[derive(Clone, Copy, Debug)]
pub struct RunList {
    bytes: [u8; RUNS_BYTES],
    used: usize,
    blocks: u32,
}

impl RunList {
    /// Returns a list without blocks.
    pub const fn new() -> Self {
        // INVARIANT: Nothing is used.
        Self {
            bytes: [0; RUNS_BYTES],
            used: 0,
            blocks: 0,
        }
    }

    /// Returns how many blocks are in the list.
    pub const fn count(&self) -> u32 {
        self.blocks
    }

    /// Adds a block. Returns false if there is no room for it.
    pub fn push(&mut self, block: u32) -> bool {
        if self.blocks >= BATCH {
            return false;
        }
        if !self.grow(block) {
            let Some(to) = self.bytes.get_mut(self.used..self.used + RUN) else {
                return false;
            };
            let run = u64::from(block) | (1 << 32);
            to.copy_from_slice(&run.to_le_bytes());
            self.used += RUN;
        }
        // INVARIANT: It was added to a run, or is one.
        self.blocks += 1;
        true
    }

    /// Adds a block to the last run, if it continues that.
    fn grow(&mut self, block: u32) -> bool {
        let last = self.used.checked_sub(RUN).unwrap_or(self.used);
        let Some(bytes) = self.bytes.get_mut(last..self.used) else {
            return false;
        };
        let Some((first, count)) = bytes.split_at_mut_checked(REF) else {
            return false;
        };
        let (start, len) = (word(first), word(count));
        if start.checked_add(len) != Some(block) {
            return false;
        }
        count.copy_from_slice(&(len + 1).to_le_bytes());
        true
    }

    /// Returns the runs. [`None`] if there is no block.
    pub fn runs(&self) -> Option<Runs<'_>> {
        // INVARIANT: By the type invariants.
        self.bytes
            .get(..self.used)
            .filter(|used| !used.is_empty())
            .map(Runs)
    }
}

impl Default for RunList {
    fn default() -> Self {
        Self::new()
    }
}

/// A list of grants to be filled.
#[derive(Clone, Copy, Debug)]
pub struct RefList {
    bytes: [u8; REFS_BYTES],
    used: usize,
}

impl RefList {
    /// Returns a list without grants.
    pub const fn new() -> Self {
        Self {
            bytes: [0; REFS_BYTES],
            used: 0,
        }
    }

    /// Adds the grant of the next block; [`None`] if it is not to be had. Returns false if there is
    /// no room.
    pub fn push(&mut self, reference: Option<u32>) -> bool {
        let Some(to) = self.bytes.get_mut(self.used..self.used + REF) else {
            return false;
        };
        to.copy_from_slice(&reference.unwrap_or(NO_GRANT).to_le_bytes());
        self.used += REF;
        true
    }

    /// Returns the grants. [`None`] if there is none.
    pub fn refs(&self) -> Option<Refs<'_>> {
        self.bytes.get(..self.used).and_then(Refs::decode)
    }
}

impl Default for RefList {
    fn default() -> Self {
        Self::new()
    }
}
