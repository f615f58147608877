// SPDX-License-Identifier: GPL-2.0

//! What the administrator can set.

use crate::engine::{
    policy::{
        self,
        DEFAULT_TUNING, //
    },
    Limits,
    Tuning, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// The settings, each for itself: a step that reads them while they change sees some old, some new.
pub(crate) struct Tunables {
    /// The floor in pages; 0: by the domain's size.
    floor: Atomic<u64>,
    auto_return: Atomic<bool>,
    relief: Atomic<u64>,
    hold_off_ms: Atomic<u32>,
}

impl Tunables {
    /// Returns the defaults, but for a floor of `floor` pages (0: by the domain's size) and what is
    /// said of the automatic return.
    pub(crate) const fn new(floor: u64, auto_return: bool) -> Self {
        Self {
            floor: Atomic::new(floor),
            auto_return: Atomic::new(auto_return),
            relief: Atomic::new(DEFAULT_TUNING.relief),
            hold_off_ms: Atomic::new(DEFAULT_TUNING.hold_off_ms),
        }
    }

    /// Returns the limits of a domain that can have `most` pages and whose default floor does not
    /// exceed `bound`.
    pub(crate) fn limits(&self, most: u64, bound: u64) -> Limits {
        policy::limits(most, self.floor.load(Relaxed), bound)
    }

    /// Returns how the engine is tuned.
    pub(crate) fn tuning(&self) -> Tuning {
        Tuning {
            auto_return: self.auto_return.load(Relaxed),
            relief: self.relief.load(Relaxed),
            hold_off_ms: self.hold_off_ms.load(Relaxed),
        }
    }

    /// Sets the floor in pages; 0: by the domain's size.
    pub(crate) fn set_floor(&self, pages: u64) {
        self.floor.store(pages, Relaxed);
    }

    /// Sets whether unused memory goes back by itself.
    pub(crate) fn set_auto_return(&self, on: bool) {
        self.auto_return.store(on, Relaxed);
    }

    /// Sets how many pages beyond its target a guest out of memory may have.
    pub(crate) fn set_relief(&self, pages: u64) {
        self.relief.store(pages, Relaxed);
    }

    /// Sets for how long relief stays, in milliseconds.
    pub(crate) fn set_hold_off(&self, ms: u32) {
        self.hold_off_ms.store(ms, Relaxed);
    }
}
