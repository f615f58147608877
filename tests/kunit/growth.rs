// SPDX-License-Identifier: GPL-2.0

//! Memory that the kernel will not add, or that does not come online.

use crate::{
    linux::faults::{
        self,
        arm,
        Fault,
        Site, //
    },
    xen::{
        builtin,
        domain::{
            self,
            Kind, //
        },
        growth::{
            Adder,
            Growth, //
        },
        reservation::Holes, //
    }, //
};
use kernel::prelude::*;

/// Checks that nothing was added.
fn check_nothing(growth: &mut Growth) {
    let mut holes = Holes::new();
    assert_eq!(growth.collect(&mut holes), 0);
    assert_eq!(holes.pages(), 0);
    assert_eq!(growth.offline(), 0);
    assert!(!growth.keeps_module());
}

#[kunit_tests(xen_growth)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_add_is_not_there() {
        let mut growth = Growth::begin();
        assert_eq!(growth.adder(), Adder::Own);

        for error in [ENOMEM, EEXIST, EBUSY, EINVAL] {
            let refused = arm(Site::AddMemory, Fault::Error(error), 0, 1);
            assert_eq!(growth.add(), Err(error));
            assert_eq!(refused.hits(), 1);
            check_nothing(&mut growth);
        }
    }

    #[test]
    fn what_does_not_come_online_waits_and_is_removed() -> Result {
        // There the kernel cannot remove memory.
        if domain::kind() == Some(Kind::Pv) {
            return Ok(());
        }
        let (pages, stats) = (faults::pages(), builtin::stats());
        for _ in 0..2 {
            let mut growth = Growth::begin();
            {
                let objected = arm(Site::Online, Fault::Error(EPERM), 0, 1);
                growth.add()?;
                assert_eq!(objected.hits(), 1);
            }
            let mut holes = Holes::new();
            assert!(growth.offline() > 0);
            assert_eq!(growth.collect(&mut holes), 0);
            assert_eq!(holes.pages(), 0);
        }
        assert_eq!(faults::pages(), pages);
        assert_eq!(builtin::stats(), stats);
        Ok(())
    }
}
