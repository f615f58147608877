// SPDX-License-Identifier: GPL-2.0

//! What the hypervisor is to get tells nobody what was in it.

use crate::linux::{
    faults,
    pages::{
        Extents,
        Order, //
    }, //
};
use kernel::prelude::*;

/// So much memory is full of something, and free, before any is allocated.
const DIRTY_BYTES: usize = 16 << 20;

#[kunit_tests(xen_zeroes)]
mod tests {
    use super::*;

    #[test]
    fn each_page_begins_with_zeroes() -> Result {
        for (order, runs) in [(Order::Base, 2048), (Order::Huge, 8)] {
            drop(KVVec::from_elem(u64::MAX, DIRTY_BYTES / 8, GFP_KERNEL)?);
            let mut extents = Extents::new(order);
            while extents.len() < runs && extents.grow() {
                let first = extents.top_pfn().ok_or(ENOENT)?;
                for pfn in first..first + order.pages() {
                    assert_eq!(faults::word(pfn), Some(0));
                }
            }
            assert!(!extents.is_empty());
        }
        Ok(())
    }
}
