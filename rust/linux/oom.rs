// SPDX-License-Identifier: GPL-2.0

//! Being asked for memory before the OOM killer chooses somebody.
//!
//! C headers: [`include/linux/oom.h`](srctree/include/linux/oom.h),
//! [`include/linux/notifier.h`](srctree/include/linux/notifier.h).

use crate::bindings;
use kernel::{
    bindings::{
        notifier_block,
        NOTIFY_OK, //
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

/// Can free memory when there is none left.
pub trait OutOfMemory: Send + Sync {
    /// Frees pages and returns how many. With any, nobody is killed yet: the allocation is tried
    /// again.
    ///
    /// Context: process context, of whoever allocates; may sleep, must not allocate in a way that
    /// waits for memory, nor wait for a lock that somebody holds who does.
    fn out_of_memory(&self) -> usize;
}

/// A registration with the OOM killer. Dropping it ends it.
///
/// # Invariants
///
/// `block` is registered from the end of its initialisation until `drop`.
#[pin_data(PinnedDrop)]
pub struct Registration<T: OutOfMemory + 'static> {
    #[pin]
    block: Opaque<notifier_block>,
    listener: Arc<T>,
}

// SAFETY: `T` is `Send` and `Sync`, and a registration may be ended from any thread.
unsafe impl<T: OutOfMemory> Send for Registration<T> {}
// SAFETY: As above; a shared registration does nothing.
unsafe impl<T: OutOfMemory> Sync for Registration<T> {}

impl<T: OutOfMemory> Registration<T> {
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
                to_result(unsafe { bindings::register_oom_notifier(slot) })
            }),
        })
    }

    /// # Safety
    ///
    /// Only the notifier chain may call this, with a block of this type that is registered and
    /// `freed` pointing to the OOM killer's count.
    unsafe extern "C" fn call(
        block: *mut notifier_block,
        _action: c_ulong,
        freed: *mut c_void,
    ) -> c_int {
        let block: *mut Opaque<notifier_block> = block.cast();
        // SAFETY: The block is `block` of a pinned `Self`, and `drop` waits for this function. Only
        // `listener` is used, which is initialised before the block is registered.
        let listener = unsafe { &(*container_of!(block, Self, block)).listener };
        // SAFETY: By the requirements; the chain calls one after the other.
        unsafe { *freed.cast::<c_ulong>() += listener.out_of_memory() };
        NOTIFY_OK as c_int
    }
}

#[pinned_drop]
impl<T: OutOfMemory> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the block is registered. This waits for running calls.
        unsafe { bindings::unregister_oom_notifier(self.block.get()) };
    }
}
