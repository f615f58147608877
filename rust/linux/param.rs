// SPDX-License-Identifier: GPL-2.0

//! Values of module parameters, for kernels that differ in how they hand them out.

use core::borrow::Borrow;

/// Returns a parameter's value, given what its `value()` returned: a reference in 7.2, the value
/// itself from 7.3 on.
///
/// Context: any.
pub fn value<T: Copy>(handed_out: impl Borrow<T>) -> T {
    *handed_out.borrow()
}
