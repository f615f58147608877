// SPDX-License-Identifier: GPL-2.0

//! Suspend and resume of the whole domain: `xl save`, `xl restore` and migration.
//!
//! Xen has a notifier of its own for resume, but one that a module can register with and never
//! leave. The kernel's `syscore` list is walked at the same place (`xen_suspend()` in
//! `drivers/xen/manage.c`) and can be left: that is [`Registration`].
//!
//! What must sleep to get ready hangs on the power management of devices, which comes earlier
//! (`do_suspend()`, same file): that is [`Pause`].
//!
//! C headers: [`include/linux/syscore_ops.h`](srctree/include/linux/syscore_ops.h),
//! [`include/linux/pm.h`](srctree/include/linux/pm.h).

use crate::bindings as xen_bindings;
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::to_result,
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
    syscore: Opaque<xen_bindings::syscore>,
    listener: Arc<T>,
}

// SAFETY: `T` is `Send` and `Sync`, and a registration may be ended from any thread.
unsafe impl<T: Lifecycle> Send for Registration<T> {}
// SAFETY: As above; a shared registration does nothing.
unsafe impl<T: Lifecycle> Sync for Registration<T> {}

impl<T: Lifecycle> Registration<T> {
    const OPS: xen_bindings::syscore_ops = xen_bindings::syscore_ops {
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
            syscore <- Opaque::ffi_init(move |slot: *mut xen_bindings::syscore| {
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(xen_bindings::syscore {
                        ops: &Self::OPS,
                        data,
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: `slot` is initialised and stays there until `drop` takes it off the
                // list.
                // INVARIANT: It is registered from here on, and `data` is what `listener` holds.
                unsafe { xen_bindings::register_syscore(slot) };
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
        unsafe { xen_bindings::unregister_syscore(self.syscore.get()) };
    }
}

/// Told, while it may sleep, that the domain is about to be suspended and that it runs again.
///
/// Programs and freezable workqueues stand still from before [`Pausing::pause`] until after
/// [`Pausing::proceed`]. Xenstore can be used in both; no watch fires between them, for the thread
/// that calls the watchers is the one that suspends the domain. Either may be called from hibernation
/// of the guest as well.
pub trait Pausing: Send + Sync {
    /// The domain is about to be suspended.
    ///
    /// Context: process context, may sleep; not for long, for the toolstack waits.
    ///
    /// # Errors
    ///
    /// Any: then it is not suspended, and [`Pausing::proceed`] does not come.
    fn pause(&self) -> Result;

    /// The domain runs again: in a new domain with another ID, or in the old one if the suspend
    /// was called off. It comes after each [`Pausing::pause`] that has not failed.
    ///
    /// Context: process context, may sleep.
    fn proceed(&self);
}

/// A registration for [`Pausing`]: a device `/sys/devices/<name>`, which is there for its power
/// management only. Dropping it ends it.
///
/// # Invariants
///
/// It is a registered device within a [`Paused<T>`] from a box, and a reference of it is ours.
pub struct Pause<T: Pausing + 'static> {
    device: NonNull<Paused<T>>,
}

// SAFETY: `T` is `Send` and `Sync`, and a device may be removed from any thread.
unsafe impl<T: Pausing> Send for Pause<T> {}
// SAFETY: As above; a shared registration does nothing.
unsafe impl<T: Pausing> Sync for Pause<T> {}

/// The device of a [`Pause`], with what lives as long.
#[repr(C)]
struct Paused<T> {
    /// It comes first: a pointer to it is one to the whole.
    device: Opaque<bindings::device>,
    listener: Arc<T>,
}

impl<T: Pausing> Paused<T> {
    const OPERATIONS: bindings::dev_pm_ops = bindings::dev_pm_ops {
        freeze: Some(Self::freeze),
        thaw: Some(Self::proceed),
        restore: Some(Self::proceed),
        ..pin_init::zeroed()
    };
    const TYPE: bindings::device_type = bindings::device_type {
        pm: &Self::OPERATIONS,
        release: Some(Self::release),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Only power management may call this, for the device within a `Self`.
    unsafe extern "C" fn freeze(device: *mut bindings::device) -> c_int {
        // SAFETY: By the requirements; power management has a reference.
        let paused = unsafe { &*device.cast::<Self>() }.listener.pause();
        paused.map_or_else(Error::to_errno, |()| 0)
    }

    /// # Safety
    ///
    /// As for [`Paused::freeze`].
    unsafe extern "C" fn proceed(device: *mut bindings::device) -> c_int {
        // SAFETY: As for `freeze`.
        unsafe { &*device.cast::<Self>() }.listener.proceed();
        0
    }

    /// # Safety
    ///
    /// Only the driver core may call this, when the last reference to the device within a `Self`
    /// is gone, which came from a box.
    unsafe extern "C" fn release(device: *mut bindings::device) {
        // SAFETY: By the requirements.
        drop(unsafe { KBox::from_raw(device.cast::<Self>()) });
    }
}

impl<T: Pausing> Pause<T> {
    /// Registers `listener`, with a device of that name.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is such a device, `ENOMEM`.
    pub fn new(name: &'static CStr, listener: Arc<T>) -> Result<Self> {
        let paused = Paused {
            device: Opaque::zeroed(),
            listener,
        };
        let this = KBox::into_raw(KBox::new(paused, GFP_KERNEL)?);
        let device = this.cast::<bindings::device>();

        // SAFETY: The device is zeroed and ours. Its type lives as long as the program.
        unsafe {
            (*device).type_ = &Paused::<T>::TYPE;
            bindings::device_initialize(device);
        }
        // SAFETY: The device is initialised, and the format is that of one string.
        let result = to_result(unsafe {
            bindings::dev_set_name(device, c"%s".as_char_ptr(), name.as_char_ptr())
        })
        // SAFETY: The device has a name and a type.
        .and_then(|()| to_result(unsafe { bindings::device_add(device) }))
        .and_then(|()| NonNull::new(this).ok_or(ENOMEM));

        match result {
            // INVARIANT: It is registered, and the reference is that from its initialisation.
            Ok(device) => Ok(Self { device }),
            Err(error) => {
                // SAFETY: As above.
                unsafe { bindings::put_device(device) };
                Err(error)
            }
        }
    }
}

impl<T: Pausing> Drop for Pause<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered, and the reference is ours. This takes it
        // off the list of power management.
        unsafe { bindings::device_unregister(self.device.as_ptr().cast()) };
    }
}
