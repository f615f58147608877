// SPDX-License-Identifier: GPL-2.0

//! What is told to the host in xenstore, and when.
//!
//! Pure code: no clock, no allocation, no kernel. [`report`](../report/index.html) reads the
//! counters and writes the nodes.

#![forbid(unsafe_code)]

use core::ffi::CStr;

/// The shortest time between two reports, in milliseconds: xenstored serves all domains.
pub const SHORTEST_MS: u32 = 1000;

/// A rate that is refused: more than a report a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast;

/// Returns `ms` if it may be the time between two reports; 0 is none at all.
pub fn check_interval(ms: u32) -> Result<u32, TooFast> {
    if ms == 0 || ms >= SHORTEST_MS {
        Ok(ms)
    } else {
        Err(TooFast)
    }
}

/// Returns how many milliseconds are left to wait when a report is wanted `since_ms` milliseconds
/// after the last one.
pub fn to_wait(since_ms: Option<i64>) -> u32 {
    let since_ms = since_ms.unwrap_or(i64::MAX);
    let left = i64::from(SHORTEST_MS).saturating_sub(since_ms.max(0));

    left.max(0) as u32
}

/// Where a figure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Relative to the domain's own directory.
    pub dir: &'static CStr,
    /// Within `dir`.
    pub name: &'static CStr,
}

/// Declares the figures, where each goes, and their order.
macro_rules! figures {
    ($($(#[doc = $doc:literal])+ $field:ident: $dir:literal / $name:literal,)+) => {
        /// What is told. Sizes are in KiB, those of events are counts since boot.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Figures {
            $($(#[doc = $doc])+ pub $field: u64,)+
        }

        impl Figures {
            /// Where they go, in the order of [`Figures::values`].
            pub const NODES: [Node; COUNT] = [$(Node { dir: $dir, name: $name }),+];

            /// Returns all of them.
            pub fn values(&self) -> [u64; COUNT] {
                [$(self.$field),+]
            }
        }

        /// How many figures there are.
        pub const COUNT: usize = [$($name),+].len();
    };
}

figures! {
    /// Memory, as XAPI's guest agent tells it.
    meminfo_total: c"data" / c"meminfo_total",
    /// Memory available, likewise.
    meminfo_free: c"data" / c"meminfo_free",
    /// Memory in use, as Qubes' `meminfo-writer` tells it, but for what is swapped out.
    meminfo: c"memory" / c"meminfo",
    /// Read from swap since boot.
    swap_in: c"data/xenballoon" / c"swap_in",
    /// Written to swap since boot.
    swap_out: c"data/xenballoon" / c"swap_out",
    /// Page faults that had to read.
    major_faults: c"data/xenballoon" / c"major_faults",
    /// Page faults, those that had to read included.
    minor_faults: c"data/xenballoon" / c"minor_faults",
    /// Memory that nobody uses.
    free_memory: c"data/xenballoon" / c"free_memory",
    /// Memory that the kernel manages.
    total_memory: c"data/xenballoon" / c"total_memory",
    /// Memory that can be had without swapping.
    available_memory: c"data/xenballoon" / c"available_memory",
    /// Pages of files.
    disk_caches: c"data/xenballoon" / c"disk_caches",
    /// Huge pages allocated for hugetlbfs.
    hugetlb_allocations: c"data/xenballoon" / c"hugetlb_allocations",
    /// Huge pages that could not be.
    hugetlb_failures: c"data/xenballoon" / c"hugetlb_failures",
    /// Processes killed for want of memory.
    oom_kill: c"data/xenballoon" / c"oom_kill",
    /// Allocations that had to reclaim memory themselves.
    alloc_stall: c"data/xenballoon" / c"alloc_stall",
    /// Looked at for reclaim by kswapd.
    async_scan: c"data/xenballoon" / c"async_scan",
    /// Looked at for reclaim by those who wanted memory.
    direct_scan: c"data/xenballoon" / c"direct_scan",
    /// Reclaimed by kswapd.
    async_reclaim: c"data/xenballoon" / c"async_reclaim",
    /// Reclaimed by those who wanted memory.
    direct_reclaim: c"data/xenballoon" / c"direct_reclaim",
    /// Estimated share of time lost for want of memory, in percent.
    pressure: c"data/xenballoon" / c"pressure",
    /// What the domain has.
    current_kb: c"data/xenballoon" / c"current_kb",
    /// What the balloon aims at.
    target_kb: c"data/xenballoon" / c"target_kb",
    /// The domain is never made smaller.
    floor_kb: c"data/xenballoon" / c"floor_kb",
    /// What the domain can have.
    max_kb: c"data/xenballoon" / c"max_kb",
    /// Added to the domain and not online.
    offline_kb: c"data/xenballoon" / c"offline_kb",
    /// What the module holds surrendered.
    held_kb: c"data/xenballoon" / c"held_kb",
}

/// The counters that tell of time lost for want of memory, since boot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strain {
    /// Allocations that had to reclaim memory themselves.
    pub alloc_stalls: u64,
    /// Pages that these looked at.
    pub direct_scans: u64,
    /// Pages that were reclaimed although in use, and read again.
    pub refaults: u64,
}

/// What one of each is taken to cost, in microseconds. The kernel measures the true time (PSI) but
/// does not let modules see it.
const STALL_US: u64 = 100;
const SCAN_US: u64 = 1;
const REFAULT_US: u64 = 100;

impl Strain {
    /// Returns the estimated share of the last `elapsed_ms` milliseconds, in percent, that was
    /// lost since the counters were `before`.
    pub fn pressure(&self, before: &Strain, elapsed_ms: u64) -> u64 {
        let cost = |now: u64, before: u64, us: u64| now.saturating_sub(before).saturating_mul(us);
        let lost_us = cost(self.alloc_stalls, before.alloc_stalls, STALL_US)
            .saturating_add(cost(self.direct_scans, before.direct_scans, SCAN_US))
            .saturating_add(cost(self.refaults, before.refaults, REFAULT_US));

        // A percent of a millisecond is ten microseconds.
        (lost_us / 10 / elapsed_ms.max(1)).min(100)
    }
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Holds(u64),
    Denied,
}

/// Remembers what the nodes hold and which may not be written.
#[derive(Clone, Copy, Debug)]
pub struct Ledger([Known; COUNT]);

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// Returns one that knows nothing.
    pub const fn new() -> Self {
        Self([Known::Nothing; COUNT])
    }

    /// Returns whether `value` has to be written to node `n`.
    pub fn is_due(&self, n: usize, value: u64) -> bool {
        match self.0[n] {
            Known::Nothing => true,
            Known::Holds(known) => known != value,
            Known::Denied => false,
        }
    }

    /// Node `n` holds `value` now.
    pub fn written(&mut self, n: usize, value: u64) {
        self.0[n] = Known::Holds(value);
    }

    /// Node `n` may not be written.
    pub fn denied(&mut self, n: usize) {
        self.0[n] = Known::Denied;
    }

    /// All nodes are new.
    pub fn forget(&mut self) {
        *self = Self::new();
    }
}
