// SPDX-License-Identifier: GPL-2.0

//! A worker: one task that runs in process context when it is kicked or when its time has come.
//!
//! The kernel crate's `workqueue` can neither cancel work nor create queues, which a module that
//! can be unloaded needs.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h).

use crate::bindings as xen_bindings;
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    container_of,
    ffi,
    prelude::*,
    sync::LockClassKey,
    time::{
        msecs_to_jiffies,
        Msecs, //
    },
    types::Opaque, //
};

/// What a [`Worker`] does.
pub trait Task: Send + Sync {
    /// Does one step and returns when to do the next one: after so many milliseconds, or, with
    /// [`None`], when the worker is kicked.
    ///
    /// Never runs twice at a time. Context: process context, may sleep; not while the system is
    /// frozen for suspend or migration, unless the worker is a steady one.
    fn step(&self) -> Option<Msecs>;
}

/// Runs a [`Task`] on a queue of its own, which the kernel freezes before it suspends, unless it is
/// a steady one.
///
/// Dropping the worker waits for a running step and cancels the next one.
///
/// # Invariants
///
/// - `queue` is a valid workqueue until `drop` destroys it.
/// - `work` is an initialised delayed work item whose function is [`Worker::run`]; it is queued
///   on `queue` only.
#[pin_data(PinnedDrop)]
pub struct Worker<T: Task> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    queue: NonNull<bindings::workqueue_struct>,
    #[pin]
    task: T,
}

// SAFETY: `T` is `Send`, and a work item may be cancelled from any thread.
unsafe impl<T: Task> Send for Worker<T> {}
// SAFETY: `T` is `Sync`, and a work item may be queued from any thread.
unsafe impl<T: Task> Sync for Worker<T> {}

impl<T: Task> Worker<T> {
    /// Creates a worker for `task` that rests until it is kicked. `key` is for lockdep: one worker may
    /// wait for another only if they have different ones.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what `task` itself fails with.
    pub fn new<E>(
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
        task: impl PinInit<T, E>,
    ) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        Self::on_queue((name, true), key, task)
    }

    /// As [`Worker::new`], but the worker runs also while the system is frozen: for what waits for
    /// those who suspend it.
    ///
    /// # Errors
    ///
    /// As for [`Worker::new`].
    pub fn steady<E>(
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
        task: impl PinInit<T, E>,
    ) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        Self::on_queue((name, false), key, task)
    }

    fn on_queue<E>(
        (name, freezable): (&'static CStr, bool),
        key: Pin<&'static LockClassKey>,
        task: impl PinInit<T, E>,
    ) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        try_pin_init!(Self {
            task <- task,
            work <- Opaque::ffi_init(move |slot| {
                // SAFETY: `slot` is valid for writing a delayed work item, which stays there
                // until `drop` has cancelled it; `key` is there for good.
                unsafe {
                    xen_bindings::xenoxide_init_classed_work(slot, Some(Self::run), key.as_ptr())
                }
            }),
            queue: {
                // SAFETY: `name` is a C string; the queue copies it.
                let queue = unsafe {
                    xen_bindings::xenoxide_alloc_workqueue(name.as_char_ptr(), freezable)
                };
                NonNull::new(queue).ok_or(ENOMEM)?
            },
        })
    }

    /// Makes the next step due at once.
    ///
    /// Context: any, also with interrupts off.
    pub fn kick(&self) {
        // SAFETY: By the type invariants both are valid.
        unsafe {
            bindings::mod_delayed_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as ffi::c_int,
                self.queue.as_ptr(),
                self.work.get(),
                0,
            )
        };
    }

    /// Waits until no step is running and none is due.
    ///
    /// Context: may sleep; not from within a step.
    pub fn flush(&self) {
        // SAFETY: By the type invariants `work` is an initialised work item.
        unsafe { bindings::flush_delayed_work(self.work.get()) };
    }

    /// # Safety
    ///
    /// Only the workqueue may call this, with the work item of a `Worker<T>`.
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        let work: *mut bindings::delayed_work =
            // SAFETY: The work item is the one within a delayed work item.
            unsafe { container_of!(work, bindings::delayed_work, work) };
        let work: *mut Opaque<bindings::delayed_work> = work.cast();
        // SAFETY: The delayed work item is `work` of a pinned `Worker<T>`, and `drop` waits for
        // this function before the worker goes.
        let this = unsafe { &*container_of!(work, Self, work) };

        if let Some(delay) = this.task.step() {
            // A kick since the step began has queued the work already; then this does nothing.
            // SAFETY: By the type invariants both are valid.
            unsafe {
                bindings::queue_delayed_work_on(
                    bindings::wq_misc_consts_WORK_CPU_UNBOUND as ffi::c_int,
                    this.queue.as_ptr(),
                    this.work.get(),
                    msecs_to_jiffies(delay),
                )
            };
        }
    }
}

impl<T: Task> Deref for Worker<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.task
    }
}

#[pinned_drop]
impl<T: Task> PinnedDrop for Worker<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants `work` is an initialised work item. No one kicks the
        // worker any more: we have the only reference.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
        // SAFETY: By the type invariants the queue is valid; it is empty now.
        unsafe { bindings::destroy_workqueue(self.queue.as_ptr()) };
    }
}
