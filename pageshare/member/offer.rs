// SPDX-License-Identifier: GPL-2.0

//! `PAGESHARE_OFFER`: a program has pages of its own replaced by equal ones of an area.
//!
//! ```text
//!   digest ──▶ ask the owner ──▶ map ──▶ compare ──▶ replace
//!                   │ it has none, and shall get it
//!                   └──▶ supply ──▶ map …
//! ```
//!
//! A page is compared byte by byte with what is to replace it: neither two contents of one digest nor
//! an owner that grants something else can change what the program reads at that moment.

use super::{
    asking::{
        Ask,
        AT_ONCE, //
    },
    loan::Loan,
    Owner, //
};
use crate::{
    area::{
        format::{
            Digest,
            BLOCK, //
        },
        offer::{
            self,
            Pending, //
        },
        wire::{
            ContentList,
            DIGESTS_MAX,
            SUPPLIES_MAX, //
        }, //
    },
    arguments::{
        check,
        name, //
    },
    digest::sha256,
    driver::Driver,
    failure::Failure,
    lent::Lent,
    linux::{
        device::Call,
        uapi::{
            ShareOffer,
            SHARE_OFFER,
            SHARE_SUPPLY,
            SHARE_VERSION, //
        },
        work::Worker, //
    },
    program::Span,
    stand_in::Opened,
    xen::{
        domain::{
            self,
            DomId,
            Kind, //
        },
        grant::Granted, //
    }, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// So many pages are asked for at once.
const BATCH: usize = AT_ONCE * DIGESTS_MAX;

/// So many messages with contents are under way at once.
const DESKS: usize = 4;

/// So many contents are supplied at once.
const DESK: usize = DESKS * SUPPLIES_MAX;

/// A call may be about so many pages: 4 GiB.
const MOST: usize = 1 << 20;

/// What came of a call.
#[derive(Clone, Copy, Default)]
struct Figures {
    examined: u64,
    shared: u64,
    supplied: u64,
}

/// A page that is offered.
#[derive(Clone, Copy)]
struct Page {
    number: u32,
    digest: Digest,
    /// What is granted for it.
    grant: Option<u32>,
    supplied: bool,
    /// It was equal, and is replaced, or will be.
    is_taken: bool,
}

/// An offer under way.
struct Offer {
    owner: Arc<Worker<Owner>>,
    span: Span,
    file: Opened<Lent, Loan>,
    figures: Figures,
    /// What is equal, but not yet replaced.
    pending: Pending,
    /// Where contents are put that the owner gets; [`None`] if it shall get none.
    desk: Option<Granted>,
    /// The pages of a batch.
    pages: KVec<Page>,
    /// Their contents, as they are asked for.
    lists: KVec<ContentList>,
    /// Room for a page of the program's, and one of the owner's.
    ours: KVec<u8>,
    theirs: KVec<u8>,
}

/// Whether that is a call to offer memory.
pub(crate) fn is_asked(call: &Call) -> bool {
    call.command == SHARE_OFFER
}

/// Carries out a call.
///
/// Context: process context of the caller, sleeps.
pub(crate) fn request(driver: &Driver, call: Call) -> Result {
    let (mut reader, mut writer) = call.argument.reader_writer();
    let asked: ShareOffer = reader.read()?;
    check(asked.version, &asked.reserved)?;
    if asked.flags & !SHARE_SUPPLY != 0 || asked.reserved0 != 0 {
        return Err(EINVAL);
    }
    let span = Span::new(asked.address, asked.bytes)?;
    let area = name(&asked.area)?;
    if span.pages() > MOST {
        return Err(E2BIG);
    }
    span.replaceable(0..span.pages(), |_| {})?;
    if domain::kind() == Some(Kind::Pv) {
        return Err(Failure::Unsupported.into());
    }
    let owner = driver.owner(DomId::new(asked.owner).ok_or(EINVAL)?)?;
    let source = (owner.epoch()?, area);
    let desk = asked.flags & SHARE_SUPPLY != 0;
    let desk = desk.then(|| Granted::new(owner.domain(), DESK, GFP_KERNEL));
    let mut offer = Offer {
        span,
        file: Loan::open(&owner, source, span.pages())?,
        owner,
        figures: Figures::default(),
        pending: Pending::default(),
        desk: desk.transpose()?,
        pages: KVec::with_capacity(BATCH, GFP_KERNEL)?,
        lists: KVec::with_capacity(AT_ONCE, GFP_KERNEL)?,
        ours: KVec::from_elem(0, BLOCK, GFP_KERNEL)?,
        theirs: KVec::from_elem(0, BLOCK, GFP_KERNEL)?,
    };
    let done = offer.run();
    let Figures {
        examined,
        shared,
        supplied,
    } = offer.figures;
    let told = writer.write(&ShareOffer {
        version: SHARE_VERSION,
        examined,
        shared,
        supplied,
        ..asked
    });
    done.and(told)
}

impl Offer {
    /// Offers all of the span.
    fn run(&mut self) -> Result {
        let mut at = 0;
        let mut done = Ok(());
        while at < self.span.pages() && done.is_ok() {
            let end = self.span.pages().min(at + BATCH);
            done = self.batch(at..end);
            at = end;
        }
        let rest = self.pending.take();
        done.and(rest.map_or(Ok(()), |pages| self.replace(pages)))
    }

    /// Offers some pages.
    fn batch(&mut self, pages: Range<usize>) -> Result {
        if kernel::current!().signal_pending() {
            return Err(EINTR);
        }
        self.look(pages)?;
        if self.owner.may_borrow() < self.pages.len() as u32 {
            return Err(ENOSPC);
        }
        let asked = self.ask();
        // What was granted nevertheless is taken, or given back.
        self.borrow()?;
        asked?;
        if self.desk.is_some() {
            self.supply()?;
        }
        Ok(())
    }

    /// Takes note of pages that are worth to be offered.
    fn look(&mut self, pages: Range<usize>) -> Result {
        let Self {
            span, pages: list, ..
        } = self;
        list.clear();
        span.replaceable(pages, |run| {
            for number in run {
                let page = Page {
                    number: number as u32,
                    digest: [0; 32],
                    grant: None,
                    supplied: false,
                    is_taken: false,
                };
                // There is room for a batch.
                let _ = list.push(page, GFP_NOWAIT);
            }
        })?;
        let mut result = Ok(());
        let ours = &mut self.ours;
        list.retain(|page| {
            result = result.and_then(|()| span.read(page.number as usize, ours));
            if result.is_err() || offer::is_zero(ours) {
                return false;
            }
            page.digest = sha256(ours);
            true
        });
        self.figures.examined += list.len() as u64;
        result
    }

    /// Asks the owner for pages of the same contents.
    fn ask(&mut self) -> Result {
        let Self { pages, lists, .. } = self;
        lists.clear();
        for pages in pages.chunks(DIGESTS_MAX) {
            let mut list = ContentList::new();
            for page in pages {
                list.push(&page.digest);
            }
            lists.push(list, GFP_KERNEL)?;
        }
        let source = self.file.stand_in().keeper().source();
        // Each list but the last one is full.
        let mut at = 0;
        self.owner
            .ask_for(source, Ask::Offer, lists, |list, grant| {
                at = at.max(list * DIGESTS_MAX);
                if let Some(page) = pages.get_mut(at) {
                    page.grant = grant;
                }
                at += 1;
            })
    }
}

impl Offer {
    /// Maps what is granted, and takes what is equal.
    fn borrow(&mut self) -> Result {
        let mut wanted = KVec::with_capacity(BATCH, GFP_KERNEL)?;
        let mut mapped = KVec::with_capacity(BATCH, GFP_KERNEL)?;
        for page in self.pages.iter_mut() {
            if let Some(grant) = page.grant.take() {
                // There is room for a batch, here and below.
                let _ = wanted.push((page.number, grant), GFP_NOWAIT);
            }
        }
        let loan = self.file.stand_in();
        let digest = |number: u32| {
            let page = self.pages.iter().find(|page| page.number == number);
            page.map_or([0; 32], |page| page.digest)
        };
        let mut failed = ContentList::new();
        Loan::map(loan, &wanted, digest, |number, done| {
            if done {
                let _ = mapped.push(number, GFP_NOWAIT);
            } else if !failed.push(&digest(number)) {
                self.owner.tell_returned(loan.keeper().source(), &failed);
                failed = ContentList::new();
                failed.push(&digest(number));
            }
        });
        self.owner.tell_returned(loan.keeper().source(), &failed);
        mapped.iter().try_for_each(|&number| self.take(number))
    }

    /// Takes a page that is mapped, if it is equal.
    fn take(&mut self, number: u32) -> Result {
        let page = number as usize;
        let Self { ours, theirs, .. } = self;
        let loan = self.file.stand_in();
        let read = self.span.read(page, ours);
        let read = read.and_then(|()| loan.read(page, theirs));
        if read.is_err() || *ours != *theirs {
            // Nobody has seen it.
            Loan::give_back(loan, page..page + 1, false)?;
            return read;
        }
        let mut pages = self.pages.iter_mut();
        if let Some(page) = pages.find(|page| page.number == number) {
            page.is_taken = true;
            self.figures.supplied += u64::from(page.supplied);
        }
        match self.pending.add(page) {
            Some(before) => self.replace(before),
            None => Ok(()),
        }
    }

    /// Replaces pages that are equal.
    fn replace(&mut self, pages: Range<usize>) -> Result {
        let address = self.span.address(pages.start);
        let count = pages.len() as u64;
        match self.file.replace(address, pages.clone()) {
            Ok(()) => {
                self.figures.shared += count;
                Ok(())
            }
            Err(error) => {
                self.figures.supplied = self.figures.supplied.min(self.figures.shared);
                Loan::give_back(self.file.stand_in(), pages, false)?;
                Err(error)
            }
        }
    }

    /// Supplies the contents of those pages that the owner has none for.
    fn supply(&mut self) -> Result {
        let mut at = 0;
        while at < self.pages.len() {
            let end = self.supply_some(at);
            // As above.
            self.borrow()?;
            at = end?;
        }
        Ok(())
    }

    /// Supplies contents from the page with index `from` on. Returns the index behind the last one.
    fn supply_some(&mut self, from: usize) -> Result<usize> {
        let desk = self.desk.as_ref().ok_or(EINVAL)?;
        let Self { pages, lists, .. } = self;
        lists.clear();
        let (mut list, mut used, mut at) = (ContentList::new(), 0, from);
        while let Some(page) = pages.get_mut(at).filter(|_| used < DESK) {
            at += 1;
            if page.is_taken {
                continue;
            }
            self.span.read(page.number as usize, &mut self.ours)?;
            desk.write(used * BLOCK, &self.ours)?;
            list.supply(*desk.refs().get(used).ok_or(EINVAL)?, &page.digest);
            page.supplied = true;
            used += 1;
            if used % SUPPLIES_MAX == 0 {
                lists.push(core::mem::take(&mut list), GFP_KERNEL)?;
            }
        }
        if list.supplies().is_some() {
            lists.push(list, GFP_KERNEL)?;
        }
        let source = self.file.stand_in().keeper().source();
        let mut supplied = 0;
        let mut at_work = pages.iter_mut().skip(from).filter(|page| !page.is_taken);
        let asked = self
            .owner
            .ask_for(source, Ask::Supply, lists, |list, grant| {
                // A list without an answer is left out.
                while supplied < list * SUPPLIES_MAX {
                    at_work.next();
                    supplied += 1;
                }
                if let Some(page) = at_work.next() {
                    page.grant = grant;
                }
                supplied += 1;
            });
        asked.map(|()| at)
    }
}
