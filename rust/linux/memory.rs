// SPDX-License-Identifier: GPL-2.0

//! What the kernel says of its memory as a whole.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h).

use crate::bindings as xen_bindings;
use kernel::bindings;

/// KiB of a page.
pub const PAGE_KIB: u64 = 4;

/// Returns how many pages could be had for new allocations without swapping: free memory and
/// what can be reclaimed, less the kernel's own reserves.
///
/// Context: any; it only adds up counters.
pub fn available_pages() -> usize {
    // SAFETY: No preconditions.
    let pages = unsafe { bindings::si_mem_available() };

    usize::try_from(pages).unwrap_or(0)
}

/// Returns how many pages nobody uses, not even for caches.
///
/// Context: any; it reads a counter that may lag behind by a batch for each CPU.
pub fn free_pages() -> usize {
    // SAFETY: No preconditions.
    unsafe { xen_bindings::xenoxide_free_pages() }
}
