// SPDX-License-Identifier: GPL-2.0

//! Contents that members offer: those of pages of their programs.
//!
//! A page that only members have offered has no file that it could be read from again. It needs none:
//! it is there as long as a member has it, and nobody empties it meanwhile. Who offers it
//! [holds](Store::hold) it, as a tree would, until it was granted or not.

use super::{
    super::format::Digest,
    page::{
        Grant,
        Page, //
    },
    Store, //
};
use core::ops::DerefMut;

impl<P, G> Store<P, G>
where
    P: DerefMut<Target = [Page]>,
    G: DerefMut<Target = [Grant]>,
{
    /// Returns the page of that content, if there is one, and holds it until [`Store::remove`].
    pub fn hold(&mut self, digest: &Digest) -> Option<u32> {
        let index = self.find(digest)?;
        self.refer(index)?;
        Some(index)
    }

    /// As [`Store::hold`], but where there is none makes one that is offered, as long as there are
    /// fewer than `most`. [`None`] if there is no room for another: then nothing was done.
    pub fn hold_offered(&mut self, digest: &Digest, most: u32) -> Option<u32> {
        if let Some(index) = self.find(digest) {
            self.refer(index)?;
            return Some(index);
        }
        if self.totals.offered >= most {
            return None;
        }
        let index = self.pages.add(Page::offered(digest))?;
        self.totals.unique += 1;
        self.totals.offered += 1;
        self.refer(index)?;
        Some(index)
    }

    /// Returns the page of that content.
    pub fn find(&self, digest: &Digest) -> Option<u32> {
        self.pages.find(*digest)
    }
}
