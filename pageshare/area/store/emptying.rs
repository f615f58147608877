// SPDX-License-Identifier: GPL-2.0

//! Content that nobody reads need not be in memory.

use super::{
    page::{
        Grant,
        Page,
        State, //
    },
    Store, //
};
use core::ops::DerefMut;

impl<P, G> Store<P, G>
where
    P: DerefMut<Target = [Page]>,
    G: DerefMut<Target = [Grant]>,
{
    /// Drops the content of a page, if it is here and nobody reads it. Returns whether it was: then
    /// its memory is to be freed.
    pub fn empty(&mut self, index: u32) -> bool {
        let spare = |page: &&mut Page| page.state == State::Here && page.grants == 0;
        let Some(page) = self.pages.get_mut(index).filter(spare) else {
            return false;
        };
        page.state = State::Described;
        self.totals.here -= 1;
        self.totals.spare -= 1;
        true
    }

    /// Drops the content of up to `most` pages that nobody reads, going on where it ended the last
    /// time. `free` gets each page: its memory is to be freed. Returns how many there are.
    pub fn thin(&mut self, most: u32, mut free: impl FnMut(u32)) -> u32 {
        let count = self.pages.count();
        let mut found = 0;

        for _ in 0..count {
            if found == most || self.totals.spare == 0 {
                break;
            }
            let index = self.hand;
            self.hand = if index + 1 < count { index + 1 } else { 0 };
            if self.empty(index) {
                found += 1;
                free(index);
            }
        }
        found
    }
}
