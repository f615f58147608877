// SPDX-License-Identifier: GPL-2.0

//! Sleep of the guest's own making: hibernation, suspend to idle. `xl save` and migration are none:
//! see [`lifecycle`](crate::xen::lifecycle).
//!
//! C headers: [`include/linux/suspend.h`](srctree/include/linux/suspend.h),
//! [`include/linux/notifier.h`](srctree/include/linux/notifier.h).

use crate::bindings;
use kernel::{
    bindings::{
        notifier_block,
        NOTIFY_DONE, //
    },
    container_of,
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Told when the guest goes to sleep and when it is awake again.
///
/// Context of both: process context, may sleep.
pub trait Sleeper: Send + Sync {
    /// Tasks are about to be frozen.
    fn falls_asleep(&self);

    /// Tasks run again, be it that nothing came of the sleep.
    fn is_awake(&self);
}

/// A registration for sleep. Dropping it ends it.
///
/// # Invariants
///
/// `block` is registered from the end of its initialisation until `drop`.
#[pin_data(PinnedDrop)]
pub struct Registration<T: Sleeper + 'static> {
    #[pin]
    block: Opaque<notifier_block>,
    listener: Arc<T>,
}

// SAFETY: `T` is `Send` and `Sync`, and a registration may be ended from any thread.
unsafe impl<T: Sleeper> Send for Registration<T> {}
// SAFETY: As above; a shared registration does nothing.
unsafe impl<T: Sleeper> Sync for Registration<T> {}

impl<T: Sleeper> Registration<T> {
    /// Registers `listener`.
    ///
    /// Context: may sleep.
    pub fn new(listener: Arc<T>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            listener,
            block <- Opaque::try_ffi_init(|slot: *mut notifier_block| {
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(notifier_block {
                        notifier_call: Some(Self::call),
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: `slot` is initialised and stays there until `drop`. A call before this
                // returns finds `listener`, which is initialised already.
                // INVARIANT: On success it is registered.
                to_result(unsafe { bindings::xenoxide_register_pm_notifier(slot) })
            }),
        })
    }

    /// # Safety
    ///
    /// Only the notifier chain may call this, with a block of this type that is registered.
    unsafe extern "C" fn call(
        block: *mut notifier_block,
        event: c_ulong,
        _data: *mut c_void,
    ) -> c_int {
        let block: *mut Opaque<notifier_block> = block.cast();
        // SAFETY: The block is `block` of a pinned `Self`, and `drop` waits for this function. Only
        // `listener` is used, which is initialised before the block is registered.
        let listener = unsafe { &(*container_of!(block, Self, block)).listener };
        match event as u32 {
            bindings::PM_HIBERNATION_PREPARE
            | bindings::PM_SUSPEND_PREPARE
            | bindings::PM_RESTORE_PREPARE => listener.falls_asleep(),
            bindings::PM_POST_HIBERNATION
            | bindings::PM_POST_SUSPEND
            | bindings::PM_POST_RESTORE => listener.is_awake(),
            _ => {}
        }
        NOTIFY_DONE as c_int
    }
}

#[pinned_drop]
impl<T: Sleeper> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the block is registered. This waits for running calls.
        unsafe { bindings::xenoxide_unregister_pm_notifier(self.block.get()) };
    }
}
