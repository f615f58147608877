// SPDX-License-Identifier: GPL-2.0

//! The balloon driver that is built into every Xen kernel, `drivers/xen/balloon.c`.
//!
//! It cannot be left out, and with `CONFIG_XEN_BALLOON` it watches `memory/target` just as we do.
//! Here it is held still, asked to return pages from its reserve (the memory between the boot size
//! and maxmem), and handed what we hold when we go.
//!
//! C header: [`include/xen/balloon.h`](srctree/include/xen/balloon.h).

use crate::{
    bindings,
    linux::pages::{
        take,
        Order,
        Stack, //
    }, //
};
use core::ptr::{
    addr_of,
    addr_of_mut,
    null_mut, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// What the built-in driver says of itself, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Pages that the domain has, as far as the driver knows: it does not know what we hold.
    pub current: usize,
    /// What it aims at.
    pub target: usize,
    /// Pages that it holds surrendered and can populate again.
    pub reserve: usize,
    /// Pages of its reserve that other drivers have borrowed, to map foreign memory there.
    pub lent: usize,
    /// Pages that the domain was started with or got by memory hotplug.
    pub total: usize,
}

/// Returns the built-in driver's figures.
///
/// Context: any. The driver may change them at any time, each for itself.
pub fn stats() -> Stats {
    let stats = addr_of!(bindings::balloon_stats);
    // SAFETY: The kernel's static is always valid, and its fields are words that are read whole.
    let word = |field: *const usize| unsafe { field.read_volatile() };

    // SAFETY: These only compute addresses of fields of a valid static.
    let (current, target, low, high, lent, total) = unsafe {
        (
            addr_of!((*stats).current_pages),
            addr_of!((*stats).target_pages),
            addr_of!((*stats).balloon_low),
            addr_of!((*stats).balloon_high),
            addr_of!((*stats).target_unpopulated),
            addr_of!((*stats).total_pages),
        )
    };

    Stats {
        current: word(current),
        target: word(target),
        reserve: word(low) + word(high),
        lent: word(lent),
        total: word(total),
    }
}

/// Whether the built-in driver can add memory that the domain did not boot with, by hotplug.
///
/// Then a PV domain's reserve is empty at first: it is what was hotplugged already. New memory is
/// used once it is online, for which the kernel needs `auto_online_blocks` or somebody who does it.
pub const CAN_HOTPLUG: bool = cfg!(CONFIG_XEN_BALLOON_MEMORY_HOTPLUG);

/// Holds the built-in driver still, as long as it lives and is reminded.
///
/// Dropped, it tells the driver to go on to the release target.
///
/// The driver's own watch may set a new target at any time, before or after ours fires: what it
/// does until it is frozen again, up to a few batches of 512 pages, is in its [`Stats`].
pub struct Hold {
    release_target: Atomic<usize>,
}

impl Hold {
    /// Stops the driver where it is.
    ///
    /// Context: any that may wake a thread.
    pub fn acquire() -> Self {
        let hold = Self {
            release_target: Atomic::new(stats().target),
        };
        hold.freeze();
        hold
    }

    /// Makes the driver stop where it is. A batch that it has begun is finished.
    ///
    /// Context: any that may wake a thread.
    pub fn freeze(&self) {
        let stats = stats();

        if stats.target != stats.current {
            set_target(stats.current);
        }
    }

    /// Lets the driver populate up to `pages` pages of its reserve and free them; where it has too
    /// few it adds memory, if it can.
    ///
    /// Asked for the same again, it tries for one page less: what it was refused it tries again by
    /// itself only three times within 14 seconds and then an hour later, unless what is missing
    /// changes (`balloon_thread_cond()`). Where it cannot add memory it says so in the log each
    /// time: with an empty reserve it is left to its own times.
    ///
    /// Context: any that may wake a thread.
    pub fn borrow(&self, pages: usize) {
        let stats = stats();
        let target = stats.current + pages;

        match (stats.target == target, stats.reserve) {
            (false, _) => set_target(target),
            (true, 0) => {}
            (true, _) => set_target(target.saturating_sub(1)),
        }
    }

    /// Returns what the driver goes on to when it is released, in pages.
    pub fn release_target(&self) -> usize {
        self.release_target.load(Relaxed)
    }

    /// Sets what the driver goes on to when it is released, in pages.
    pub fn set_release_target(&self, pages: usize) {
        self.release_target.store(pages, Relaxed);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        set_target(self.release_target());
    }
}

/// Sets what the driver aims at, in pages, and wakes it.
///
/// Context: any that may wake a thread.
pub(crate) fn set_target(pages: usize) {
    // SAFETY: No preconditions.
    unsafe { bindings::balloon_set_new_target(pages) };
}

/// Waits until the driver has finished the batch that it is at, if any.
///
/// Context: may sleep.
pub fn wait_for_batch() {
    // Handing over no page takes the driver's mutex, which it holds during a batch.
    // SAFETY: With a count of zero the array is not read.
    unsafe { bindings::xen_free_ballooned_pages(0, null_mut()) };
}

/// How often [`settle`] looks whether the driver has come to rest.
const SETTLE_TRIES: usize = 64;

/// Stops the driver and waits until it has finished the batch that it was at.
///
/// Its mutex is not for modules, and its own watch may set a target at any time: so it may begin a
/// batch as soon as this has returned, though hardly ever does.
///
/// Context: may sleep.
pub fn settle() {
    for _ in 0..SETTLE_TRIES {
        let stats = stats();
        set_target(stats.current);
        wait_for_batch();
        if self::stats().current == stats.current {
            return;
        }
    }
}

/// Has the driver count `pages` pages that were added to the domain and that we hold, as it counts
/// all that we hold: as there.
///
/// Context: may sleep.
pub(crate) fn count_added(pages: usize) {
    settle();
    let stats = addr_of_mut!(bindings::balloon_stats);

    // SAFETY: The kernel's static is always valid, and its fields are words that are written whole.
    // The driver was at rest just now; should its thread have begun a batch since, a count may be
    // wrong by that afterwards, and no more than a count.
    unsafe {
        (*stats).total_pages += pages;
        (*stats).target_pages += pages;
        (*stats).current_pages += pages;
    }
}

/// How many pages [`adopt`] hands over at a time: an array of them fits a small stack frame.
const ADOPT_BATCH: usize = 64;

/// Hands surrendered pages over to the built-in driver, which then owns them and takes them out of
/// the domain's size as it knows it. Cannot fail.
///
/// Context: may sleep.
pub(crate) fn adopt(mut stack: Stack) {
    if stack.is_empty() {
        return;
    }
    settle();
    let mut singles = Stack::new(Order::Base);

    loop {
        if singles.is_empty() && !stack.split_top_into(&mut singles) {
            // What is left are single pages already, or nothing.
            adopt_singles(stack);
            return;
        }
        adopt_singles(take(&mut singles));
    }
}

/// Hands over a stack of single pages.
fn adopt_singles(mut stack: Stack) {
    while !stack.is_empty() {
        let mut pages = [null_mut(); ADOPT_BATCH];
        let mut n = 0;

        while n < ADOPT_BATCH {
            let Some(page) = stack.pop() else { break };
            pages[n] = page.as_ptr();
            // SAFETY: The page is ours; the built-in driver counts it again when it gets it.
            unsafe { bindings::xenoxide_mod_balloon_pages(page.as_ptr(), -1) };
            n += 1;
        }
        let stats = stats();
        if stats.target != stats.current {
            // It has been told of another target since.
            settle();
        }
        hand_over(&mut pages[..n]);
    }
}

/// Gives `pages`, surrendered ones, to the built-in driver's list and corrects its counts.
fn hand_over(pages: &mut [*mut kernel::bindings::page]) {
    let stats = addr_of_mut!(bindings::balloon_stats);

    // SAFETY: The kernel's static is always valid, and its fields are words that are written whole;
    // for the driver's thread see `count_added`. `target_unpopulated` is raised by what the call
    // below takes off again.
    unsafe {
        (*stats).current_pages -= pages.len();
        (*stats).target_pages -= pages.len();
        (*stats).target_unpopulated += pages.len();
        bindings::xen_free_ballooned_pages(pages.len() as u32, pages.as_mut_ptr());
    }
}
