// SPDX-License-Identifier: GPL-2.0

//! A spinlock that keeps interrupts off while it is held, so that every context may take it.
//!
//! The kernel crate's `SpinLock` leaves interrupts on: what an interrupt takes as well needs this.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h).

use crate::bindings as xen_bindings;
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_ulong, //
    },
    sync::lock::{
        Backend,
        Guard,
        Lock, //
    },
};

/// Creates an [`IrqLock`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_irq_lock {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::linux::irqlock::IrqLock::new(
            $inner, ::kernel::optional_name!($($name)?), ::kernel::static_lock_class!())
    };
}

/// A spinlock that keeps interrupts off on this CPU while it is held.
///
/// Guards end in the reverse order of their beginning: each gives back the interrupt flag that it
/// found.
pub type IrqLock<T> = Lock<T, IrqBackend>;

/// What [`IrqLock::lock`] returns.
pub type IrqGuard<'a, T> = Guard<'a, T, IrqBackend>;

/// The kernel's `spin_lock_irqsave()`.
pub struct IrqBackend;

// SAFETY: The kernel's `spinlock_t` ensures mutual exclusion; `relock` is the default one, which
// takes the lock as `lock` does.
unsafe impl Backend for IrqBackend {
    type State = bindings::spinlock_t;
    /// The CPU's interrupt flag as it was.
    type GuardState = c_ulong;

    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: By the requirements `ptr` is valid for writing, and `name` and `key` live for
        // ever.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: By the requirements the lock is initialised.
        unsafe { xen_bindings::xenoxide_spin_lock_irqsave(ptr) }
    }

    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        let mut flags = 0;
        // SAFETY: By the requirements the lock is initialised; `flags` is valid for writing.
        unsafe { xen_bindings::xenoxide_spin_trylock_irqsave(ptr, &mut flags) }.then_some(flags)
    }

    unsafe fn unlock(ptr: *mut Self::State, guard_state: &Self::GuardState) {
        // SAFETY: By the requirements the caller holds the lock, and the flags are those that were
        // saved when it took it.
        unsafe { xen_bindings::xenoxide_spin_unlock_irqrestore(ptr, *guard_state) }
    }

    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: By the requirements the lock is initialised.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }
}
