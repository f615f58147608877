// SPDX-License-Identifier: GPL-2.0

//! The pages of an area: each content once, and who may read it now.
//!
//! A page is there as long as a tree refers to it, or a member has a grant of it. It has no memory
//! until somebody asks for it:
//!
//! ```text
//!           add            want: Fill           filled            want: Grant
//!   nothing ────▶ described ─────────▶ filling ────────▶ here ◀──────────────▶ granted
//!                     ▲                   │ failed        │     release: End
//!                     └───────────────────┴───────────────┘
//!                                          empty, thin
//! ```
//!
//! The driver keeps, for each tree, which page each of its blocks is, reads and checks content,
//! allocates memory and makes grants as it is told.

mod emptying;
mod granting;
mod offering;
mod page;

use super::{
    chain::Table,
    format::Digest, //
};
use core::ops::DerefMut;
use page::State;

pub use granting::{
    Gone,
    Want, //
};
pub use page::{
    Grant,
    Page, //
};

/// A member has given back what it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation;

/// What there is in an area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blocks of content that trees have, one that several have counted for each.
    pub referenced: u64,
    /// Pages: each content once.
    pub unique: u32,
    /// Pages that have memory.
    pub here: u32,
    /// Of those, the ones that nobody reads.
    pub spare: u32,
    /// Grants: one for each page and each member that has it.
    pub grants: u32,
    /// Pages that no tree has ever had, but only members have offered.
    pub offered: u32,
}

impl Totals {
    /// How many pages members would have more if each had a copy of its own.
    pub const fn saved(&self) -> u64 {
        (self.grants as u64).saturating_sub((self.here - self.spare) as u64)
    }
}

/// What there is of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// It has memory.
    pub here: bool,
    /// How many blocks of trees it is.
    pub references: u32,
    /// How many members have it.
    pub readers: u32,
}

/// The pages of an area.
///
/// # Invariants
///
/// - A page's `grants` is how many entries of the table of grants are for it.
/// - `totals` is what the tables have.
pub struct Store<P, G> {
    pages: Table<P>,
    grants: Table<G>,
    totals: Totals,
    /// Where [`Store::thin`] goes on.
    hand: u32,
}

impl<P, G> Store<P, G>
where
    P: DerefMut<Target = [Page]>,
    G: DerefMut<Target = [Grant]>,
{
    /// Returns an area without pages, that can have as many `pages` and `grants` as there are.
    /// `seed` is what neither authors of content nor members can guess.
    pub fn new(pages: P, grants: G, seed: u64) -> Self {
        // INVARIANT: There is nothing.
        Self {
            pages: Table::new(pages, seed),
            grants: Table::new(grants, seed),
            totals: Totals::default(),
            hand: 0,
        }
    }

    /// Returns what there is.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Learns that a tree has a block of that content. Returns its page. [`None`] if there is no
    /// room for another page: then nothing was done.
    pub fn add(&mut self, digest: &Digest) -> Option<u32> {
        let index = match self.pages.find(*digest) {
            Some(index) => index,
            None => {
                let index = self.pages.add(Page::new(digest))?;
                self.totals.unique += 1;
                index
            }
        };
        self.refer(index)?;
        if let Some(page) = self.pages.get_mut(index) {
            self.totals.offered -= u32::from(core::mem::take(&mut page.offered));
        }
        Some(index)
    }

    /// A page has one more reference. [`None`] if it has as many as can be counted.
    fn refer(&mut self, index: u32) -> Option<()> {
        let page = self.pages.get_mut(index)?;
        page.references = page.references.checked_add(1)?;
        self.totals.referenced += 1;
        Some(())
    }

    /// Learns that a tree has a block less of that page. Returns true if the page is over: its
    /// memory, if it has any, is to be freed.
    pub fn remove(&mut self, index: u32) -> bool {
        let Some(page) = self.pages.get_mut(index).filter(|page| page.references > 0) else {
            return false;
        };
        page.references -= 1;
        self.totals.referenced -= 1;
        self.sweep(index)
    }

    /// Returns the content that a page has, or should have.
    pub fn digest(&self, index: u32) -> Option<&Digest> {
        Some(&self.pages.get(index)?.digest)
    }

    /// Returns what there is of a page.
    pub fn usage(&self, index: u32) -> Option<Use> {
        let page = self.pages.get(index)?;
        Some(Use {
            here: page.state == State::Here,
            references: page.references,
            readers: page.grants,
        })
    }

    /// Whether a page has no memory, and nobody reads its content just now.
    pub fn is_bare(&self, index: u32) -> bool {
        let page = self.pages.get(index);
        page.is_some_and(|page| page.state == State::Described)
    }

    /// Ends a page that nobody refers to or reads. Returns whether there was one.
    fn sweep(&mut self, index: u32) -> bool {
        let Some(page) = self.pages.get(index) else {
            return false;
        };
        // One that is being filled ends when that is over.
        if page.references > 0 || page.grants > 0 || page.state == State::Filling {
            return false;
        }
        let here = u32::from(page.state == State::Here);
        self.totals.here -= here;
        self.totals.spare -= here;
        self.totals.offered -= u32::from(page.offered);
        self.totals.unique -= 1;
        self.pages.remove(index).is_some()
    }
}
