// SPDX-License-Identifier: GPL-2.0

//! Others who borrow pages of the built-in driver while we hold some: none is counted twice, or not.

use crate::{
    eventually,
    linux::pages::{
        Extents,
        Order, //
    },
    xen::{
        borrowed::Borrowed,
        builtin::{
            self,
            Hold,
            Stats, //
        },
        reservation::{
            self,
            Exchange,
            Holes, //
        }, //
    }, //
};
use kernel::prelude::*;

/// More than the built-in driver takes at a time.
const LENT: usize = 700;

/// Surrenders `runs` runs.
fn surrender(order: Order, runs: usize, holes: &mut Holes) -> Result {
    let mut extents = Extents::new(order);
    while extents.len() < runs && extents.grow() {}
    Exchange::new()?.surrender(extents, holes);
    Ok(())
}

/// Checks that each page is in use, in somebody's balloon or lent, and that the hypervisor's count
/// has changed as ours have.
fn check(before: &Stats, reservation: usize, holes: &Holes) -> Result {
    let now = builtin::stats();
    assert_eq!(now.total, before.total);
    assert_eq!(
        now.current + now.reserve + now.lent,
        before.current + before.reserve + before.lent
    );
    let gone = before.current - (now.current - holes.pages());
    assert_eq!(reservation::current()?, reservation - gone);
    Ok(())
}

#[kunit_tests(xen_lent)]
mod tests {
    use super::*;

    #[test]
    fn what_others_borrow_is_counted_once() -> Result {
        let hold = Hold::acquire();
        let (before, reservation) = (builtin::stats(), reservation::current()?);
        let mut holes = Holes::new();
        surrender(Order::Huge, 1, &mut holes)?;
        assert_eq!(holes.pages(), Order::Huge.pages());

        let borrowed = Borrowed::new(LENT)?;
        hold.freeze();
        builtin::wait_for_batch();
        assert_eq!(builtin::stats().lent, before.lent + LENT);
        check(&before, reservation, &holes)?;

        // What we hold becomes the built-in driver's while it has lent its own.
        surrender(Order::Base, 100, &mut holes)?;
        check(&before, reservation, &holes)?;
        drop(holes);
        hold.freeze();
        assert_eq!(builtin::stats().lent, before.lent + LENT);
        check(&before, reservation, &Holes::new())?;

        drop(borrowed);
        assert_eq!(builtin::stats().lent, before.lent);
        check(&before, reservation, &Holes::new())?;
        drop(hold);
        assert!(eventually(|| builtin::stats() == before));
        assert_eq!(reservation::current()?, reservation);
        Ok(())
    }
}
