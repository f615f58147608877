// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h).

use kernel::bindings;

/// Returns a random number.
///
/// Context: any.
pub fn number() -> u64 {
    // SAFETY: No preconditions.
    unsafe { bindings::get_random_u64() }
}
