// SPDX-License-Identifier: GPL-2.0

//! Memory that is surrendered, and comes back.

use crate::{
    eventually,
    linux::pages::{
        Extents,
        Order, //
    },
    xen::{
        builtin,
        reservation::{
            self,
            Exchange,
            Holes, //
        }, //
    }, //
};
use kernel::prelude::*;

/// Allocates `runs` extents.
fn extents(order: Order, runs: usize) -> Extents {
    let mut extents = Extents::new(order);
    while extents.len() < runs && extents.grow() {}
    extents
}

#[kunit_tests(xen_reservation)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_plausible() -> Result {
        assert!(reservation::current()? > 0);
        assert!(reservation::maximum()? >= reservation::current()?);
        Ok(())
    }

    #[test]
    fn surrenders_and_reclaims_to_the_page() -> Result {
        let mut exchange = Exchange::new()?;
        let before = reservation::current()?;

        for (order, runs) in [(Order::Base, 100), (Order::Huge, 3)] {
            let pages = runs * order.pages();
            let mut holes = Holes::new();
            let done = exchange.surrender(extents(order, runs), &mut holes);
            assert!(done.error.is_none());
            assert_eq!(done.pages, pages);
            assert_eq!(holes.pages(), pages);
            assert_eq!(holes.count(order), runs);
            assert_eq!(reservation::current()?, before - pages);

            let done = exchange.reclaim(&mut holes, order, runs);
            assert!(done.error.is_none());
            assert_eq!(done.pages, pages);
            assert_eq!(holes.pages(), 0);
            assert_eq!(reservation::current()?, before);
        }
        Ok(())
    }

    #[test]
    fn reclaims_no_more_than_there_is() -> Result {
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        exchange.surrender(extents(Order::Base, 5), &mut holes);

        assert_eq!(exchange.reclaim(&mut holes, Order::Huge, 1).pages, 0);
        assert_eq!(exchange.reclaim(&mut holes, Order::Base, 100).pages, 5);
        Ok(())
    }

    #[test]
    fn a_huge_hole_splits_and_comes_back_singly() -> Result {
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        let before = reservation::current()?;
        exchange.surrender(extents(Order::Huge, 1), &mut holes);

        assert!(holes.split_one());
        assert!(!holes.split_one());
        let pages = Order::Huge.pages();
        assert_eq!(holes.count(Order::Base), pages);
        let done = exchange.reclaim(&mut holes, Order::Base, pages);
        assert_eq!(done.pages, pages);
        assert_eq!(reservation::current()?, before);
        Ok(())
    }

    #[test]
    fn surrenders_no_more_than_a_batch() -> Result {
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        let most = exchange.capacity(Order::Base);
        let done = exchange.surrender(extents(Order::Base, most + 10), &mut holes);

        assert_eq!(done.pages, most);
        let done = exchange.reclaim(&mut holes, Order::Base, most);
        assert_eq!(done.pages, most);
        Ok(())
    }

    #[test]
    fn dropped_holes_go_to_the_built_in_driver() -> Result {
        let hold = builtin::Hold::acquire();
        let before = builtin::stats();
        let reservation = reservation::current()?;
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        exchange.surrender(extents(Order::Base, 100), &mut holes);
        exchange.surrender(extents(Order::Huge, 1), &mut holes);
        let pages = holes.pages();
        assert_eq!(pages, 100 + Order::Huge.pages());

        drop(holes);
        let after = builtin::stats();
        assert_eq!(after.reserve, before.reserve + pages);
        assert_eq!(after.current, before.current - pages);
        assert_eq!(after.target, after.current);
        assert_eq!(reservation::current()?, reservation - pages);

        // Released, it goes back to its old target with the pages that it was handed.
        drop(hold);
        assert!(eventually(|| builtin::stats().current == before.current));
        assert_eq!(builtin::stats().reserve, before.reserve);
        assert_eq!(reservation::current()?, reservation);
        Ok(())
    }
}
