// SPDX-License-Identifier: GPL-2.0

//! What members offer to an area: pages of their programs, for equal ones of the area's.

use super::{
    Account,
    Area, //
};
use crate::{
    area::{
        format::Digest,
        store::Violation, //
    },
    Frame, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// In [`Offers::pages`]: none are taken.
const CLOSED: u64 = u64::MAX;

/// Whether an area takes offers, and what it has lent for them.
pub(super) struct Offers {
    /// How many pages it may have that no tree has.
    pages: Atomic<u64>,
    /// Pages that members have, one counted each time.
    lent: Atomic<u64>,
}

impl Offers {
    /// It takes none.
    pub(super) fn new() -> Self {
        Self {
            pages: Atomic::new(CLOSED),
            lent: Atomic::new(0),
        }
    }
}

impl Area {
    /// Sets how many pages there may be that only members have offered; [`None`] to take no offers.
    ///
    /// # Errors
    ///
    /// `ERANGE` if that is more than the area may have.
    pub(in crate::owner) fn take_offers(&self, pages: Option<u64>) -> Result {
        let [most, _] = self.limits;
        if pages.is_some_and(|pages| pages > most.into()) {
            return Err(ERANGE);
        }
        self.offers.pages.store(pages.unwrap_or(CLOSED), Relaxed);
        Ok(())
    }

    /// Returns how many pages there may be that only members have offered. [`None`] if it takes no
    /// offers.
    fn room_for_offers(&self) -> Option<u32> {
        u32::try_from(self.offers.pages.load(Relaxed)).ok()
    }

    /// Whether members may offer pages.
    pub(in crate::owner) fn takes_offers(&self) -> bool {
        self.room_for_offers().is_some()
    }

    /// How many pages members have that they have offered, one counted each time.
    pub(in crate::owner) fn lent(&self) -> u64 {
        self.offers.lent.load(Relaxed)
    }

    /// A member has no more what it had of so many pages that it has offered.
    pub(in crate::owner) fn forget_lent(&self, pages: u64) {
        self.offers.lent.fetch_sub(pages, Relaxed);
    }

    /// Lets a member read the page of a content that it has, too. Returns the grant's reference;
    /// [`None`] if there is none.
    ///
    /// Context: process context, sleeps.
    pub(in crate::owner) fn match_offer(&self, member: &Account, digest: &Digest) -> Option<u32> {
        let page = self.inner.lock().store.hold(digest)?;
        let reference = self.grant(member, page, |digest| self.fill(member, page, digest));
        self.let_go(page);
        self.count_lent(reference)
    }

    /// As [`Area::match_offer`], but takes the content if there is none: `frame` makes a page of it.
    ///
    /// Context: process context, sleeps.
    pub(in crate::owner) fn take_offer(
        &self,
        member: &Account,
        digest: &Digest,
        frame: impl Fn() -> Result<Frame>,
    ) -> Option<u32> {
        let most = self.room_for_offers()?;
        let page = self.inner.lock().store.hold_offered(digest, most)?;
        let reference = self.grant(member, page, |_| frame());
        self.let_go(page);
        self.count_lent(reference)
    }

    fn count_lent(&self, reference: Option<u32>) -> Option<u32> {
        if reference.is_some() {
            self.offers.lent.fetch_add(1, Relaxed);
        }
        reference
    }

    /// Reads the content of a page from the file of a tree that has it.
    fn fill(&self, member: &Account, page: u32, digest: &Digest) -> Result<Frame> {
        let (tree, block) = {
            let inner = self.inner.lock();
            let mut trees = inner.trees.iter();
            let found = trees.find_map(|tree| Some((Arc::clone(tree), tree.block_of(page)?)));
            found.ok_or(ENOENT)?
        };
        tree.read(member, block, digest)
    }

    /// Nobody holds a page for an offer any more.
    fn let_go(&self, page: u32) {
        let over = self.inner.lock().remove(page);
        drop(over);
    }

    /// A member does not read a page any more that it has offered, for one time.
    pub(in crate::owner) fn take_back(
        &self,
        member: &Account,
        digest: &Digest,
    ) -> Result<(), Violation> {
        let page = self.inner.lock().store.find(digest).ok_or(Violation)?;
        self.release(member, page)?;
        self.forget_lent(1);
        Ok(())
    }
}
