// SPDX-License-Identifier: GPL-2.0

//! A shrinker: asked for memory when it gets scarce.
//!
//! C header: [`include/linux/shrinker.h`](srctree/include/linux/shrinker.h).

use core::ptr::NonNull;
use kernel::{
    bindings::{
        self,
        shrink_control, //
    },
    ffi::{
        c_long,
        c_ulong, //
    },
    prelude::*,
    sync::Arc, //
};

/// "Nothing more can be done now", from a scan (`SHRINK_STOP`).
const STOP: c_ulong = !0;
/// "There is nothing", from a count (`SHRINK_EMPTY`).
const EMPTY: c_ulong = !0 - 1;

/// Pages that one call is asked for at the least.
const BATCH: c_long = 512;

/// Has pages that can be freed.
pub trait Shrink: Send + Sync {
    /// Returns how many pages could be freed.
    ///
    /// Context: any in which memory is reclaimed: no sleeping, no locks.
    fn count(&self) -> usize;

    /// Frees up to `pages` pages and returns how many; [`None`] if none can be freed now.
    ///
    /// Context: process context in which memory is reclaimed: must neither allocate nor wait for a
    /// lock that somebody holds who does.
    fn scan(&self, pages: usize) -> Option<usize>;
}

/// A registered shrinker. Dropping it ends it.
///
/// # Invariants
///
/// `raw` is a registered shrinker whose private data points to `source`'s object.
pub struct Registration<T: Shrink + 'static> {
    raw: NonNull<bindings::shrinker>,
    _source: Arc<T>,
}

// SAFETY: `T` is `Send` and `Sync`, and a shrinker may be ended from any thread.
unsafe impl<T: Shrink> Send for Registration<T> {}
// SAFETY: As above; a shared registration does nothing.
unsafe impl<T: Shrink> Sync for Registration<T> {}

impl<T: Shrink> Registration<T> {
    /// Registers a shrinker that asks `source`.
    ///
    /// Context: may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(name: &'static CStr, source: Arc<T>) -> Result<Self> {
        // SAFETY: Both are C strings, and the format takes one.
        let raw = unsafe { bindings::shrinker_alloc(0, c"%s".as_char_ptr(), name.as_char_ptr()) };
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;
        let shrinker = raw.as_ptr();

        // SAFETY: The shrinker was just allocated and is not registered yet: it is ours alone.
        unsafe {
            (*shrinker).count_objects = Some(Self::count);
            (*shrinker).scan_objects = Some(Self::scan);
            (*shrinker).batch = BATCH;
            (*shrinker).seeks = bindings::DEFAULT_SEEKS as i32;
            (*shrinker).private_data = Arc::as_ptr(&source).cast_mut().cast();
        }
        // SAFETY: It is complete. `source` lives until it is freed again.
        unsafe { bindings::shrinker_register(shrinker) };
        // INVARIANT: It is registered and has `source`.
        Ok(Self {
            raw,
            _source: source,
        })
    }

    /// # Safety
    ///
    /// `shrinker` must be one of this type, registered.
    unsafe fn source<'a>(shrinker: *mut bindings::shrinker) -> &'a T {
        // SAFETY: By the type invariants; freeing the shrinker waits for its users.
        unsafe { &*(*shrinker).private_data.cast::<T>() }
    }

    /// # Safety
    ///
    /// Only the reclaim code may call this, for a shrinker of this type.
    unsafe extern "C" fn count(
        shrinker: *mut bindings::shrinker,
        _control: *mut shrink_control,
    ) -> c_ulong {
        // SAFETY: By the requirements.
        match unsafe { Self::source(shrinker) }.count() {
            0 => EMPTY,
            pages => pages,
        }
    }

    /// # Safety
    ///
    /// Only the reclaim code may call this, for a shrinker of this type.
    unsafe extern "C" fn scan(
        shrinker: *mut bindings::shrinker,
        control: *mut shrink_control,
    ) -> c_ulong {
        // SAFETY: By the requirements `control` is valid.
        let pages = unsafe { (*control).nr_to_scan };
        // SAFETY: By the requirements.
        let freed = unsafe { Self::source(shrinker) }.scan(pages);

        freed.unwrap_or(STOP)
    }
}

impl<T: Shrink> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered. This waits for running calls.
        unsafe { bindings::shrinker_free(self.raw.as_ptr()) };
    }
}
