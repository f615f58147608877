// SPDX-License-Identifier: GPL-2.0

//! This module, as one that cannot be unloaded for a while.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h).

use kernel::bindings;

extern "C" {
    /// This module, of which only the address is of interest: each has one, by the kernel's build.
    static __this_module: u8;
}

/// Returns this module. How Rust code gets it from the kernel crate is another way in each release.
pub(crate) const fn this() -> *mut bindings::module {
    (&raw const __this_module).cast_mut().cast()
}

/// Keeps this module loaded for as long as it lives.
///
/// # Invariants
///
/// There is a reference of the module.
pub struct Kept(());

impl Kept {
    /// Returns it, unless the module is about to be unloaded.
    ///
    /// Context: any.
    pub fn new() -> Option<Self> {
        // SAFETY: It is this module.
        unsafe { bindings::try_module_get(this()) }
            // INVARIANT: That got one.
            .then(|| Self(()))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. Who drops this is waited for when the module is unloaded.
        unsafe { bindings::module_put(this()) };
    }
}
