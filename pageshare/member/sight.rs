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
            Figure,
            Folders,
            Place,
            Subject, //
        },
        work::Worker, //
    }, //
};
use core::sync::atomic::Ordering::Relaxed;
use kernel::{
    fmt,
    new_mutex,
    pr_warn_once,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
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
        let own = self.worker.lock().clone();
        if let Some(own) = own {
            self.sight.show(&own);
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
struct Shown {
    /// For each owner those of its trees. Before the ones that they are in.
    trees: KVec<(Arc<Worker<Owner>>, Folders<Mounted>)>,
    known: KVec<Arc<Worker<Owner>>>,
    owners: Folders<Worker<Owner>>,
}

impl Shown {
    /// Has a folder for an owner, and for those of its trees that are mounted.
    fn agree(&mut self, owner: &Arc<Worker<Owner>>) -> Result {
        if !self.known.iter().any(|one| Arc::ptr_eq(one, owner)) {
            self.known.push(owner.clone(), GFP_KERNEL)?;
        }
        self.owners.agree(&self.known, |owner| owner.domain())?;
        let find = |(one, _): &(Arc<Worker<Owner>>, _)| Arc::ptr_eq(one, owner);
        if !self.trees.iter().any(find) {
            let mut owners = self.owners.iter();
            let place = owners.find(|(one, _)| Arc::ptr_eq(one, owner));
            let (_, place) = place.ok_or(ENOENT)?;
            let none = Folders::new(place, fmt!("trees"))?;
            self.trees.push((owner.clone(), none), GFP_KERNEL)?;
        }
        let Some((_, folders)) = self.trees.iter_mut().find(|one| find(one)) else {
            return Err(ENOENT);
        };
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
}

/// What is seen, if anything is.
#[pin_data]
pub(crate) struct Sight {
    #[pin]
    shown: Mutex<Option<Shown>>,
}

impl Sight {
    /// Nothing is.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            shown <- new_mutex!(None),
        })
    }

    /// From now on owners are seen at `place`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn begin(&self, place: Place<'_>) -> Result {
        *self.shown.lock() = Some(Shown {
            trees: KVec::new(),
            known: KVec::new(),
            owners: Folders::new(place, fmt!("owners"))?,
        });
        Ok(())
    }

    /// From now on nothing is seen.
    ///
    /// Context: as for [`Sight::begin`].
    pub(crate) fn end(&self) {
        let shown = self.shown.lock().take();
        drop(shown);
    }

    /// Shows what there is of an owner. What is missing is made with the next change.
    fn show(&self, owner: &Arc<Worker<Owner>>) {
        if let Some(shown) = &mut *self.shown.lock() {
            if let Err(error) = shown.agree(owner) {
                pr_warn_once!("not all that is mounted is in sysfs: {error:?}\n");
            }
        }
    }
}
