// SPDX-License-Identifier: GPL-2.0

//! In a PV domain frames are mapped by hand: unmapped before they are surrendered, mapped when they are back.

use super::{
    mark::{
        count_surrendered,
        free_populated,
        set_offline, //
    },
    Exchange, //
};
use crate::{
    bindings,
    linux::pages::Stack, //
};
use kernel::prelude::*;

impl Exchange {
    /// Unmaps the first `runs` of `stack` and takes them out of the P2M, in a PV domain: the
    /// hypervisor frees no frame that is mapped.
    pub(super) fn unmap(&mut self, stack: &Stack, runs: usize) -> Result {
        match &mut self.mapper {
            Some(mapper) => mapper.unmap(stack, runs),
            None => Ok(()),
        }
    }

    /// Maps the first `runs` of `stack` again, in a PV domain, to the machine frames listed, one
    /// for each page. Runs that cannot be mapped are taken off `stack` for good: nobody may touch
    /// them.
    pub(super) fn remap_listed(&mut self, stack: &mut Stack, runs: usize) {
        let Some(mapper) = &mut self.mapper else {
            return;
        };
        let frames = &self.frames;
        // SAFETY: The frames listed are the domain's and were behind these pages.
        if unsafe { mapper.map(stack, runs, |n| frames[n]) }.is_ok() {
            return;
        }

        let pages = stack.order().pages();
        let mut mapped = Stack::new(stack.order());
        let mut run = Stack::new(stack.order());
        for i in 0..runs {
            if !stack.move_top(&mut run) {
                break;
            }
            // SAFETY: As above.
            match unsafe { mapper.map(&run, 1, |n| frames[i * pages + n]) } {
                Ok(()) => _ = run.move_top(&mut mapped),
                Err(e) => lose(&mut run, false, e),
            }
        }
        while mapped.move_top(stack) {}
    }

    /// Maps the first `runs` of `stack`, in a PV domain, to the machine frames listed, the first
    /// of each run.
    pub(super) fn map_populated(&mut self, stack: &Stack, runs: usize) -> Result {
        let Some(mapper) = &mut self.mapper else {
            return Ok(());
        };
        let frames = &self.frames;
        let pages = stack.order().pages();
        // SAFETY: The hypervisor has just given us these frames, for these pages.
        unsafe { mapper.map(stack, runs, |n| frames[n / pages] + n % pages) }
    }

    /// Settles the first `done` of `stack`, holes that were populated and could not all be mapped,
    /// one by one: what can be mapped goes to the page allocator, other memory back to the
    /// hypervisor. Where it does not take it either, the run is taken off `stack` for good.
    ///
    /// Returns how many runs are holes no more.
    pub(super) fn settle_populated(&mut self, stack: &mut Stack, done: usize) -> usize {
        let mut holes = Stack::new(stack.order());
        let mut run = Stack::new(stack.order());
        let mut filled = 0;

        for i in 0..done {
            if !stack.move_top(&mut run) {
                break;
            }
            self.frames[0] = self.frames[i];
            if self.map_populated(&run, 1).is_ok() {
                // SAFETY: The run was a hole, and is backed and mapped again.
                unsafe { free_populated(&mut run) };
                filled += 1;
            } else if let Err(e) = self.give_back(&run) {
                lose(&mut run, true, e);
                filled += 1;
            } else {
                run.move_top(&mut holes);
            }
        }
        while holes.move_top(stack) {}
        filled
    }

    /// Gives the memory behind the top run of `stack`, the first machine frame listed, back to the
    /// hypervisor, in a PV domain.
    fn give_back(&mut self, stack: &Stack) -> Result {
        self.unmap(stack, 1)?;
        let done = self.memory_op(bindings::XENMEM_decrease_reservation, stack.order(), 1)?;

        if done == 1 {
            Ok(())
        } else {
            Err(EBUSY)
        }
    }
}

/// Takes the top run off `stack` for good: it cannot be mapped, so nobody may touch it. It counts
/// as memory that is used, which is what the hypervisor counts it as.
fn lose(stack: &mut Stack, hole: bool, error: Error) {
    let order = stack.order();
    let Some(first) = stack.pop() else { return };

    if hole {
        // SAFETY: The run was on the stack, so it is ours; it was counted, and stays marked.
        unsafe { count_surrendered(first, -(order.pages() as isize)) };
    } else {
        // SAFETY: The run was on the stack, so it is ours, and its pages have no type yet.
        unsafe { set_offline(first, order) };
    }
    pr_err!(
        "{} KiB cannot be mapped again ({}) and are lost\n",
        order.pages() * 4,
        error.to_errno()
    );
}
