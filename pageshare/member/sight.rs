// SPDX-License-Identifier: GPL-2.0

//! What there is to see of owners, and of their trees that are mounted here: folders in
//! `/sys/class/misc/pageshare/owners/`.

use super::{
    Owner,
    State, //
};
use crate::{
    area::format::Digest,
    linux::{
        folder::{
            self,
            Figure,
            Folders,
            Nested,
            Place,
            Subject, //
        },
        work::Worker, //
    }, //
};
use core::sync::atomic::Ordering::Relaxed;
use kernel::{
    fmt,
    pr_warn_once,
    prelude::*,
    sync::Arc, //
};

/// What is counted of a tree where it is asked for, or looked for with the lock.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    /// Blocks that were looked for and mapped.
    pub(super) hits: u64,
    /// Blocks that were asked for.
    pub(super) asked: u64,
    /// Blocks that were mapped.
    pub(super) got: u64,
    /// What [`Owner::glances`] had when it was attached: that was of another one.
    pub(super) before: u64,
}

/// What there is of a tree.
#[derive(Default)]
struct Tally {
    mounts: u64,
    mapped: u64,
    counts: Counts,
}

/// A tree that is mounted here, by its digest: what has the same content in two areas is one.
pub(super) struct Mounted {
    owner: Arc<Worker<Owner>>,
    digest: Digest,
}

/// The name of its folder: the UUID that its file system has, the first half of its digest.
struct Name(u128);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!("{:032x}", self.0))
    }
}

impl Mounted {
    fn name(&self) -> Name {
        let half = self.digest.first_chunk();
        Name(half.map_or(0, |half| u128::from_be_bytes(*half)))
    }

    fn tally(&self) -> Tally {
        self.owner.tally(&self.digest)
    }
}

impl Subject for Arc<Worker<Owner>> {
    const FIGURES: &'static [Figure<Self>] = &[
        Figure::new(c"mapped", |owner| owner.figures().used),
        Figure::new(c"borrowed", |owner| owner.figures().borrowed),
        Figure::new(c"hits", |owner| owner.figures().counters.hits),
        Figure::new(c"asked", |owner| owner.figures().counters.asked),
        Figure::new(c"got", |owner| owner.figures().counters.mapped),
        Figure::new(c"failed", |owner| owner.figures().counters.failed),
        Figure::new(c"evicted", |owner| owner.figures().counters.evicted),
        Figure::new(c"withdrawn", |owner| owner.figures().counters.withdrawn),
        Figure::new(c"map_calls", |owner| owner.figures().calls.maps),
        Figure::new(c"unmap_calls", |owner| owner.figures().calls.unmaps),
    ];
}

impl Subject for Arc<Mounted> {
    const FIGURES: &'static [Figure<Self>] = &[
        Figure::new(c"mounts", |tree| tree.tally().mounts),
        Figure::new(c"mapped", |tree| tree.tally().mapped),
        Figure::new(c"hits", |tree| tree.tally().counts.hits),
        Figure::new(c"asked", |tree| tree.tally().counts.asked),
        Figure::new(c"got", |tree| tree.tally().counts.got),
    ];
}

impl State {
    /// Counts something of a tree, if it is there.
    pub(super) fn count(&mut self, tree: u8, count: impl FnOnce(&mut Counts)) {
        let tree = self.trees.get_mut(usize::from(tree));
        if let Some(tree) = tree.and_then(Option::as_mut) {
            count(&mut tree.counts);
        }
    }
}

impl Owner {
    /// How often blocks of a tree were there, without a lock, and of those that had its number before.
    pub(super) fn glances(&self, tree: usize) -> u64 {
        let glances = self.glances.get(tree);
        glances.map_or(0, |glances| glances.load(Relaxed))
    }

    /// What there is of all trees that have a digest.
    fn tally(&self, digest: &Digest) -> Tally {
        let mut sum = Tally::default();
        let state = self.state.lock();
        for (at, tree) in (0..=u8::MAX).zip(&state.trees) {
            let Some(tree) = tree.as_ref().filter(|tree| tree.digest == *digest) else {
                continue;
            };
            let glances = self.glances(at.into());
            sum.mounts += u64::from(tree.users);
            sum.mapped += u64::from(state.cache.count(at));
            sum.counts.hits += tree.counts.hits + glances.wrapping_sub(tree.counts.before);
            sum.counts.asked += tree.counts.asked;
            sum.counts.got += tree.counts.got;
        }
        sum
    }

    /// Trees were mounted, or are not mounted any more: shows those that are.
    ///
    /// Context: process context, may sleep; not under the lock of the state.
    pub(super) fn show_trees(&self) {
        let Some(own) = self.worker.lock().clone() else {
            return;
        };
        // What is missing is made with the next change.
        if let Err(error) = self.sight.change(|shown| shown.agree(&own)) {
            pr_warn_once!("not all that is mounted is in sysfs: {error:?}\n");
        }
    }

    /// The digests of trees that are mounted, each once.
    fn mounted(&self) -> Result<KVec<Digest>> {
        let mut digests = KVec::new();
        let state = self.state.lock();
        for tree in state.trees.iter().flatten().filter(|tree| tree.users > 0) {
            if !digests.contains(&tree.digest) {
                digests.push(tree.digest, GFP_KERNEL)?;
            }
        }
        Ok(digests)
    }
}

/// The folders.
pub(crate) struct Shown {
    known: KVec<Arc<Worker<Owner>>>,
    /// With those of their trees that are mounted.
    owners: Nested<Worker<Owner>, Mounted>,
}

/// What is seen, if anything is.
pub(crate) type Sight = folder::Sight<Shown>;

impl Shown {
    /// No owner is known yet. They are seen at `place`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(place: Place<'_>) -> Result<Self> {
        Ok(Self {
            known: KVec::new(),
            owners: Nested::new(place, fmt!("owners"), "trees")?,
        })
    }

    /// Has folders for an owner and all that are known, and for those of their trees that are mounted.
    fn agree(&mut self, owner: &Arc<Worker<Owner>>) -> Result {
        if !self.known.iter().any(|one| Arc::ptr_eq(one, owner)) {
            self.known.push(owner.clone(), GFP_KERNEL)?;
        }
        self.owners
            .agree(&self.known, |owner| owner.domain(), show_mounted)
    }
}

/// Has folders for the trees of an owner that are mounted.
fn show_mounted(owner: &Arc<Worker<Owner>>, folders: &mut Folders<Mounted>) -> Result {
    let mut wanted = KVec::new();
    for digest in owner.mounted()? {
        let known = folders.iter().find(|(tree, _)| tree.digest == digest);
        let tree = match known {
            Some((tree, _)) => tree.clone(),
            None => {
                let owner = owner.clone();
                Arc::new(Mounted { owner, digest }, GFP_KERNEL)?
            }
        };
        wanted.push(tree, GFP_KERNEL)?;
    }
    folders.agree(&wanted, |tree| tree.name())
}
