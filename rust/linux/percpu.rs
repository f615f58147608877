// SPDX-License-Identifier: GPL-2.0

//! Numbers that every CPU counts for itself, so that counting costs nothing to speak of: one
//! instruction, where a `percpu_counter` takes 25 to see whether it is time to add up.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h).

use crate::bindings as xen_bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A number that only grows.
///
/// # Invariants
///
/// `0` is a number of each CPU's, from `alloc_percpu()`, that is ours.
pub struct PerCpuCounter(NonNull<u64>);

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for PerCpuCounter {}
// SAFETY: Any thread may add to it or sum it up at any time.
unsafe impl Sync for PerCpuCounter {}

impl PerCpuCounter {
    /// Returns a counter that is 0.
    ///
    /// Context: may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        // SAFETY: By the context.
        let numbers = unsafe { xen_bindings::xenoxide_alloc_percpu() };
        // INVARIANT: It was just allocated.
        Ok(Self(NonNull::new(numbers).ok_or(ENOMEM)?))
    }

    /// Adds `amount`.
    ///
    /// Context: any.
    pub fn add(&self, amount: u32) {
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::xenoxide_this_cpu_add(self.0.as_ptr(), amount.into()) };
    }

    /// Returns the number, with what every CPU has counted so far.
    ///
    /// Context: any.
    pub fn sum(&self) -> u64 {
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::xenoxide_sum_percpu(self.0.as_ptr()) }
    }
}

impl Drop for PerCpuCounter {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is ours, and nobody uses it any more.
        unsafe { xen_bindings::xenoxide_free_percpu(self.0.as_ptr()) };
    }
}
