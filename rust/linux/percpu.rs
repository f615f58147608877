// SPDX-License-Identifier: GPL-2.0

//! Numbers that every CPU counts for itself, so that counting costs nothing to speak of.
//!
//! C header: [`include/linux/percpu_counter.h`](srctree/include/linux/percpu_counter.h).

use crate::bindings as xen_bindings;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A number that only grows.
///
/// # Invariants
///
/// `raw` is initialised from the end of its initialisation until `drop`.
#[pin_data(PinnedDrop)]
pub struct PerCpuCounter {
    #[pin]
    raw: Opaque<bindings::percpu_counter>,
}

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
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            raw <- Opaque::try_ffi_init(|slot| {
                // SAFETY: `slot` is valid for writing and stays there until `drop`.
                // INVARIANT: On success it is initialised.
                to_result(unsafe { xen_bindings::xenoxide_percpu_counter_init(slot) })
            }),
        })
    }

    /// Adds `amount`.
    ///
    /// Context: any.
    pub fn add(&self, amount: u32) {
        // SAFETY: By the type invariants the counter is initialised.
        unsafe { xen_bindings::xenoxide_percpu_counter_add(self.raw.get(), amount.into()) };
    }

    /// Returns the number, with what every CPU has counted so far.
    ///
    /// Context: any.
    pub fn sum(&self) -> u64 {
        // SAFETY: By the type invariants the counter is initialised.
        let sum = unsafe { xen_bindings::xenoxide_percpu_counter_sum(self.raw.get()) };
        sum.max(0) as u64
    }
}

#[pinned_drop]
impl PinnedDrop for PerCpuCounter {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the counter is initialised, and nobody uses it any more.
        unsafe { xen_bindings::xenoxide_percpu_counter_destroy(self.raw.get()) };
    }
}
