// SPDX-License-Identifier: GPL-2.0

//! What the balloon counts.

use crate::engine::Unit;
use kernel::sync::atomic::Atomic;

/// What has happened since the module was loaded. Each counter is for itself; read together they
/// may be a step apart.
pub(crate) struct Counters {
    /// Hypercalls made to exchange memory.
    pub(crate) hypercalls: Atomic<u64>,
    /// Pages surrendered in 2 MiB runs.
    pub(crate) taken_huge: Atomic<u64>,
    /// Pages surrendered singly.
    pub(crate) taken_base: Atomic<u64>,
    /// Pages populated in 2 MiB runs.
    pub(crate) given_huge: Atomic<u64>,
    /// Pages populated singly.
    pub(crate) given_base: Atomic<u64>,
    /// Steps that got nothing, or less than asked for, from the allocator or the hypervisor.
    pub(crate) failures: Atomic<u64>,
    /// Targets that were refused, and sizes in xenstore that are none.
    pub(crate) refused: Atomic<u64>,
    /// Times that the guest was out of memory.
    pub(crate) oom_events: Atomic<u64>,
    /// Pages given because memory was scarce or all used up.
    pub(crate) relieved: Atomic<u64>,
    /// Pages that were allocated for the host and stayed, as the guest could not spare them any more.
    pub(crate) spared: Atomic<u64>,
}

impl Counters {
    /// Returns the counter of pages surrendered in runs of this size.
    pub(crate) fn taken(&self, unit: Unit) -> &Atomic<u64> {
        match unit {
            Unit::Huge => &self.taken_huge,
            Unit::Base => &self.taken_base,
        }
    }

    /// Returns the counter of pages populated in runs of this size.
    pub(crate) fn given(&self, unit: Unit) -> &Atomic<u64> {
        match unit {
            Unit::Huge => &self.given_huge,
            Unit::Base => &self.given_base,
        }
    }

    pub(crate) const fn new() -> Self {
        Self {
            hypercalls: Atomic::new(0),
            taken_huge: Atomic::new(0),
            taken_base: Atomic::new(0),
            given_huge: Atomic::new(0),
            given_base: Atomic::new(0),
            failures: Atomic::new(0),
            refused: Atomic::new(0),
            oom_events: Atomic::new(0),
            relieved: Atomic::new(0),
            spared: Atomic::new(0),
        }
    }
}
