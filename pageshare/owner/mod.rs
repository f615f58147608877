// SPDX-License-Identifier: GPL-2.0

//! The areas that this domain keeps for others.

mod account;
mod area;
mod counts;
mod guest;
mod loaded;
mod offers;
mod overdue;
mod requests;
mod sight;
mod trust;
mod withdrawal;

pub(crate) use guest::Guest;

use crate::{
    area::wire::{
        Label,
        Reason,
        Uuid, //
    },
    linux::{
        folder::Sight,
        shrinker::Shrink, //
    },
    settings::Settings,
    xen::domain::DomId, //
};
use area::Area;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};
use loaded::Loaded;
use overdue::OverdueGrants;
use sight::Shown;

/// All areas.
#[pin_data]
pub(crate) struct Areas {
    settings: Arc<Settings>,
    overdue: Arc<OverdueGrants>,
    #[pin]
    sight: Sight<Shown>,
    #[pin]
    list: Mutex<KVec<Arc<Area>>>,
}

impl Areas {
    /// None yet.
    pub(crate) fn new(settings: Arc<Settings>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            settings,
            overdue: Arc::pin_init(OverdueGrants::new(), GFP_KERNEL)?,
            sight <- Sight::new(),
            list <- new_mutex!(KVec::new()),
        })
    }

    /// Returns all areas.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn all(&self) -> Result<KVec<Arc<Area>>> {
        let list = self.list.lock();
        let mut all = KVec::with_capacity(list.len(), GFP_KERNEL)?;
        for area in list.iter() {
            all.push(area.clone(), GFP_KERNEL)?;
        }
        Ok(all)
    }

    /// Returns the area of that name.
    fn find(&self, name: &Label) -> Option<Arc<Area>> {
        let list = self.list.lock();
        list.iter().find(|area| area.name() == name).cloned()
    }

    /// Returns the area with that UUID.
    fn find_uuid(&self, uuid: &Uuid) -> Option<Arc<Area>> {
        let list = self.list.lock();
        list.iter().find(|area| area.uuid() == uuid).cloned()
    }

    /// Returns the area behind that of a name, the first one for no name.
    fn next(&self, name: &Label) -> Option<Arc<Area>> {
        let list = self.list.lock();
        let at = match *name == Label::NONE {
            true => 0,
            false => 1 + list.iter().position(|area| area.name() == name)?,
        };
        list.get(at).cloned()
    }

    /// Adds an area.
    fn add(&self, area: Arc<Area>) -> Result {
        let mut list = self.list.lock();
        let taken = |other: &Arc<Area>| other.name() == area.name() || other.uuid() == area.uuid();
        if list.iter().any(taken) {
            return Err(EEXIST);
        }
        Ok(list.push(area, GFP_KERNEL)?)
    }

    /// Removes an area that nobody has mounted or has pages of.
    fn remove(&self, name: &Label) -> Result {
        let removed = {
            let mut list = self.list.lock();
            let at = list.iter().position(|area| area.name() == name);
            let at = at.ok_or(ENOENT)?;
            let used = |area: &Arc<Area>| area.attached() > 0 || area.lent() > 0;
            if list.get(at).is_some_and(used) {
                return Err(EBUSY);
            }
            list.remove(at).map_err(|_| ENOENT)?
        };
        // Not under the lock: all of its memory is freed.
        removed.clear();
        Ok(())
    }

    /// Ends all areas.
    ///
    /// Context: process context; no member is there any more.
    pub(crate) fn clear(&self) {
        let areas = core::mem::take(&mut *self.list.lock());
        areas.iter().for_each(|area| area.clear());
    }

    /// Returns the tree that a member asks for by name, if it may attach.
    fn named(&self, member: DomId, area: &Label, tree: &Label) -> Result<Arc<Loaded>, Reason> {
        let area = self.find(area).filter(|area| area.allows(member));
        area.ok_or(Reason::NoArea)?.tree(tree).ok_or(Reason::NoTree)
    }

    /// Returns the tree that a member has read before, if it may attach.
    fn same(&self, member: DomId, area: &Uuid, digest: &[u8; 32]) -> Result<Arc<Loaded>, Reason> {
        let area = self.find_uuid(area).filter(|area| area.allows(member));
        let area = area.ok_or(Reason::NoArea)?;
        area.with_digest(digest).ok_or(Reason::NoTree)
    }
}

impl Areas {
    /// Adds what `figure` makes of each area.
    fn sum(&self, figure: impl Fn(&Area) -> u64) -> u64 {
        self.list.lock().iter().map(|area| figure(area)).sum()
    }

    /// How many pages members have, one counted for each of them.
    pub(crate) fn granted(&self) -> u64 {
        self.sum(|area| area.totals().grants.into())
    }

    /// How many pages members still have mapped of what is over.
    pub(crate) fn overdue(&self) -> u64 {
        self.overdue.total()
    }

    /// Looks whether they have unmapped some of it. Returns whether something is left.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn look_at_overdue(&self) -> bool {
        self.overdue.look() > 0
    }

    /// How many pages have memory.
    pub(crate) fn in_memory(&self) -> u64 {
        self.sum(|area| area.totals().here.into())
    }

    /// How many pages have memory and nobody reads them.
    pub(crate) fn spare(&self) -> u64 {
        self.sum(|area| area.totals().spare.into())
    }
}

/// What nobody reads is read from its file again when it is asked for.
impl Shrink for Areas {
    fn count(&self) -> usize {
        let Some(list) = self.list.try_lock() else {
            return 0;
        };
        let spare = list.iter().filter_map(|area| area.spare());
        spare.map(|pages| pages as usize).sum()
    }

    fn scan(&self, pages: usize) -> Option<usize> {
        let list = self.list.try_lock()?;
        let mut freed = 0;
        for area in list.iter() {
            let most = u32::try_from(pages - freed).unwrap_or(u32::MAX);
            freed += area.thin(most).unwrap_or(0) as usize;
            if freed >= pages {
                break;
            }
        }
        Some(freed)
    }
}
