// SPDX-License-Identifier: GPL-2.0

//! Members offer pages of their programs.
//!
//! Who may attach to an area may offer pages to it, once its owner has said that it takes offers. A
//! member gets a page by the digest of its content, which it has itself; what it supplies is copied
//! once, and the copy is checked.

use super::{
    area::Area,
    guest::Guest,
    Areas, //
};
use crate::{
    area::{
        format::{
            Digest,
            BLOCK, //
        },
        wire::{
            Digests,
            Label,
            Message,
            Reason,
            RefList,
            Supplies,
            SUPPLIES_MAX, //
        }, //
    },
    arguments::check,
    digest::sha256,
    link::Lost,
    linux::uapi::{
        ShareOffers,
        SHARE_TAKES, //
    },
    trace,
    xen::grant::Mapped,
    Frame, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    uaccess::UserSlice, //
};

/// What a member has of one area for what it has offered.
pub(super) struct Offered {
    area: Arc<Area>,
    /// How many pages, one counted each time.
    pages: u64,
}

impl Guest {
    /// Returns the area of that name, if it takes offers of the member.
    fn area_for_offers(&self, name: &Label) -> Result<Arc<Area>, Reason> {
        let area = self.areas.find(name).ok_or(Reason::NoArea)?;
        let known = |offered: &Offered| Arc::ptr_eq(&offered.area, &area);
        if !self.offered.lock().iter().any(known) {
            if !area.allows(self.domain()) {
                return Err(Reason::NoArea);
            }
            let offered = Offered {
                area: area.clone(),
                pages: 0,
            };
            let pushed = self.offered.lock().push(offered, GFP_KERNEL);
            pushed.map_err(|_| Reason::NoMemory)?;
        }
        if area.takes_offers() {
            Ok(area)
        } else {
            Err(Reason::NoOffers)
        }
    }

    /// Answers with what `grants` grants of an area.
    fn answer_offer(
        &self,
        request: u32,
        area: &Label,
        grants: impl FnOnce(&Area, &mut RefList),
    ) -> Result<(), Lost> {
        let area = match self.area_for_offers(area) {
            Ok(area) => area,
            Err(reason) => return self.link.send(&Message::Refused { request, reason }),
        };
        let mut list = RefList::new();
        grants(&area, &mut list);
        let refs = list.refs().ok_or(Lost)?;
        let granted = refs.iter().flatten().count() as u32;
        let mut all = self.offered.lock();
        let mut all_of_area = all.iter_mut();
        if let Some(offered) = all_of_area.find(|offered| Arc::ptr_eq(&offered.area, &area)) {
            offered.pages += u64::from(granted);
        }
        drop(all);
        trace::offer(self.domain(), refs.count(), granted);
        self.link.send(&Message::Granted { request, refs })
    }

    /// The member has pages of these contents.
    pub(super) fn offer(
        &self,
        request: u32,
        area: &Label,
        digests: Digests<'_>,
    ) -> Result<(), Lost> {
        self.answer_offer(request, area, |area, list| {
            for digest in digests.iter() {
                list.push(area.match_offer(&self.account, digest));
            }
        })
    }

    /// The member supplies contents.
    pub(super) fn supply(
        &self,
        request: u32,
        area: &Label,
        supplies: Supplies<'_>,
    ) -> Result<(), Lost> {
        self.answer_offer(request, area, |area, list| {
            let desk = self.desk(supplies).ok();
            for (at, (_, digest)) in supplies.iter().enumerate() {
                let desk = desk.as_ref();
                list.push(desk.and_then(|desk| self.take_supply(area, desk, at, digest)));
            }
        })
    }

    /// Returns the pages that have what the member supplies, which it may write meanwhile.
    fn desk(&self, supplies: Supplies<'_>) -> Result<Mapped> {
        let mut refs = [0; SUPPLIES_MAX];
        let mut count = 0;
        for (to, (reference, _)) in refs.iter_mut().zip(supplies.iter()) {
            *to = reference;
            count += 1;
        }
        Mapped::new(self.domain(), refs.get(..count).unwrap_or(&[]))
    }

    /// Takes a content that the member supplies, in a page of the desk.
    fn take_supply(&self, area: &Area, desk: &Mapped, at: usize, digest: &Digest) -> Option<u32> {
        let mut copy = KVec::from_elem(0, BLOCK, GFP_KERNEL).ok()?;
        desk.read(at * BLOCK, &mut copy).ok()?;
        if sha256(&copy) != *digest {
            return None;
        }
        area.take_offer(&self.account, digest, || Frame::new(&copy))
    }

    /// The member has not mapped any more what it got for offers.
    pub(super) fn take_back(&self, name: &Label, digests: Digests<'_>) -> Result<(), Lost> {
        let mut all = self.offered.lock();
        for digest in digests.iter() {
            // One that was removed may have had the same name.
            let mut of_name = all
                .iter_mut()
                .filter(|offered| offered.area.name() == name && offered.pages > 0);
            let from = of_name
                .find(|offered| offered.area.take_back(&self.account, digest).is_ok())
                .ok_or(Lost)?;
            from.pages -= 1;
        }
        Ok(())
    }

    /// Whether the member has something of an area for what it has offered.
    pub(super) fn has_lent(&self, area: &Arc<Area>) -> bool {
        let all = self.offered.lock();
        let mut all = all.iter();
        all.any(|offered| Arc::ptr_eq(&offered.area, area) && offered.pages > 0)
    }

    /// The member is gone, and what it got for offers.
    pub(super) fn forget_offers(&self) {
        for offered in core::mem::take(&mut *self.offered.lock()) {
            offered.area.leave(&self.account);
            offered.area.forget_lent(offered.pages);
        }
    }
}

impl Areas {
    /// `PAGESHARE_OFFERS`.
    pub(super) fn set_offers(&self, argument: UserSlice) -> Result {
        let asked: ShareOffers = argument.reader().read()?;
        check(asked.version, &asked.reserved)?;
        let takes = asked.flags & SHARE_TAKES != 0;
        if asked.flags & !SHARE_TAKES != 0 || (!takes && asked.pages != 0) {
            return Err(EINVAL);
        }
        let area = self.named_area(&asked.area)?;
        area.take_offers(takes.then_some(asked.pages))
    }

    /// How many pages members have for what they have offered, one counted each time.
    pub(crate) fn lent(&self) -> u64 {
        self.sum(Area::lent)
    }

    /// How many pages no tree has, but only members have offered.
    pub(crate) fn offered(&self) -> u64 {
        self.sum(|area| area.totals().offered.into())
    }
}
