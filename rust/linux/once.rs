// SPDX-License-Identifier: GPL-2.0

//! What is allocated when it is first needed, and found by an instruction.
//!
//! [`SetOnce`](kernel::sync::SetOnce) holds its value itself, and calls a function to look whether it
//! is there; there are several of these for each page that is read or mapped.

use core::{
    marker::PhantomData,
    ptr::null_mut,
    sync::atomic::{
        AtomicPtr,
        Ordering::{
            AcqRel,
            Acquire, //
        }, //
    }, //
};
use kernel::prelude::*;

/// A value in memory of its own, or none yet.
///
/// # Invariants
///
/// The pointer is null, or from a [`KBox`] and stays as it is.
pub struct Once<T>(AtomicPtr<T>, PhantomData<*mut T>);

// SAFETY: It is sent with its value.
unsafe impl<T: Send> Send for Once<T> {}
// SAFETY: Who shares it can have references to the value, and put one there that another drops.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// There is none yet.
    pub const fn empty() -> Self {
        // INVARIANT: It is null.
        Self(AtomicPtr::new(null_mut()), PhantomData)
    }

    /// Returns the value, if it is there.
    ///
    /// Context: any.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: By the type invariants it lives as long as `self`.
        unsafe { self.0.load(Acquire).as_ref() }
    }

    /// Puts a value there, if there is none; else it is dropped.
    ///
    /// Context: that of dropping a `T`.
    pub fn set(&self, value: KBox<T>) {
        let raw = KBox::into_raw(value);
        // INVARIANT: It is from a box, and there was none.
        let put = self.0.compare_exchange(null_mut(), raw, AcqRel, Acquire);
        if put.is_err() {
            // SAFETY: It is from a box, and nobody else has seen it.
            drop(unsafe { KBox::from_raw(raw) });
        }
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        let raw = *self.0.get_mut();
        if !raw.is_null() {
            // SAFETY: By the type invariants; nobody else has `self`.
            drop(unsafe { KBox::from_raw(raw) });
        }
    }
}
