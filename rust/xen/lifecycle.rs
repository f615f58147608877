// SPDX-License-Identifier: GPL-2.0

//! Suspend and resume of the whole domain: `xl save`, `xl restore` and migration.
//!
//! Xen has a notifier of its own for resume, but one that a module can register with and never
//! leave. The kernel's `syscore` list is walked at the same place (`xen_suspend()` in
//! `drivers/xen/manage.c`) and can be left.
//!
//! C header: [`include/linux/syscore_ops.h`](srctree/include/linux/syscore_ops.h).

use crate::bindings;
use kernel::{
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Told about suspend and resume.
///
/// Both run on one CPU with interrupts off while all others stand still: they may not sleep.
pub trait Lifecycle: Send + Sync {
    /// The domain is about to be suspended.
    fn suspending(&self) {}

    /// The domain runs again: in a new domain with another ID, or in the old one if the suspend
    /// was called off.
    fn resumed(&self);
}

/// A registration for suspend and resume. Dropping it ends it.
///
/// # Invariants
///
/// `syscore` is registered from the end of its initialisation until `drop`, and its data points to
/// `listener`'s object.
#[pin_data(PinnedDrop)]
pub struct Registration<T: Lifecycle + 'static> {
    #[pin]
    syscore: Opaque<bindings::syscore>,
    listener: Arc<T>,
}

// SAFETY: `T` is `Send` and `Sync`, and a registration may be ended from any thread.
unsafe impl<T: Lifecycle> Send for Registration<T> {}
// SAFETY: As above; a shared registration does nothing.
unsafe impl<T: Lifecycle> Sync for Registration<T> {}

impl<T: Lifecycle> Registration<T> {
    const OPS: bindings::syscore_ops = bindings::syscore_ops {
        suspend: Some(Self::suspend),
        resume: Some(Self::resume),
        shutdown: None,
    };

    /// Registers `listener`.
    ///
    /// Context: may sleep.
    pub fn new(listener: Arc<T>) -> impl PinInit<Self, Error> {
        let data = Arc::as_ptr(&listener).cast_mut().cast::<c_void>();

        try_pin_init!(Self {
            listener,
            syscore <- Opaque::ffi_init(move |slot: *mut bindings::syscore| {
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(bindings::syscore {
                        ops: &Self::OPS,
                        data,
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: `slot` is initialised and stays there until `drop` takes it off the
                // list.
                // INVARIANT: It is registered from here on, and `data` is what `listener` holds.
                unsafe { bindings::register_syscore(slot) };
            }),
        })
    }

    /// # Safety
    ///
    /// Only the syscore list may call this, with the data of a registration on it.
    unsafe extern "C" fn suspend(data: *mut c_void) -> c_int {
        // SAFETY: By the type invariants `data` is the object that the registration holds.
        unsafe { &*data.cast::<T>() }.suspending();
        0
    }

    /// # Safety
    ///
    /// As for [`Registration::suspend`].
    unsafe extern "C" fn resume(data: *mut c_void) {
        // SAFETY: By the type invariants `data` is the object that the registration holds.
        unsafe { &*data.cast::<T>() }.resumed();
    }
}

#[pinned_drop]
impl<T: Lifecycle> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants `syscore` is registered. The list's mutex is held while
        // it is walked, so no callback runs afterwards.
        unsafe { bindings::unregister_syscore(self.syscore.get()) };
    }
}
