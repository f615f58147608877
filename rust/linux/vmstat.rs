// SPDX-License-Identifier: GPL-2.0

//! What the kernel counts of its memory's life.
//!
//! C headers: [`include/linux/vmstat.h`](srctree/include/linux/vmstat.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h).

use crate::bindings as xen_bindings;
use kernel::bindings;

/// Events since boot. All are 0 in a kernel without `CONFIG_VM_EVENT_COUNTERS`.
pub struct Events([usize; bindings::vm_event_item_NR_VM_EVENT_ITEMS as usize]);

impl Events {
    /// Adds up the counters of all processors.
    ///
    /// Context: process context, may sleep.
    pub fn now() -> Self {
        let mut events = [0; bindings::vm_event_item_NR_VM_EVENT_ITEMS as usize];
        // SAFETY: The array has a word for each item.
        unsafe { xen_bindings::xenoxide_all_vm_events(events.as_mut_ptr()) };
        Self(events)
    }

    fn item(&self, item: bindings::vm_event_item) -> u64 {
        self.0[item as usize] as u64
    }

    /// Pages read from swap.
    pub fn swap_in(&self) -> u64 {
        self.item(bindings::vm_event_item_PSWPIN)
    }

    /// Pages written to swap.
    pub fn swap_out(&self) -> u64 {
        self.item(bindings::vm_event_item_PSWPOUT)
    }

    /// Page faults that had to read.
    pub fn major_faults(&self) -> u64 {
        self.item(bindings::vm_event_item_PGMAJFAULT)
    }

    /// Page faults, those that had to read included.
    pub fn faults(&self) -> u64 {
        self.item(bindings::vm_event_item_PGFAULT)
    }

    /// Processes that were killed for want of memory.
    pub fn oom_kills(&self) -> u64 {
        self.item(bindings::vm_event_item_OOM_KILL)
    }

    /// Allocations that had to reclaim memory themselves, in any zone.
    pub fn alloc_stalls(&self) -> u64 {
        let first = xen_bindings::XENOXIDE_ALLOCSTALL as usize;
        let zones = &self.0[first..first + xen_bindings::XENOXIDE_ZONES as usize];

        zones.iter().map(|&n| n as u64).sum()
    }

    /// Huge pages for hugetlbfs that were allocated, and those that could not be.
    pub fn hugetlb(&self) -> (u64, u64) {
        #[cfg(CONFIG_HUGETLB_PAGE)]
        return (
            self.item(bindings::vm_event_item_HTLB_BUDDY_PGALLOC),
            self.item(bindings::vm_event_item_HTLB_BUDDY_PGALLOC_FAIL),
        );
        #[cfg(not(CONFIG_HUGETLB_PAGE))]
        (0, 0)
    }
}

/// What all nodes together have, or have seen since boot, in pages.
#[derive(Clone, Copy)]
pub struct Pages {
    /// Memory that the kernel manages.
    pub total: u64,
    /// Memory that nobody uses.
    pub free: u64,
    /// Pages of files, buffers and swap cache included.
    pub file: u64,
    /// Of these, pages of the swap cache.
    pub swap_cache: u64,
    /// Looked at for reclaim by kswapd.
    pub async_scan: u64,
    /// Looked at for reclaim by those who wanted memory.
    pub direct_scan: u64,
    /// Reclaimed by kswapd.
    pub async_reclaim: u64,
    /// Reclaimed by those who wanted memory.
    pub direct_reclaim: u64,
    /// Reclaimed although in use, and read again soon after.
    pub refaults: u64,
}

impl Pages {
    /// Reads the counters.
    ///
    /// Context: any.
    pub fn now() -> Self {
        let mut info = bindings::sysinfo::default();
        // SAFETY: `info` is valid for writing.
        unsafe { bindings::si_meminfo(&mut info) };
        // SAFETY: The items below are those that the header names.
        let node = |item| unsafe { xen_bindings::xenoxide_node_page_state(item) } as u64;

        Self {
            total: info.totalram as u64,
            free: info.freeram as u64,
            file: node(bindings::node_stat_item_NR_FILE_PAGES),
            #[cfg(CONFIG_SWAP)]
            swap_cache: node(bindings::node_stat_item_NR_SWAPCACHE),
            #[cfg(not(CONFIG_SWAP))]
            swap_cache: 0,
            async_scan: node(bindings::node_stat_item_PGSCAN_KSWAPD),
            direct_scan: node(bindings::node_stat_item_PGSCAN_DIRECT),
            async_reclaim: node(bindings::node_stat_item_PGSTEAL_KSWAPD),
            direct_reclaim: node(bindings::node_stat_item_PGSTEAL_DIRECT),
            refaults: node(bindings::node_stat_item_WORKINGSET_ACTIVATE_ANON)
                + node(bindings::node_stat_item_WORKINGSET_ACTIVATE_FILE),
        }
    }
}
