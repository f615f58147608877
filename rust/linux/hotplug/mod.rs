// SPDX-License-Identifier: GPL-2.0

//! Memory that the kernel did not boot with.
//!
//! It is added in blocks. When a block comes online the kernel hands its pages to the allocator, but
//! here there is nothing behind them yet. So [`Blocks`] keeps them, and whoever has added them gets
//! them as [`Arrived`].
//!
//! C headers: [`include/linux/memory_hotplug.h`](srctree/include/linux/memory_hotplug.h),
//! [`include/linux/memory.h`](srctree/include/linux/memory.h).

#[cfg(not(all(CONFIG_MEMORY_HOTPLUG, CONFIG_MEMORY_HOTREMOVE)))]
#[path = "absent.rs"]
mod blocks;
#[cfg(all(CONFIG_MEMORY_HOTPLUG, CONFIG_MEMORY_HOTREMOVE))]
mod blocks;

use super::{
    pages::{
        nth_page,
        Order,
        Stack, //
    },
    timing, //
};
use crate::bindings;
use core::{
    ops::Range,
    ptr::NonNull, //
};

pub use blocks::Blocks;

/// Page frames of a block that has come online.
///
/// # Invariants
///
/// They are whole runs of 2 MiB, and each has a page that is online, that the allocator never got,
/// that is marked as not to be read by a dump, has one reference, and is used by nobody else.
#[must_use]
pub struct Arrived(Range<usize>);

impl Arrived {
    /// Returns how many pages there are.
    pub fn pages(&self) -> usize {
        self.0.len()
    }

    /// Puts the pages on `stack`, in runs of its order, which must be 2 MiB, and returns how many
    /// there were.
    ///
    /// Context: may sleep.
    pub(crate) fn push_on(self, stack: &mut Stack) -> usize {
        debug_assert!(stack.order() == Order::Huge);
        let per_run = Order::Huge.pages();
        for first in self.0.clone().step_by(per_run) {
            // SAFETY: By the type invariants there is such a page.
            let Some(first) = NonNull::new(unsafe { bindings::xenoxide_pfn_to_page(first) }) else {
                continue;
            };
            for i in 1..per_run {
                // SAFETY: By the type invariants the run has that many pages, and they are ours. An
                // allocation has one reference, that of its first page.
                unsafe { bindings::xenoxide_set_page_count(nth_page(first, i).as_ptr(), 0) };
            }
            // SAFETY: By the type invariants nobody else owns the run, which now is as the page
            // allocator would have it.
            unsafe { stack.push(first) };
            timing::give_way();
        }
        self.0.len()
    }
}
