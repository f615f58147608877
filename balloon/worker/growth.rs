// SPDX-License-Identifier: GPL-2.0

//! Pages that neither the guest nor the balloon has: the built-in driver's reserve, and what is added
//! to the kernel.

use super::{
    Balloon,
    Inner, //
};
use crate::{
    engine::View,
    linux::memory::PAGE_KIB,
    xen::{
        builtin,
        growth::Adder, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// What has come of adding memory, in pages.
pub(crate) struct Added {
    /// Added by us, and online.
    pub(crate) pages: Atomic<u64>,
    /// Added, and never online.
    pub(crate) offline: Atomic<u64>,
    /// Why nothing could be added when that was last tried, as errno; else 0.
    pub(crate) error: Atomic<i32>,
    /// The log says already that something is not online.
    told: Atomic<bool>,
}

impl Added {
    /// Nothing was added.
    pub(super) const fn new() -> Self {
        Self {
            pages: Atomic::new(0),
            offline: Atomic::new(0),
            error: Atomic::new(0),
            told: Atomic::new(false),
        }
    }
}

impl Balloon {
    /// Has the domain get up to `pages` pages, of what the built-in driver holds or else of what is
    /// added to the kernel. Returns whether there is something to give now.
    pub(super) fn borrow(&self, inner: &mut Inner, pages: u64) -> bool {
        let reserve = builtin::stats().reserve as u64;
        if self.adder == Adder::Builtin {
            self.builtin.borrow(pages as usize);
            return false;
        }
        if reserve > 0 {
            self.builtin.borrow(pages.min(reserve) as usize);
            return false;
        }
        self.builtin.freeze();
        // What comes online is populated before anything more is added.
        if inner.growth.offline() == 0 {
            self.add(inner);
        }
        self.collect(inner)
    }

    /// Adds memory to the kernel.
    fn add(&self, inner: &mut Inner) {
        let errno = inner.growth.add().map_or_else(Error::to_errno, |()| 0);
        if errno != 0 {
            self.counters.failures.add(1, Relaxed);
        }
        if self.added.error.xchg(errno, Relaxed) != errno && errno != 0 {
            pr_warn!("cannot add memory ({errno}); it is tried again and again\n");
        }
    }

    /// Takes in what was added and has come online since, and returns whether there was something.
    pub(super) fn collect(&self, inner: &mut Inner) -> bool {
        let pages = inner.growth.collect(&mut inner.holes) as u64;
        if pages > 0 {
            self.held.add(pages, Relaxed);
            self.added.pages.add(pages, Relaxed);
            pr_info!("{} KiB were added\n", pages * PAGE_KIB);
        }
        pages > 0
    }

    /// Publishes what was added and is not online, and says so when the domain waits for it:
    /// somebody else has it online.
    pub(super) fn look_offline(&self, inner: &Inner, waits: bool) {
        let pages = match self.adder {
            Adder::Builtin => builtin_offline(waits),
            _ => Some(inner.growth.offline() as u64),
        };
        let Some(pages) = pages else { return };
        self.added.offline.store(pages, Relaxed);
        if pages == 0 {
            self.added.told.store(false, Relaxed);
        } else if waits && !self.added.told.xchg(true, Relaxed) {
            pr_notice!(
                "{} KiB were added and wait until they are online: /sys/devices/system/memory/auto_online_blocks is not set{}\n",
                pages * PAGE_KIB,
                if inner.growth.keeps_module() {
                    "; until then the module cannot be unloaded"
                } else {
                    ""
                }
            );
        }
    }

    /// Says so if the toolstack lets the domain grow to more than this kernel can have.
    pub(super) fn tell_most(&self, view: &View) {
        let (ceiling, most) = (self.ceiling.load(Relaxed), self.most());
        if ceiling > most && view.target > most {
            pr_notice!(
                "the domain may grow to {} KiB but can have {} KiB: nobody can add memory to this kernel\n",
                ceiling * PAGE_KIB,
                most * PAGE_KIB
            );
        }
    }
}

/// Returns how many pages the built-in driver has added that are not online, if it is at rest or
/// `stuck`: in the middle of a batch it has pages that are in none of its counts.
fn builtin_offline(stuck: bool) -> Option<u64> {
    let builtin = builtin::stats();
    let seen = builtin.current + builtin.reserve + builtin.lent;

    (stuck || builtin.target == builtin.current).then(|| builtin.total.saturating_sub(seen) as u64)
}
