// SPDX-License-Identifier: GPL-2.0

//! The content of files, each block of it once.

use super::numbers::Numbers;
use crate::area::format::{BLOCK, Digest, Extent, Layout};
use crate::files::{Block, Files, NodeId, What};
use anyhow::{Context, Result};
use std::collections::HashMap;

/// Where the content of a block is.
pub(crate) struct Source {
    /// In which file.
    pub(crate) file: NodeId,
    /// Which of its blocks.
    pub(crate) block: u64,
    pub(crate) digest: Digest,
}

/// A run of a file's blocks that are one after the other.
#[derive(Clone, Copy)]
pub(super) struct Run {
    at: u64,
    count: u32,
    /// Index of the first of them among those of content.
    index: u32,
}

impl Run {
    pub(super) fn record(&self, layout: &Layout) -> Option<Extent> {
        let start = layout.data().block(self.index)?;
        Extent::new(self.at, self.count, start, layout)
    }

    /// Takes a block in, if it continues the run.
    fn grow(&mut self, at: u64, index: u32) -> bool {
        let next = self.at + u64::from(self.count) == at
            && u64::from(self.index) + u64::from(self.count) == u64::from(index)
            && self.count < u32::MAX;
        self.count += u32::from(next);
        next
    }
}

/// The runs of one file.
#[derive(Clone, Copy, Default)]
pub(super) struct Runs {
    pub(super) first: u32,
    pub(super) count: u32,
    /// Blocks in them.
    pub(super) blocks: u64,
}

/// What is in all files.
#[derive(Default)]
pub(crate) struct Contents {
    /// Each block that is not all zeroes, once, in the order of the first file that has it.
    pub(crate) sources: Vec<Source>,
    /// Blocks that were read and are all zeroes.
    pub(crate) zeroes: u64,
    known: HashMap<Digest, u32>,
    runs: Vec<Run>,
    files: HashMap<u32, Runs>,
}

impl Contents {
    /// Reads all files.
    pub(super) fn read(
        files: &Files,
        numbers: &Numbers,
        mut progress: impl FnMut(u64),
    ) -> Result<Self> {
        let mut this = Self::default();
        for (number, &id) in (1..).zip(&numbers.order) {
            if let What::Regular(content) = &files.0[id].what {
                let mut of = Runs {
                    first: u32::try_from(this.runs.len()).context("too many runs of blocks")?,
                    ..Runs::default()
                };
                content.blocks(&mut |at, block| this.take(&mut of, id, at, block))?;
                this.files.insert(number, of);
                progress(content.size());
            }
        }
        Ok(this)
    }

    fn take(&mut self, of: &mut Runs, file: NodeId, at: u64, block: &Block) -> Result<()> {
        if *block == [0; BLOCK] {
            self.zeroes += 1;
            return Ok(());
        }
        let index = self.index(file, at, block)?;
        of.blocks += 1;
        let (_, ours) = self.runs.split_at_mut(of.first as usize);
        if ours.last_mut().is_some_and(|last| last.grow(at, index)) {
            return Ok(());
        }
        of.count += 1;
        self.runs.push(Run {
            at,
            count: 1,
            index,
        });
        Ok(())
    }

    fn index(&mut self, file: NodeId, at: u64, block: &Block) -> Result<u32> {
        let digest = crate::digest(block);
        if let Some(&index) = self.known.get(&digest) {
            return Ok(index);
        }
        let index =
            u32::try_from(self.sources.len()).context("more content than a tree can have")?;
        self.known.insert(digest, index);
        self.sources.push(Source {
            file,
            block: at,
            digest,
        });
        Ok(index)
    }

    /// Returns the runs of the file with that number.
    pub(super) fn of(&self, number: u32) -> Runs {
        self.files.get(&number).copied().unwrap_or_default()
    }

    /// Returns how many runs all files have.
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Returns the runs of all files.
    pub(super) fn all_runs(&self) -> &[Run] {
        &self.runs
    }

    /// Returns how many blocks all files have.
    pub(super) fn referenced(&self) -> u64 {
        self.files.values().map(|runs| runs.blocks).sum()
    }
}
