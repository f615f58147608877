// SPDX-License-Identifier: GPL-2.0

//! Trees that are attached, and the content of their files.

use super::{
    blocks::Blocks,
    Owner, //
};
use crate::{
    area::{
        ahead::With,
        format::{
            Digest,
            Extent,
            Inode,
            BLOCK, //
        },
        tree::{
            Fault,
            Run,
            Tree, //
        },
        wire::{
            Label,
            BATCH, //
        }, //
    },
    failure::Failure,
    linux::{
        timing::check_killed,
        work::Worker, //
    },
    xen::shared::make_room, //
};
use kernel::{
    iov::IovIterDest,
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    }, //
};

/// As many bytes of a program's memory are made to be there at once: what is mapped at once.
const AT_ONCE: usize = BATCH as usize * BLOCK;

/// What is in a hole.
pub(super) static ZEROES: [u8; BLOCK] = [0; BLOCK];

/// What a fault of a tree comes to, for programs.
pub(super) fn error(fault: Fault<Error>) -> Error {
    match fault {
        Fault::Unread(error) => error,
        Fault::Flaw(_) => Failure::Unclean.into(),
    }
}

/// Attaches a tree, which is to have the digest `wanted`, if that is given. It is detached when it is
/// dropped.
///
/// Context: process context, sleeps.
///
/// # Errors
///
/// `ESTALE` if it has another digest, `EUCLEAN` if it is no tree; as for [`Owner::attach`] and
/// [`Owner::obtain`].
pub(super) fn open(
    owner: Arc<Worker<Owner>>,
    (area, name): (Label, Label),
    wanted: Option<&Digest>,
) -> Result<Tree<Blocks>> {
    let (tree, attached) = owner.attach(area, name)?;
    // From here on it is detached when it is dropped.
    let blocks = Blocks::new(owner, tree, attached.digest);
    if wanted.is_some_and(|wanted| *wanted != attached.digest) {
        return Err(Failure::Stale.into());
    }
    Tree::open(blocks).map_err(error)
}

/// A file of a tree.
pub(super) struct File {
    inode: Inode,
    /// The extent that was looked for first: most files have no other.
    extent: SetOnce<Extent>,
}

impl File {
    pub(super) fn new(inode: Inode) -> Self {
        Self {
            inode,
            extent: SetOnce::new(),
        }
    }

    pub(super) fn inode(&self) -> &Inode {
        &self.inode
    }

    /// As [`Tree::map`].
    pub(super) fn map(&self, tree: &Tree<Blocks>, block: u64) -> Result<Option<Run>> {
        let known = self.extent.as_ref();
        if let Some(run) = known.and_then(|extent| Run::within(extent, &self.inode, block)) {
            return Ok(Some(run));
        }
        let found = tree.find(&self.inode, block).map_err(error)?;
        if let Some(extent) = found.and_then(|found| found.extent) {
            self.extent.populate(extent);
        }
        Ok(found.map(|found| found.run))
    }
}

/// A stretch of a file that lies in blocks that follow each other, or in a hole.
pub(super) struct Stretch {
    /// The tree's first block, and how many blocks follow it there as they do in the file; [`None`]
    /// in a hole.
    pub(super) block: Option<(u32, u32)>,
    /// How many bytes behind that block's start it begins.
    pub(super) offset: usize,
    /// How many bytes it has.
    pub(super) len: usize,
}

/// Calls `data` with the stretches of a file from `at` on, `len` bytes long together, up to the
/// file's end. It returns how many bytes of one it is done with: none to end this.
///
/// # Errors
///
/// `EINTR` for a program that is being killed, `EUCLEAN`, as for [`Tree::find`], and those of `data`.
#[inline]
pub(super) fn stretches(
    tree: &Tree<Blocks>,
    file: &File,
    (at, len): (u64, u64),
    mut data: impl FnMut(Stretch) -> Result<usize>,
) -> Result {
    let end = at.saturating_add(len).min(file.inode.size);
    let mut at = at;
    while at < end {
        let first = at / BLOCK as u64;
        let run = file.map(tree, first)?.ok_or(Failure::Unclean)?;
        let run_end = end.min((first + run.count()) * BLOCK as u64);
        while at < run_end {
            let index = (at / BLOCK as u64 - first) as u32;
            let block = match run {
                Run::Hole(_) => None,
                Run::Data { start, count } => Some((start + index, count - index - 1)),
            };
            let len = (run_end - at) as usize;
            let offset = (at % BLOCK as u64) as usize;
            match data(Stretch { block, offset, len })? {
                0 => return Ok(()),
                done => at += done as u64,
            }
            // Not if that was all, as it mostly is.
            if at < end {
                check_killed()?;
            }
        }
    }
    Ok(())
}

/// Copies the content of a file from `at` on to `to`, until that is full or cannot be written any
/// further, or the file ends. `with` says what is to be fetched with a block that has so many behind
/// it in the file, of so many bytes that are wanted, when it has to be.
///
/// Context: process context, sleeps until the owner has answered.
///
/// # Errors
///
/// As for [`stretches`] and [`Blocks::hold`]. What was copied counts.
pub(super) fn copy(
    tree: &Tree<Blocks>,
    file: &File,
    at: u64,
    to: &mut IovIterDest<'_>,
    with: impl Fn(u32, usize) -> With,
) -> Result {
    let len = to.len() as u64;
    stretches(tree, file, (at, len), |stretch| {
        let Stretch { block, offset, len } = stretch;
        let Some((block, left)) = block else {
            return Ok(to.copy_to_iter(ZEROES.get(..len.min(BLOCK)).unwrap_or_default()));
        };
        loop {
            let wanted = (offset + len).div_ceil(BLOCK);
            let held = match tree.blocks().glance_run(block, wanted) {
                Some(held) => held,
                None => {
                    let with = with(left, offset + to.len());
                    tree.blocks().hold(block, with)?
                }
            };
            let copied = held.view()?.copy_out(offset, len, to);
            // The program's memory may be of this very block, or come when somebody likes: until then
            // it must be possible to take the block away.
            drop(held);
            if copied > 0 || !make_room(to, len.min(AT_ONCE)) {
                return Ok(copied);
            }
            check_killed()?;
        }
    })
}
