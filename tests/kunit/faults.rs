// SPDX-License-Identifier: GPL-2.0

//! Every call that exchanges memory goes wrong in every way that it can. Afterwards the hypervisor,
//! the kernel and our own counts must agree to the page, and each page must be what it is marked.

use crate::{
    linux::{
        faults::{
            self,
            arm,
            Fault,
            Pages,
            Site, //
        },
        pages::{
            Extents,
            Order, //
        }, //
    },
    xen::{
        builtin,
        domain::{
            self,
            Kind, //
        },
        reservation::{
            self,
            Exchange,
            Exchanged,
            Holes, //
        }, //
    }, //
};
use kernel::prelude::*;

/// How many pages that were freed somebody else may have got by the time they are looked at.
const OTHERS: usize = 8;

/// Of how many pages that are marked as holes one is looked at: reading a hole is slow.
const HOLES_PER_LOOK: usize = 16;

/// Says so if `is` is not what it should be.
fn agree(what: &str, is: usize, should: usize) -> Result {
    if is == should {
        return Ok(());
    }
    pr_err!("{what}: {is} instead of {should}\n");
    Err(EIO)
}

/// A domain whose memory is exchanged, and how it was at first.
struct Field {
    exchange: Exchange,
    holes: Holes,
    /// First frame numbers of the runs offered last, and their order.
    offered: KVVec<usize>,
    order: Order,
    reservation: usize,
    pages: Pages,
    /// Pages that can never be used again.
    lost: usize,
    pv: bool,
    /// Every page is named for itself.
    singly: bool,
    _hold: builtin::Hold,
}

impl Field {
    fn new() -> Result<Self> {
        let hold = builtin::Hold::acquire();

        Ok(Self {
            exchange: Exchange::new()?,
            holes: Holes::new(),
            offered: KVVec::new(),
            order: Order::Base,
            reservation: reservation::current()?,
            pages: faults::pages(),
            lost: 0,
            pv: domain::kind() == Some(Kind::Pv),
            singly: domain::kind() == Some(Kind::Pv),
            _hold: hold,
        })
    }

    /// Returns the fault that lets the hypervisor take the first `pages` pages of a batch.
    fn takes(&self, order: Order, pages: usize) -> Fault {
        let per_run = order.pages();

        if self.singly || order == Order::Base {
            Fault::Short(pages)
        } else if pages % per_run == 0 {
            Fault::Short(pages / per_run)
        } else {
            Fault::Broken {
                whole: pages / per_run,
                pages: pages % per_run,
            }
        }
    }

    /// Offers the hypervisor `runs` runs.
    fn surrender(&mut self, order: Order, runs: usize) -> Result<Exchanged> {
        let mut extents = Extents::new(order);
        self.offered.clear();
        self.order = order;
        while extents.len() < runs && extents.grow() {
            let pfn = extents.top_pfn().ok_or(ENOENT)?;
            self.offered.push(pfn, GFP_KERNEL)?;
        }
        let before = self.holes.pages();
        let done = self.exchange.surrender(extents, &mut self.holes);
        agree("holes made", self.holes.pages() - before, done.pages)?;
        Ok(done)
    }

    /// Asks for memory for `runs` runs.
    fn reclaim(&mut self, order: Order, runs: usize) -> Result<Exchanged> {
        let before = self.holes.pages();
        let done = self.exchange.reclaim(&mut self.holes, order, runs);
        agree("holes filled", before - self.holes.pages(), done.pages)?;
        Ok(done)
    }

    /// Checks that all counts agree.
    fn check_counts(&self) -> Result {
        let holes = self.holes.pages();
        let pages = faults::pages();

        agree(
            "reservation",
            reservation::current()?,
            self.reservation - holes,
        )?;
        agree("managed pages", pages.managed, self.pages.managed - holes)?;
        agree(
            "ballooned pages",
            pages.ballooned,
            self.pages.ballooned + holes,
        )
    }

    /// Checks that all counts agree, that each page offered last has memory behind it or is marked
    /// as a hole, and that those which are neither holes nor lost are free.
    fn check(&self) -> Result {
        self.check_counts()?;
        let (mut offline, mut used, mut wrong) = (0, 0, 0);
        for first in &self.offered {
            for pfn in *first..*first + self.order.pages() {
                let frame = faults::frame(pfn, HOLES_PER_LOOK);
                offline += usize::from(frame.offline);
                used += usize::from(!frame.offline && !frame.free);
                wrong += usize::from(frame.backed.is_some_and(|backed| backed == frame.offline));
            }
        }
        // Lost pages may be mapped.
        agree("marked pages", offline, self.holes.pages() + self.lost)?;
        agree("wrongly marked pages", wrong.saturating_sub(self.lost), 0)?;
        agree("pages not freed", used.saturating_sub(OTHERS), 0)
    }

    /// Takes everything back, and checks that the domain is as it was at first.
    fn restore(&mut self) -> Result {
        for order in [Order::Huge, Order::Base] {
            while self.holes.count(order) > 0 {
                let done = self.reclaim(order, self.holes.count(order))?;
                if done.pages == 0 {
                    return Err(done.error.unwrap_or(ENOMEM));
                }
            }
        }
        self.check()?;
        agree("reservation", reservation::current()?, self.reservation)
    }

    /// Offers `runs` runs while `faults` happen, of which `pages` pages are to be taken.
    fn surrender_with(
        &mut self,
        (order, runs): (Order, usize),
        faults: &[(Site, Fault, usize, usize)],
        pages: usize,
    ) -> Result {
        let result = self.surrender_tried((order, runs), faults, pages);
        if result.is_err() {
            pr_err!("surrendering {runs} of {order:?} with {faults:?}\n");
        }
        result
    }

    fn surrender_tried(
        &mut self,
        (order, runs): (Order, usize),
        faults: &[(Site, Fault, usize, usize)],
        pages: usize,
    ) -> Result {
        let done = {
            let armed = Armed::all(faults)?;
            let done = self.surrender(order, runs)?;
            agree("faults that happened", armed.hit(), faults.len())?;
            done
        };
        agree("pages taken", done.pages, pages)?;
        self.check()?;
        self.restore()
    }

    /// Takes back `runs` runs while `faults` happen, of which `pages` pages are to come.
    fn reclaim_with(
        &mut self,
        (order, runs): (Order, usize),
        faults: &[(Site, Fault, usize, usize)],
        pages: usize,
        lost: usize,
    ) -> Result {
        let result = self.reclaim_tried((order, runs), faults, pages, lost);
        if result.is_err() {
            pr_err!("reclaiming {runs} of {order:?} with {faults:?}\n");
        }
        result
    }

    fn reclaim_tried(
        &mut self,
        (order, runs): (Order, usize),
        faults: &[(Site, Fault, usize, usize)],
        pages: usize,
        lost: usize,
    ) -> Result {
        agree(
            "pages taken",
            self.surrender(order, runs)?.pages,
            runs * order.pages(),
        )?;
        let done = {
            let armed = Armed::all(faults)?;
            let done = self.reclaim(order, runs)?;
            agree("faults that happened", armed.hit(), faults.len())?;
            done
        };
        agree("pages given", done.pages, pages)?;
        self.lost = lost;
        self.check()?;
        self.restore()?;
        self.lost = 0;
        Ok(())
    }
}

/// Faults that are armed together.
struct Armed(KVVec<faults::Armed>);

impl Armed {
    fn all(faults: &[(Site, Fault, usize, usize)]) -> Result<Self> {
        let mut armed = KVVec::new();
        for (site, fault, skip, times) in faults {
            armed.push(arm(*site, *fault, *skip, *times), GFP_KERNEL)?;
        }
        Ok(Self(armed))
    }

    /// Returns how many of them have happened.
    fn hit(&self) -> usize {
        self.0.iter().filter(|armed| armed.hits() > 0).count()
    }
}

/// Numbers that look random, the same ones for the same seed (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    /// Returns a fault that loses nothing, for a site that the domain has.
    fn fault(&mut self, pv: bool, order: Order, runs: usize) -> (Site, Fault, usize, usize) {
        let sites = [Site::Decrease, Site::Populate, Site::Multicall];
        let site = sites[self.below(if pv { 3 } else { 2 })];
        let fault = match (self.below(5), site) {
            (0, _) => Fault::Late,
            (1, _) => Fault::Error(ENOMEM),
            (2, Site::Multicall) => Fault::Entry(self.below(100)),
            (2, Site::Decrease) if !pv && order == Order::Huge => Fault::Broken {
                whole: self.below(runs),
                pages: 1 + self.below(511),
            },
            (3, Site::Decrease) if pv => Fault::Short(self.below(runs * order.pages())),
            (3, Site::Multicall) => Fault::Short(self.below(100)),
            _ => Fault::Short(self.below(runs)),
        };
        (site, fault, self.below(2), 1)
    }
}

#[kunit_tests(xen_faults)]
mod tests {
    use super::*;

    /// Batches that are tried: small enough to be quick, more than one multicall of huge ones.
    const BATCHES: [(Order, usize); 2] = [(Order::Base, 64), (Order::Huge, 3)];

    const ONCE: usize = 1;
    const ALWAYS: usize = usize::MAX;

    #[test]
    fn the_allocator_has_no_more() -> Result {
        let mut field = Field::new()?;

        for (order, runs) in BATCHES {
            let none = (Site::Alloc, Fault::Error(ENOMEM), runs - 1, ONCE);
            field.surrender_with((order, runs), &[none], (runs - 1) * order.pages())?;
            let late = (Site::Alloc, Fault::Late, 0, ONCE);
            field.surrender_with((order, runs), &[late], runs * order.pages())?;
        }
        Ok(())
    }

    #[test]
    fn the_hypervisor_takes_only_a_part() -> Result {
        let mut field = Field::new()?;

        for pages in [0, 1, 63] {
            let part = (Site::Decrease, field.takes(Order::Base, pages), 0, ONCE);
            field.surrender_with((Order::Base, 64), &[part], pages)?;
        }
        for pages in [0, 1, 200, 512, 712, 1024, 1535] {
            let part = (Site::Decrease, field.takes(Order::Huge, pages), 0, ONCE);
            field.surrender_with((Order::Huge, 3), &[part], pages)?;
        }
        Ok(())
    }

    #[test]
    fn the_hypervisor_refuses_to_take() -> Result {
        let mut field = Field::new()?;

        for (order, runs) in BATCHES {
            for error in [ENOMEM, EINVAL] {
                let refused = (Site::Decrease, Fault::Error(error), 0, ONCE);
                field.surrender_with((order, runs), &[refused], 0)?;
            }
            let late = (Site::Decrease, Fault::Late, 0, ONCE);
            field.surrender_with((order, runs), &[late], runs * order.pages())?;
        }
        Ok(())
    }

    #[test]
    fn runs_are_taken_page_by_page_if_nobody_tells_what_is_gone() -> Result {
        let mut field = {
            let _denied = arm(Site::MemType, Fault::Error(EPERM), 0, ONCE);
            Field::new()?
        };

        field.singly = true;
        for pages in [0, 1, 712, 1535] {
            let part = (Site::Decrease, field.takes(Order::Huge, pages), 0, ONCE);
            field.surrender_with((Order::Huge, 3), &[part], pages)?;
        }
        Ok(())
    }

    #[test]
    fn the_hypervisor_gives_less_or_nothing() -> Result {
        let mut field = Field::new()?;

        for (order, runs) in BATCHES {
            for given in [0, 1, runs - 1] {
                let part = (Site::Populate, Fault::Short(given), 0, ONCE);
                field.reclaim_with((order, runs), &[part], given * order.pages(), 0)?;
            }
            for error in [ENOMEM, EINVAL] {
                let refused = (Site::Populate, Fault::Error(error), 0, ONCE);
                field.reclaim_with((order, runs), &[refused], 0, 0)?;
            }
            let late = (Site::Populate, Fault::Late, 0, ONCE);
            field.reclaim_with((order, runs), &[late], runs * order.pages(), 0)?;
        }
        Ok(())
    }

    #[test]
    fn pages_cannot_be_unmapped() -> Result {
        let mut field = Field::new()?;
        if !field.pv {
            return Ok(());
        }
        let faults = [Fault::Error(EINVAL), Fault::Short(40), Fault::Entry(5)];

        for (order, runs) in BATCHES {
            for fault in faults {
                // Once: mapped again at once. Twice: one by one.
                for times in [1, 2] {
                    let fault = (Site::Multicall, fault, 0, times);
                    field.surrender_with((order, runs), &[fault], 0)?;
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_was_not_taken_is_hard_to_map_again() -> Result {
        let mut field = Field::new()?;
        if !field.pv {
            return Ok(());
        }

        for (order, unmapping, pages) in [(Order::Base, 1, 10), (Order::Huge, 3, 700)] {
            let part = (Site::Decrease, Fault::Short(pages), 0, ONCE);
            let entry = (Site::Multicall, Fault::Entry(3), unmapping, ONCE);
            let runs = if order == Order::Base { 64 } else { 3 };
            field.surrender_with((order, runs), &[part, entry], pages)?;
        }
        Ok(())
    }

    #[test]
    fn populated_pages_cannot_be_mapped() -> Result {
        let mut field = Field::new()?;
        if !field.pv {
            return Ok(());
        }
        let faults = [Fault::Error(EINVAL), Fault::Short(40), Fault::Entry(5)];

        for (order, runs) in BATCHES {
            let pages = order.pages();
            for fault in faults {
                let batch = (order, runs);
                let times = |n| (Site::Multicall, fault, 0, n);
                // Mapped one by one.
                field.reclaim_with(batch, &[times(1)], runs * pages, 0)?;
                // All but one are, and that one goes back.
                field.reclaim_with(batch, &[times(2)], (runs - 1) * pages, 0)?;
            }
            let shared = (Site::P2mWrite, Fault::Error(EFAULT), 0, ALWAYS);
            let none = (Site::P2mAlloc, Fault::Error(ENOMEM), 0, ALWAYS);
            field.reclaim_with((order, runs), &[shared, none], 0, 0)?;
        }
        Ok(())
    }

    #[test]
    fn only_what_nobody_takes_is_lost() -> Result {
        let mut field = Field::new()?;
        if !field.pv {
            return Ok(());
        }

        let entry = (Site::Multicall, Fault::Entry(0), 0, 2);
        let refused = (Site::Decrease, Fault::Short(0), 0, ONCE);
        field.reclaim_with((Order::Base, 64), &[entry, refused], 64, 1)?;
        // It cannot be unmapped again either.
        let entry = (Site::Multicall, Fault::Entry(0), 0, 3);
        field.reclaim_with((Order::Base, 64), &[entry], 64, 1)
    }

    #[test]
    fn many_faults_in_any_order() -> Result {
        let mut field = Field::new()?;
        let seed = crate::seed();
        let mut random = Random(seed);
        pr_info!("xen_faults: fault_seed={seed}\n");

        for round in 0..150 {
            let (order, most) = BATCHES[random.below(2)];
            let runs = 1 + random.below(most);
            let fault = random.fault(field.pv, order, runs);
            let _armed = arm(fault.0, fault.1, fault.2, fault.3);
            let done = if field.holes.pages() < 6000 && random.below(2) == 0 {
                field.surrender(order, runs)
            } else {
                field.reclaim(order, runs)
            };
            if done.and(field.check_counts()).is_err() {
                pr_err!("round {round}: {runs} of {order:?} with {fault:?}\n");
                return Err(EIO);
            }
        }
        field.offered.clear();
        field.restore()
    }
}
