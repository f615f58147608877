// SPDX-License-Identifier: GPL-2.0

//! Runs of page frames with nothing behind them.

use super::mark::count_added;
use crate::{
    linux::{
        hotplug::Arrived,
        pages::{
            take,
            Order,
            Stack, //
        },
        timing, //
    },
    xen::builtin, //
};

/// Runs of page frames with nothing behind them.
///
/// Dropping them hands them to the built-in balloon driver.
///
/// # Invariants
///
/// Every run was surrendered: the hypervisor has the memory, in a PV domain the frames are neither
/// mapped nor in the P2M, and the pages are marked by [`super::mark`].
pub struct Holes {
    huge: Stack,
    base: Stack,
}

impl Default for Holes {
    fn default() -> Self {
        Self::new()
    }
}

impl Holes {
    /// Returns no holes.
    pub const fn new() -> Self {
        // INVARIANT: There is no run.
        Self {
            huge: Stack::new(Order::Huge),
            base: Stack::new(Order::Base),
        }
    }

    /// Returns how many runs of `order` there are.
    pub fn count(&self, order: Order) -> usize {
        match order {
            Order::Huge => self.huge.len(),
            Order::Base => self.base.len(),
        }
    }

    /// Returns how many pages there are.
    pub fn pages(&self) -> usize {
        self.huge.len() * Order::Huge.pages() + self.base.len()
    }

    /// Returns how many pages there are by going from run to run, at most one run too many.
    ///
    /// It takes as long as there are runs: for those who mistrust [`Holes::pages`].
    ///
    /// Context: may sleep.
    pub fn walk(&self) -> usize {
        self.stacks()
            .into_iter()
            .map(|stack| {
                let mut runs = 0;
                stack.for_each(stack.len() + 1, |_| {
                    runs += 1;
                    timing::pass(runs);
                });
                runs * stack.order().pages()
            })
            .sum()
    }

    /// Takes in page frames that have just come online, and returns how many there were.
    ///
    /// Context: may sleep.
    pub(crate) fn take_in(&mut self, arrived: Arrived) -> usize {
        let before = self.huge.len();
        let pages = arrived.push_on(&mut self.huge);
        // INVARIANT: The hypervisor never had memory for these frames, and their pages are marked
        // when they are counted.
        self.huge.for_each(self.huge.len() - before, |first| {
            // SAFETY: The run was just put there; the allocator has never managed it.
            unsafe { count_added(first, Order::Huge.pages() as isize) };
        });
        pages
    }

    /// Breaks one 2 MiB run into 4 KiB ones and returns whether there was one.
    pub fn split_one(&mut self) -> bool {
        self.huge.split_top_into(&mut self.base)
    }

    pub(super) fn stacks(&self) -> [&Stack; 2] {
        [&self.huge, &self.base]
    }

    pub(super) fn stack(&mut self, order: Order) -> &mut Stack {
        match order {
            Order::Huge => &mut self.huge,
            Order::Base => &mut self.base,
        }
    }
}

impl Drop for Holes {
    fn drop(&mut self) {
        builtin::adopt(take(&mut self.base));
        builtin::adopt(take(&mut self.huge));
    }
}
