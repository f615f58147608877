// SPDX-License-Identifier: GPL-2.0

//! An area: pages, each content once, and the trees that are made of them.

mod offering;

use super::{
    account::Account,
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
            Gone,
            Grant,
            Page,
            Store,
            Totals,
            Violation,
            Want, //
        },
        wire::{
            Label,
            Uuid, //
        }, //
    },
    frame::Overdue,
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
        atomic::{
            Atomic,
            Relaxed, //
        },
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
    /// Times that a member has got a page.
    got: Atomic<u64>,
    /// Pages that were read for that.
    read: Atomic<u64>,
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
                got: Atomic::new(0),
                read: Atomic::new(0),
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

    /// Counts a block that was read from its file.
    pub(super) fn count_filled(&self) {
        self.settings.count_filled();
        self.read.fetch_add(1, Relaxed);
    }

    /// How often members have got a page, and how many were read for that.
    pub(super) fn counts(&self) -> [u64; 2] {
        [&self.got, &self.read].map(|count| count.load(Relaxed))
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

    /// Lets a member read a page, for one more block. `fill` reads the content, if nobody has.
    /// Returns the grant's reference; [`None`] if it is not to be had.
    ///
    /// Context: process context, sleeps.
    pub(super) fn grant(
        &self,
        member: &Account,
        page: u32,
        fill: impl Fn(&Digest) -> Result<Frame>,
    ) -> Option<u32> {
        let reference = self.granted(member, page, fill)?;
        self.got.fetch_add(1, Relaxed);
        Some(reference)
    }

    fn granted(
        &self,
        member: &Account,
        page: u32,
        fill: impl Fn(&Digest) -> Result<Frame>,
    ) -> Option<u32> {
        let mut inner = self.inner.lock();
        loop {
            match inner.store.want(member.number(), page) {
                Want::Has(reference) => return Some(reference),
                Want::Never => return None,
                Want::Wait => self.filled.wait(&mut inner),
                Want::Grant if self.has_room(member) => return inner.grant(member, page),
                Want::Grant => return None,
                Want::Fill => {
                    let digest = *inner.store.digest(page)?;
                    drop(inner);
                    let frame = fill(&digest);
                    inner = self.inner.lock();
                    let success = inner.filled(page, frame.ok());
                    self.filled.notify_all();
                    if !success {
                        return None;
                    }
                }
            }
        }
    }

    /// Whether a member may have another page. What its domain still has mapped of what is over counts:
    /// it may have begun anew.
    fn has_room(&self, member: &Account) -> bool {
        let domain = member.domain();
        member.has_room(self.overdue.count(domain))
            || member.has_room(self.overdue.count_again(domain))
    }

    /// A member does not read a page any more, for one block.
    ///
    /// # Errors
    ///
    /// If the member does not have it, or still has it mapped.
    pub(super) fn release(&self, member: &Account, page: u32) -> Result<(), Violation> {
        let mut inner = self.inner.lock();
        let gone = inner.store.release(member.number(), page)?;
        if gone.reference.is_some() {
            member.give();
        }
        let (over, overdue) = end(&mut inner.frames, page, gone);
        drop(inner);
        drop(over);
        match overdue {
            Some(grant) => {
                self.overdue.keep(member.domain(), grant);
                Err(Violation)
            }
            None => Ok(()),
        }
    }

    /// A member is gone, or has nothing mapped any more.
    pub(super) fn leave(&self, member: &Account) {
        let mut inner = self.inner.lock();
        let Inner { store, frames, .. } = &mut *inner;
        store.leave(member.number(), |page, gone| {
            member.give();
            if let (_, Some(grant)) = end(frames, page, gone) {
                self.overdue.keep(member.domain(), grant);
            }
        });
    }

    /// Whether a member has a page.
    pub(super) fn has(&self, member: &Account, page: u32) -> bool {
        self.inner.lock().store.has(member.number(), page)
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

impl Inner {
    /// A tree has a block less of a page. Returns its memory if that is over.
    fn remove(&mut self, page: u32) -> Option<Frame> {
        match self.store.remove(page) {
            true => self.frames.get_mut(page as usize)?.take(),
            false => None,
        }
    }

    /// A page has got its content, or has not. Returns whether it is there.
    fn filled(&mut self, page: u32, frame: Option<Frame>) -> bool {
        let success = frame.is_some();
        if let Some(place) = self.frames.get_mut(page as usize) {
            *place = frame;
        }
        let over = self.store.filled(page, success);
        if over {
            if let Some(place) = self.frames.get_mut(page as usize) {
                *place = None;
            }
        }
        success && !over
    }

    /// Grants a page that is there.
    fn grant(&mut self, member: &Account, page: u32) -> Option<u32> {
        let frame = self.frames.get_mut(page as usize)?.as_mut()?;
        let reference = frame.grant(member.domain()).ok()?;
        if self.store.granted(member.number(), page, reference) {
            member.take();
            return Some(reference);
        }
        frame.end(reference);
        None
    }
}

/// Ends what is over of a page. Returns its memory if that is, and the grant if the member still has it
/// mapped.
fn end(frames: &mut [Option<Frame>], page: u32, gone: Gone) -> (Option<Frame>, Option<Overdue>) {
    let Some(place) = frames.get_mut(page as usize) else {
        return (None, None);
    };
    let overdue = match (place.as_mut(), gone.reference) {
        (Some(frame), Some(reference)) => frame.end(reference),
        _ => None,
    };
    let over = if gone.page { place.take() } else { None };
    (over, overdue)
}
