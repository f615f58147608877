// SPDX-License-Identifier: GPL-2.0

//! Pages of an owner that programs have for their own.
//!
//! What a program has borrowed exists nowhere else in its domain. So nothing is unmapped before the
//! program has a copy, or has it mapped no more: neither to have room, nor because it was not used
//! lately. What is mapped stays readable when the link or the owner is gone.

use super::{
    Owner,
    State, //
};
use crate::{
    area::{
        cache::Pressure,
        format::Digest,
        offer,
        wire::{
            ContentList,
            Label,
            Message, //
        }, //
    },
    lent::Lent,
    linux::{
        noio::NoIo,
        work::Worker, //
    },
    stand_in::{
        Keeper,
        Opened,
        StandIn, //
    }, //
};
use core::ops::Range;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// So many are given back at once.
const BATCH: usize = 128;

/// What one call has borrowed for a program.
pub(super) type Borrowed = StandIn<Lent, Loan>;

/// What is to be known of it.
pub(super) struct Loan {
    owner: Arc<Worker<Owner>>,
    area: Label,
    /// The link by which it was borrowed.
    epoch: u64,
    /// Of each page, if there is a frame for it.
    digests: Arc<Digests>,
}

/// The contents of pages.
#[pin_data]
struct Digests {
    /// Who has it locked changes which frames there are.
    #[pin]
    list: Mutex<KVVec<Digest>>,
}

impl Loan {
    /// Returns a file for so many pages, of an area of `owner`.
    ///
    /// Context: process context of a program, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENFILE`.
    pub(super) fn open(
        owner: &Arc<Worker<Owner>>,
        (epoch, area): (u64, Label),
        pages: usize,
    ) -> Result<Opened<Lent, Loan>> {
        let digests = KVVec::from_elem([0; 32], pages, GFP_KERNEL)?;
        let digests = Arc::pin_init(
            pin_init!(Digests {
                list <- new_mutex!(digests),
            }),
            GFP_KERNEL,
        )?;
        let loan = Self {
            owner: owner.clone(),
            area,
            epoch,
            digests,
        };
        let room = Lent::new(owner.domain(), u32::try_from(pages)?);
        let opened = StandIn::open(pages, room, loan)?;
        let mut loans = owner.loans.lock();
        loans.push(opened.stand_in().clone(), GFP_KERNEL)?;
        drop(loans);
        Ok(opened)
    }

    /// Of which link and which area.
    pub(super) fn source(&self) -> (u64, Label) {
        (self.epoch, self.area)
    }

    /// Maps what was granted for pages, each with its digest. `result` gets each page, and whether it
    /// is mapped now.
    pub(super) fn map(
        this: &Borrowed,
        wanted: &[(u32, u32)],
        digest: impl Fn(u32) -> Digest,
        mut result: impl FnMut(u32, bool),
    ) {
        let loan = this.keeper();
        let mut list = loan.digests.list.lock();
        let mut mapped = 0;
        this.frames().map(wanted, |page, done| {
            if let Some(to) = list.get_mut(page as usize) {
                *to = digest(page);
            }
            mapped += i32::from(done.is_ok());
            result(page, done.is_ok());
        });
        drop(list);
        loan.owner.count_borrowed(mapped);
    }

    /// Gives pages back, of which the program gets copies first, if it has them yet.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory for copies; what was given back before is so.
    pub(super) fn give_back(this: &Borrowed, pages: Range<usize>, copies: bool) -> Result {
        let loan = this.keeper();
        let mut at = pages.start;
        while at < pages.end {
            let batch = at..pages.end.min(at + BATCH);
            at = batch.end;
            let digests = loan.digests.list.lock();
            let held = |page: &usize| this.has_frame(*page);
            let (mut list, mut count) = (ContentList::new(), 0);
            let mut has = [false; BATCH];
            for (has, page) in has.iter_mut().zip(batch.clone()) {
                *has = held(&page);
            }
            this.take_away(batch.clone(), copies)?;
            for (_, page) in has.iter().zip(batch).filter(|(&has, _)| has) {
                count += 1;
                let digest = digests.get(page).ok_or(EINVAL)?;
                if !list.push(digest) {
                    loan.owner.tell_returned(loan.source(), &list);
                    list = ContentList::new();
                    list.push(digest);
                }
            }
            loan.owner.tell_returned(loan.source(), &list);
            drop(digests);
            loan.owner.count_borrowed(-count);
        }
        Ok(())
    }
}

impl State {
    /// Shares out what the owner grants between files and programs. Returns how many pages files have
    /// beyond what they may.
    pub(super) fn share_out(&mut self) -> u32 {
        let files = offer::left_for_files(self.most, self.borrowed);
        self.cache.set_limit(files)
    }
}

impl Owner {
    /// How many pages programs may borrow yet.
    pub(super) fn may_borrow(&self) -> u32 {
        let state = self.state.lock();
        offer::may_borrow(state.most, state.borrowed)
    }

    /// Programs have borrowed so many pages more.
    ///
    /// Context: process context, may sleep.
    fn count_borrowed(&self, pages: i32) {
        let beyond = {
            let mut state = self.state.lock();
            state.borrowed = state.borrowed.saturating_add_signed(pages);
            state.share_out()
        };
        // With no memory for that they are given back later, to have room.
        let _ = self.evict(beyond, Pressure::Need);
    }
}

impl Owner {
    /// Gives back what programs have of an area, or of all for no name; they get copies.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory for copies; what was given back before is so.
    pub(crate) fn return_loans(&self, area: Option<&Label>) -> Result {
        let _scope = NoIo::begin();
        let mut chosen = KVec::new();
        for loan in self.loans.lock().iter() {
            if area.is_none_or(|area| loan.keeper().area == *area) {
                chosen.push(loan.clone(), GFP_KERNEL)?;
            }
        }
        let mut loans = chosen.iter();
        loans.try_for_each(|loan| Loan::give_back(loan, 0..loan.pages(), true))
    }

    /// The owner wants back what programs have of an area.
    pub(super) fn recall(&self, request: u32, area: &Label) {
        if let Err(error) = self.return_loans(Some(area)) {
            // The owner sees what is left.
            pr_warn!("no memory for what programs have of others: {error:?}\n");
        }
        self.send(&Message::Withdrawn { request });
    }
}

impl Keeper<Lent> for Loan {
    fn over(this: &Arc<Borrowed>) {
        let _scope = NoIo::begin();
        // Without copies nothing can fail.
        let _ = Loan::give_back(this, 0..this.pages(), false);
        let owner = &this.keeper().owner;
        owner.loans.lock().retain(|other| !Arc::ptr_eq(other, this));
    }
}
