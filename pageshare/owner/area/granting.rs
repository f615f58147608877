// SPDX-License-Identifier: GPL-2.0

//! Pages are read, granted to members, and given back.

use super::{
    Account,
    Area,
    Frame,
    Inner, //
};
use crate::{
    area::{
        format::Digest,
        store::{
            Gone,
            Use,
            Violation,
            Want, //
        }, //
    },
    frame::Overdue, //
};
use kernel::prelude::*;

/// As many pages or grants are looked at under the lock, in a row.
const AT_ONCE: usize = 1024;

impl Area {
    /// Lets a member read a page, for one more block. `fill` reads the content, if nobody has.
    /// Returns the grant's reference; [`None`] if it is not to be had.
    ///
    /// Context: process context, sleeps.
    pub(in crate::owner) fn grant(
        &self,
        member: &Account,
        page: u32,
        fill: impl Fn(&Digest) -> Result<Frame>,
    ) -> Option<u32> {
        let reference = self.granted(member, page, fill)?;
        self.counts.count_got();
        member.counts().count_got();
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
    pub(in crate::owner) fn release(&self, member: &Account, page: u32) -> Result<(), Violation> {
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
    pub(in crate::owner) fn leave(&self, member: &Account) {
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
    pub(in crate::owner) fn has(&self, member: &Account, page: u32) -> bool {
        self.inner.lock().store.has(member.number(), page)
    }

    /// Calls `each` with what there is of pages.
    pub(in crate::owner) fn look_at(&self, pages: &[u32], mut each: impl FnMut(Use)) {
        for some in pages.chunks(AT_ONCE) {
            let inner = self.inner.lock();
            let found = some.iter().filter_map(|&page| inner.store.usage(page));
            found.for_each(&mut each);
        }
    }

    /// Calls `each` with the grants that a member has: the reference, and how many members have the page.
    pub(in crate::owner) fn grants_of(&self, member: &Account, mut each: impl FnMut(u32, u32)) {
        let starts = (0..self.limits[1]).step_by(AT_ONCE);
        for start in starts {
            let end = start.saturating_add(AT_ONCE as u32);
            let store = &self.inner.lock().store;
            store.grants_of(member.number(), start..end, &mut each);
        }
    }
}

impl Inner {
    /// A tree has a block less of a page. Returns its memory if that is over.
    pub(super) fn remove(&mut self, page: u32) -> Option<Frame> {
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
