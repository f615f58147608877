// SPDX-License-Identifier: GPL-2.0

//! A file of a tree, as what is on a disk.

use super::{
    blocks::Blocks,
    gate::Gate,
    tree::{
        self,
        error,
        File,
        ZEROES, //
    }, //
};
use crate::{
    area::{
        ahead::With,
        format::{
            Inode,
            Kind,
            BLOCK,
            ROOT, //
        },
        tree::{
            Name,
            Tree, //
        },
        wire::BATCH, //
    },
    disk::{
        Content,
        MOST_SECTORS,
        SECTOR, //
    },
    failure::Failure, //
};
use kernel::{
    iov::IovIterDest,
    prelude::*,
    sync::Arc, //
};

/// In such units it is best read.
pub(super) const UNIT: u32 = BLOCK as u32;

/// As much is read ahead: what is asked for, and mapped, at once.
pub(super) const AHEAD: u32 = BATCH * UNIT;

/// A regular file that is not empty.
pub(super) struct Image {
    tree: Tree<Blocks>,
    file: File,
    gate: Arc<Gate>,
}

impl Image {
    /// Looks for the file at `path`; for no path it is the only one of the tree.
    ///
    /// Context: process context, sleeps until the owner has answered.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `ENOTDIR`, `EISDIR`; `EFBIG` if it is larger than a disk can be; `EINVAL` if it is
    /// empty or no regular file, or if there is not one only; as for [`Blocks::hold`].
    pub(super) fn find(tree: Tree<Blocks>, path: &[u8], gate: Arc<Gate>) -> Result<Self> {
        let file = match path {
            [] => only(&tree)?,
            path => at(&tree, path)?,
        };
        match file.kind() {
            Some(Kind::Regular) if file.size > 0 => {}
            Some(Kind::Directory) => return Err(EISDIR),
            _ => return Err(EINVAL),
        }
        if file.size.div_ceil(SECTOR) > MOST_SECTORS {
            return Err(EFBIG);
        }
        let file = File::new(file);
        Ok(Self { tree, file, gate })
    }

    pub(super) fn tree(&self) -> &Tree<Blocks> {
        &self.tree
    }

    /// How many sectors it has, the last one perhaps in part.
    pub(super) fn sectors(&self) -> u64 {
        self.file.inode().size.div_ceil(SECTOR)
    }

    /// Copies what is `at` bytes behind the start to `to`, and zeroes for what is behind the end of
    /// the file.
    fn copy(&self, at: u64, to: &mut IovIterDest<'_>) -> Result {
        tree::copy(&self.tree, &self.file, at, to, |left, wanted| {
            let more = wanted.div_ceil(BLOCK) as u32 - 1;
            With::Behind(left.min(more).min(BATCH - 1))
        })?;
        // Less than a sector, up to the end of the last one, if the file was read up to its end.
        to.copy_to_iter(ZEROES.get(..to.len()).unwrap_or_default());
        Ok(())
    }
}

impl Content for Image {
    fn read(&self, at: u64, to: &mut IovIterDest<'_>) -> Result {
        let end = at.saturating_add(to.len() as u64);
        loop {
            let inside = self.gate.enter();
            let result = self.copy(end.saturating_sub(to.len() as u64), to);
            // What comes from the end of all links is tried again when there are some.
            if result.is_ok() || !inside.is_shut() {
                return result;
            }
        }
    }
}

/// Returns the only file of a tree.
fn only(tree: &Tree<Blocks>) -> Result<Inode> {
    let root = tree.inode(ROOT).map_err(error)?.ok_or(Failure::Unclean)?;
    let mut name = Name::new();
    let entry = tree.read_directory(&root, 0, &mut name).map_err(error)?;
    if root.count != 1 {
        return Err(EINVAL);
    }
    let number = entry.ok_or(Failure::Unclean)?.inode;
    let file = tree.inode(number).map_err(error)?;
    Ok(file.ok_or(Failure::Unclean)?)
}

/// Returns the file at `path`, which links do not lead to.
fn at(tree: &Tree<Blocks>, path: &[u8]) -> Result<Inode> {
    let mut number = ROOT;
    let root = tree.inode(ROOT).map_err(error)?;
    let mut inode = root.ok_or(Failure::Unclean)?;
    let names = path.split(|&byte| byte == b'/');
    for name in names.filter(|name| !name.is_empty()) {
        if inode.kind() != Some(Kind::Directory) {
            return Err(ENOTDIR);
        }
        let found = tree.lookup(number, &inode, name).map_err(error)?;
        (number, inode) = found.ok_or(ENOENT)?;
    }
    Ok(inode)
}
