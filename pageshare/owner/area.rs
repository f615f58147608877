// SPDX-License-Identifier: GPL-2.0

//! An area: pages, each content once, and the trees that are made of them.

mod granting;
mod offering;

use super::{
    account::Account,
    counts::Counts,
    loaded::{
        Loaded,
        Source, //
    },
    overdue::OverdueGrants,
    trust::Rules, //
};
use crate::{
    area::{
        format::Digest,
        store::{
            Grant,
            Page,
            Store,
            Totals, //
        },
        wire::{
            Label,
            Uuid, //
        }, //
    },
    linux::random,
    settings::Settings,
    xen::domain::DomId,
    Frame, //
};
use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    }, //
};
use offering::Offers;

/// The most pages, and the most grants, that an area may have: 64 GiB of content.
const MOST: u32 = 1 << 24;

/// What changes of an area.
struct Inner {
    store: Store<KVVec<Page>, KVVec<Grant>>,
    /// The memory of each page that has some.
    frames: KVVec<Option<Frame>>,
    trees: KVec<Arc<Loaded>>,
    generation: u64,
    /// How often trees are mounted.
    attached: u64,
}

/// An area.
#[pin_data]
pub(super) struct Area {
    settings: Arc<Settings>,
    name: Label,
    uuid: Uuid,
    /// How many pages and grants it may have.
    limits: [u32; 2],
    counts: Counts,
    overdue: Arc<OverdueGrants>,
    #[pin]
    inner: Mutex<Inner>,
    /// A page has got its content, or not.
    #[pin]
    filled: CondVar,
    #[pin]
    rules: Rules,
    offers: Offers,
}

/// Returns as many defaults, in memory that the tables of the core can have.
fn table<T: Default + Clone>(count: u32) -> Result<KVVec<T>> {
    Ok(KVVec::from_elem(T::default(), count as usize, GFP_KERNEL)?)
}

impl Area {
    /// Returns an area without trees that may have so many `pages` and `grants`.
    ///
    /// # Errors
    ///
    /// `ERANGE` if that is none or too many, `ENOMEM`.
    pub(super) fn new(
        (settings, overdue): (Arc<Settings>, Arc<OverdueGrants>),
        (name, uuid): (Label, Uuid),
        [pages, grants]: [u32; 2],
    ) -> Result<Arc<Self>> {
        if !(1..=MOST).contains(&pages) || !(1..=MOST).contains(&grants) {
            return Err(ERANGE);
        }
        let mut frames = KVVec::with_capacity(pages as usize, GFP_KERNEL)?;
        for _ in 0..pages {
            frames.push(None, GFP_KERNEL)?;
        }
        let inner = Inner {
            store: Store::new(table(pages)?, table(grants)?, random::number()),
            frames,
            trees: KVec::new(),
            generation: 0,
            attached: 0,
        };
        Arc::pin_init(
            pin_init!(Self {
                settings,
                name,
                uuid,
                limits: [pages, grants],
                counts: Counts::new(),
                overdue,
                inner <- new_mutex!(inner),
                filled <- new_condvar!(),
                rules <- Rules::new(),
                offers: Offers::new(),
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn name(&self) -> &Label {
        &self.name
    }

    pub(super) fn uuid(&self) -> &Uuid {
        &self.uuid
    }

    /// How many pages and grants it may have.
    pub(super) fn limits(&self) -> [u32; 2] {
        self.limits
    }

    pub(super) fn totals(&self) -> Totals {
        *self.inner.lock().store.totals()
    }

    /// How many trees there are.
    pub(super) fn trees(&self) -> usize {
        self.inner.lock().trees.len()
    }

    /// How often trees are mounted.
    pub(super) fn attached(&self) -> u64 {
        self.inner.lock().attached
    }

    /// Counts a mount, or one less.
    pub(super) fn count(&self, more: bool) {
        let mut inner = self.inner.lock();
        inner.attached = match more {
            true => inner.attached + 1,
            false => inner.attached.saturating_sub(1),
        };
    }

    /// Counts a block that was read from its file, for a member.
    pub(super) fn count_filled(&self, member: &Account) {
        self.settings.count_filled();
        self.counts.count_read();
        member.counts().count_read();
    }

    /// What members have got.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether a domain may attach.
    pub(super) fn allows(&self, domain: DomId) -> bool {
        self.rules.allow(domain)
    }

    /// Sets who may attach.
    pub(super) fn allow(&self, text: &str) -> Result {
        self.rules.replace(text)
    }

    /// Who may attach, one rule a line.
    pub(super) fn rules(&self) -> Result<KVec<u8>> {
        self.rules.text()
    }

    /// Returns the tree of that name; the only one for no name.
    pub(super) fn tree(&self, name: &Label) -> Option<Arc<Loaded>> {
        let inner = self.inner.lock();
        match (*name == Label::NONE, inner.trees.as_slice()) {
            (true, [only]) => Some(only.clone()),
            (true, _) => None,
            (false, trees) => trees.iter().find(|tree| tree.name() == name).cloned(),
        }
    }

    /// Adds the trees of that name to `list`; all for no name.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn named(&self, name: &Label, list: &mut KVec<Arc<Loaded>>) -> Result {
        for tree in self.inner.lock().trees.iter() {
            if *name == Label::NONE || tree.name() == name {
                list.push(tree.clone(), GFP_KERNEL)?;
            }
        }
        Ok(())
    }

    /// Returns the tree with that digest.
    pub(super) fn with_digest(&self, digest: &Digest) -> Option<Arc<Loaded>> {
        let inner = self.inner.lock();
        let mut trees = inner.trees.iter();
        trees.find(|tree| tree.digest() == digest).cloned()
    }

    /// Returns the tree behind that of a name, the first one for no name.
    pub(super) fn next(&self, name: &Label) -> Option<Arc<Loaded>> {
        let inner = self.inner.lock();
        let at = match *name == Label::NONE {
            true => 0,
            false => 1 + inner.trees.iter().position(|tree| tree.name() == name)?,
        };
        inner.trees.get(at).cloned()
    }

    /// Adds a tree, in the place of that of the same name.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_ADD` in the header for programs.
    pub(super) fn load(self: &Arc<Self>, name: Label, source: Source) -> Result<Arc<Loaded>> {
        let mut pages = KVVec::with_capacity(source.blocks() as usize, GFP_KERNEL)?;
        let added = source.digests(|digest| {
            let page = self.inner.lock().store.add(digest).ok_or(ENOSPC)?;
            Ok(pages.push(page, GFP_KERNEL)?)
        });
        if let Err(error) = added {
            self.forget(&pages);
            return Err(error);
        }
        let generation = {
            let mut inner = self.inner.lock();
            inner.generation += 1;
            inner.generation
        };
        let tree = Loaded::new(self.clone(), name, generation, source, pages)?;
        let before = {
            let mut inner = self.inner.lock();
            let same = inner.trees.iter_mut().find(|other| *other.name() == name);
            match same {
                Some(same) => Some(core::mem::replace(same, tree.clone())),
                None => {
                    inner.trees.push(tree.clone(), GFP_KERNEL)?;
                    None
                }
            }
        };
        // Not under the lock, which is taken when it goes.
        drop(before);
        Ok(tree)
    }

    /// Removes the tree of that name.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none.
    pub(super) fn unload(&self, name: &Label) -> Result {
        let removed = {
            let mut inner = self.inner.lock();
            let at = inner.trees.iter().position(|tree| tree.name() == name);
            inner.trees.remove(at.ok_or(ENOENT)?).map_err(|_| ENOENT)?
        };
        // As above.
        drop(removed);
        Ok(())
    }

    /// Removes all trees.
    pub(super) fn clear(&self) {
        let trees = core::mem::take(&mut self.inner.lock().trees);
        drop(trees);
    }

    /// A tree that had these pages is gone.
    pub(super) fn forget(&self, pages: &[u32]) {
        for &page in pages {
            let over = self.inner.lock().remove(page);
            drop(over);
        }
    }

    /// Whether a page would have to be read now, if somebody asked for it.
    pub(super) fn is_bare(&self, page: u32) -> bool {
        self.inner.lock().store.is_bare(page)
    }

    /// Frees the memory of a page, if nobody reads it. Returns whether it had some.
    pub(super) fn empty(&self, page: u32) -> bool {
        let freed = {
            let mut inner = self.inner.lock();
            match inner.store.empty(page) {
                true => inner.frames.get_mut(page as usize).and_then(Option::take),
                false => None,
            }
        };
        freed.is_some()
    }

    /// Returns how many pages have memory that nobody reads; [`None`] if somebody uses the area just
    /// now.
    ///
    /// Context: any in which a mutex may be tried.
    pub(super) fn spare(&self) -> Option<u32> {
        Some(self.inner.try_lock()?.store.totals().spare)
    }

    /// Frees the memory of up to `most` pages that nobody reads. Returns how many there were;
    /// [`None`] if somebody uses the area just now.
    ///
    /// Context: any in which a mutex may be tried.
    pub(super) fn thin(&self, most: u32) -> Option<u32> {
        let mut inner = self.inner.try_lock()?;
        let Inner { store, frames, .. } = &mut *inner;
        let free = |page: u32| {
            if let Some(place) = frames.get_mut(page as usize) {
                *place = None;
            }
        };
        Some(store.thin(most, free))
    }
}
