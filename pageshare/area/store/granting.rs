// SPDX-License-Identifier: GPL-2.0

//! Who reads which page. Members have the numbers that the driver gives them.

use super::{
    page::{
        Grant,
        Page,
        Reader,
        State, //
    },
    Store,
    Violation, //
};
use core::ops::{
    DerefMut,
    Range, //
};

/// What it takes for a member to read a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The member has this grant already, for one block more now.
    Has(u32),
    /// Grant the page to it, and tell by [`Store::granted`].
    Grant,
    /// Read the content, and tell by [`Store::filled`]; then ask again.
    Fill,
    /// Somebody reads the content: ask again when that is over.
    Wait,
    /// There is no such page, or no room for another grant.
    Never,
}

/// What is over when a member has given something back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// This grant is to be ended.
    pub reference: Option<u32>,
    /// After that the page is over, and its memory to be freed.
    pub page: bool,
}

impl<P, G> Store<P, G>
where
    P: DerefMut<Target = [Page]>,
    G: DerefMut<Target = [Grant]>,
{
    /// Asks what it takes for a member to read a page.
    pub fn want(&mut self, member: u32, page: u32) -> Want {
        let reader = Reader { member, page };
        let known = self.grants.find(reader);
        if let Some(grant) = known.and_then(|index| self.grants.get_mut(index)) {
            return match grant.count.checked_add(1) {
                Some(count) => {
                    grant.count = count;
                    Want::Has(grant.reference)
                }
                None => Want::Never,
            };
        }
        let full = self.grants.used() >= self.grants.count();
        match self.pages.get_mut(page) {
            None => Want::Never,
            Some(page) => match page.state {
                State::Filling => Want::Wait,
                State::Here if full => Want::Never,
                State::Here => Want::Grant,
                State::Described => {
                    page.state = State::Filling;
                    Want::Fill
                }
            },
        }
    }

    /// Learns whether a page has its content now. Returns true if the page is over, as nobody wants
    /// it any more: its memory is to be freed.
    pub fn filled(&mut self, index: u32, success: bool) -> bool {
        let page = self.pages.get_mut(index);
        let Some(page) = page.filter(|page| page.state == State::Filling) else {
            return false;
        };
        page.state = match success {
            true => State::Here,
            false => State::Described,
        };
        self.totals.here += u32::from(success);
        self.totals.spare += u32::from(success);
        self.sweep(index)
    }

    /// Learns that a page was granted to a member that wanted it, for one block. Returns false if
    /// that cannot be: then the grant is to be ended.
    pub fn granted(&mut self, member: u32, page: u32, reference: u32) -> bool {
        let reader = Reader { member, page };
        let is_here = |page: &&mut Page| page.state == State::Here;
        let Some(granted) = self.pages.get_mut(page).filter(is_here) else {
            return false;
        };
        if self.grants.find(reader).is_some() {
            return false;
        }
        if self.grants.add(Grant::new(reader, reference)).is_none() {
            return false;
        }
        self.totals.spare -= u32::from(granted.grants == 0);
        granted.grants += 1;
        self.totals.grants += 1;
        true
    }

    /// Learns that a member does not read a page any more, for one of the blocks that it is.
    ///
    /// # Errors
    ///
    /// If the member does not have it.
    pub fn release(&mut self, member: u32, page: u32) -> Result<Gone, Violation> {
        let index = self.grants.find(Reader { member, page });
        let index = index.ok_or(Violation)?;
        let grant = self.grants.get_mut(index).ok_or(Violation)?;

        grant.count = grant.count.saturating_sub(1);
        if grant.count > 0 {
            return Ok(Gone::default());
        }
        Ok(self.end(index))
    }

    /// Learns that a member is gone, or has nothing mapped any more. `end` gets each page that it
    /// had, and what is over of that.
    pub fn leave(&mut self, member: u32, mut end: impl FnMut(u32, Gone)) {
        for index in 0..self.grants.count() {
            let grant = self.grants.get(index).copied();
            if let Some(grant) = grant.filter(|grant| grant.reader.member == member) {
                let gone = self.end(index);
                end(grant.reader.page, gone);
            }
        }
    }

    /// Whether a member has a page.
    pub fn has(&self, member: u32, page: u32) -> bool {
        self.grants.find(Reader { member, page }).is_some()
    }

    /// Calls `each` with the grants among `entries` of the table that a member has: with the reference, and
    /// how many members have the page.
    pub fn grants_of(&self, member: u32, entries: Range<u32>, mut each: impl FnMut(u32, u32)) {
        for index in entries {
            let grant = self.grants.get(index);
            if let Some(grant) = grant.filter(|grant| grant.reader.member == member) {
                let page = self.pages.get(grant.reader.page);
                each(grant.reference, page.map_or(0, |page| page.grants));
            }
        }
    }

    fn end(&mut self, index: u32) -> Gone {
        let Some(grant) = self.grants.remove(index) else {
            return Gone::default();
        };
        self.totals.grants -= 1;
        if let Some(page) = self.pages.get_mut(grant.reader.page) {
            page.grants -= 1;
            self.totals.spare += u32::from(page.grants == 0);
        }
        Gone {
            reference: Some(grant.reference),
            page: self.sweep(grant.reader.page),
        }
    }
}
