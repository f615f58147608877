// SPDX-License-Identifier: GPL-2.0

//! Which number each file has, and in which order names stand.

use crate::area::format::{Kind, ROOT};
use crate::files::{File, Files, NodeId, What};
use anyhow::{Context, Result, ensure};

/// An entry of a directory.
pub(super) struct Named {
    pub(super) name: Vec<u8>,
    pub(super) inode: u32,
    pub(super) kind: Kind,
}

/// Where an inode stands among the others.
#[derive(Clone, Default)]
pub(super) struct Position {
    pub(super) links: u32,
    pub(super) parent: u32,
    pub(super) entry: u32,
    /// A directory's entries: the first one, and how many.
    pub(super) range: (u32, u32),
}

/// The order of everything. What is in one directory has numbers and entries one after the other,
/// directories come before what is in them, and a whole subdirectory before the next one.
#[derive(Default)]
pub(super) struct Numbers {
    /// The files, by their numbers: the first one has number 1.
    pub(super) order: Vec<NodeId>,
    pub(super) places: Vec<Position>,
    pub(super) entries: Vec<Named>,
}

impl Numbers {
    pub(super) fn new(files: &Files) -> Result<Self> {
        let mut this = Self::default();
        let mut numbers = vec![0; files.0.len()];
        let root = this.number(0, ROOT, 0, &mut numbers)?;
        this.places[0].links = 2;
        let mut waiting = vec![(0, root)];
        while let Some((id, number)) = waiting.pop() {
            let below = this.directory(files, id, number, &mut numbers)?;
            waiting.extend(below.into_iter().rev());
        }
        Ok(this)
    }

    fn number(&mut self, id: NodeId, parent: u32, entry: u32, numbers: &mut [u32]) -> Result<u32> {
        self.order.push(id);
        self.places.push(Position {
            parent,
            entry,
            ..Position::default()
        });
        let number = u32::try_from(self.order.len()).context("too many files")?;
        let known = numbers.get_mut(id).context("a name of no file")?;
        *known = number;
        Ok(number)
    }

    /// Numbers what is in a directory. Returns those of them that are directories.
    fn directory(
        &mut self,
        files: &Files,
        id: NodeId,
        number: u32,
        numbers: &mut [u32],
    ) -> Result<Vec<(NodeId, u32)>> {
        let What::Directory(names) = &files.0[id].what else {
            return Ok(Vec::new());
        };
        let mut below = Vec::new();
        let first = u32::try_from(self.entries.len()).context("too many names")?;
        for (entry, (name, &child)) in (first..).zip(names) {
            let kind = files.0.get(child).context("a name of no file")?.what.kind();
            let inode = match numbers[child] {
                0 => self.number(child, number, entry, numbers)?,
                known => known,
            };
            let place = &mut self.places[inode as usize - 1];
            place.links += 1;
            if kind == Kind::Directory {
                ensure!(
                    place.links == 1 && inode > number,
                    "a directory with two names"
                );
                // Its name, its own entry for itself, and later that of each directory in it.
                place.links = 2;
                self.places[number as usize - 1].links += 1;
                below.push((child, inode));
            }
            self.entries.push(Named {
                name: name.clone(),
                inode,
                kind,
            });
        }
        self.places[number as usize - 1].range = (first, names.len() as u32);
        Ok(below)
    }

    /// Returns all files that have a number, with it, in order.
    pub(super) fn files<'a>(&'a self, files: &'a Files) -> impl Iterator<Item = (u32, &'a File)> {
        (ROOT..).zip(self.order.iter().map(|&id| &files.0[id]))
    }
}
