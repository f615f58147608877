// SPDX-License-Identifier: GPL-2.0

//! Memory without input and output.
//!
//! Who must get on so that a disk can be read may not wait for memory that is only free when that
//! disk has been read: all of its allocations are as with `GFP_NOIO`, whatever flags they have.
//!
//! C header: [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h).

use crate::bindings as xen_bindings;
use kernel::{
    ffi::c_uint,
    types::NotThreadSafe, //
};

/// As long as it is there, the kernel neither reads nor writes to find memory for this thread.
///
/// One that is made within another is dropped before it.
#[must_use = "it ends when it is dropped"]
pub struct NoIo {
    before: c_uint,
    _thread: NotThreadSafe,
}

impl NoIo {
    /// Begins it.
    ///
    /// Context: process context.
    pub fn begin() -> Self {
        Self {
            // SAFETY: It changes a flag of the running thread.
            before: unsafe { xen_bindings::xenoxide_noio_save() },
            _thread: NotThreadSafe,
        }
    }
}

impl Drop for NoIo {
    fn drop(&mut self) {
        // SAFETY: It is what was returned when it began, in the same thread, for the type cannot be
        // sent to another.
        unsafe { xen_bindings::xenoxide_noio_restore(self.before) };
    }
}
