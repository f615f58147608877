// SPDX-License-Identifier: GPL-2.0

//! The module's transport, as the core knows it.

use super::{
    table,
    Transport, //
};
use crate::bindings as xen_bindings;
use core::{
    any::TypeId,
    cell::UnsafeCell,
    marker::PhantomData, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};

/// The one transport of this module: the core's calls do not all say whom they are for.
///
/// # Invariants
///
/// - `users` counts the registration and each socket that has this transport, or is [`LEAVING`]. Who
///   takes it from 0 to 1, or from 1 to that, may change the rest alone while it is so.
/// - While there are users, `transport` is an [`Arc`] turned raw, of the type that `kind` names.
///   It may be so without any users, or be 0.
/// - `table` has the functions for that type since `kind` was first set, and never changes again.
struct Slot {
    table: Opaque<xen_bindings::vsock_transport>,
    transport: Atomic<usize>,
    users: Atomic<usize>,
    kind: UnsafeCell<Option<TypeId>>,
}

// SAFETY: By the type invariants all that is not atomic is changed by one thread alone.
unsafe impl Sync for Slot {}

static SLOT: Slot = Slot {
    table: Opaque::zeroed(),
    transport: Atomic::new(0),
    users: Atomic::new(0),
    kind: UnsafeCell::new(None),
};

/// The last user is about to go: there can be no other.
const LEAVING: usize = usize::MAX;

/// Returns whether `table` is that of this module.
pub(super) fn is_ours(table: *const xen_bindings::vsock_transport) -> bool {
    table == SLOT.table.get().cast_const()
}

/// Adds a user, if there is one already, and returns whether that was so.
pub(super) fn get() -> bool {
    let mut users = SLOT.users.load(Relaxed);

    while users > 0 && users != LEAVING {
        match SLOT.users.cmpxchg(users, users + 1, Full) {
            Ok(_) => return true,
            Err(now) => users = now,
        }
    }
    false
}

/// Takes a user away.
///
/// The transport stays: this may be a softirq, or a thread that the transport would wait for.
///
/// # Safety
///
/// The user must be the caller's.
pub(super) unsafe fn put() {
    // INVARIANT: By the requirements there is one user less.
    SLOT.users.fetch_sub(1, Full);
}

/// Returns the transport.
///
/// # Safety
///
/// There must be a user for `'a`, and the transport be a `T`.
pub(super) unsafe fn transport<'a, T: Transport>() -> &'a T {
    // SAFETY: By the requirements and the type invariants of `Slot`.
    unsafe { &*(SLOT.transport.load(Relaxed) as *const T) }
}

/// The registration of a module's transport. Dropping it ends it.
///
/// Sockets that have the transport keep the module from being unloaded. If there are any when the
/// registration is dropped, the transport stays until there is a new one.
///
/// # Invariants
///
/// The table of [`SLOT`] is registered for transports of the type `T`, with `features`.
pub struct Registration<T: Transport> {
    features: u32,
    transport: PhantomData<Arc<T>>,
}

impl<T: Transport> Registration<T> {
    /// Registers `transport` for both directions, host to guest and guest to host; if another
    /// transport serves guests of this machine already, for guest to host alone. Likewise for
    /// datagrams, if it carries them.
    ///
    /// To be done last by a module that starts: programs may make sockets from here on, which keep
    /// the module from being unloaded, but not from failing to start.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is another transport from guest to host, or another one of this module;
    /// `EINTR`.
    pub fn new(module: &'static ThisModule, transport: Arc<T>) -> Result<Self> {
        SLOT.users.cmpxchg(0, 1, Full).map_err(|_| EBUSY)?;
        // SAFETY: By the type invariants of `Slot` it is ours to change: we are the first user.
        if !unsafe { fill::<T>(module) } {
            // INVARIANT: There is no user, as before.
            let _ = SLOT.users.xchg(0, Full);
            return Err(EBUSY);
        }
        let transport = Arc::into_raw(transport).cast::<c_void>() as usize;
        let earlier = SLOT.transport.xchg(transport, Full);
        if earlier != 0 {
            // SAFETY: By the type invariants of `Slot`: `fill` has said that it is a `T`, and there
            // was no user of it.
            drop(unsafe { Arc::from_raw(earlier as *const T) });
        }

        let mut result = Err(EBUSY);
        for features in choices::<T>() {
            // SAFETY: The table is filled, and stays there as long as the module.
            result = to_result(unsafe {
                xen_bindings::vsock_core_register(SLOT.table.get(), features as c_int)
            })
            // INVARIANT: It is registered.
            .map(|()| Self {
                features,
                transport: PhantomData,
            });
            if result.as_ref().err() != Some(&EBUSY) {
                break;
            }
        }
        if result.is_err() {
            // SAFETY: The user is that from above.
            unsafe { leave::<T>() };
        }
        result
    }

    /// Returns whether sockets to machines that are not the host reach this transport without
    /// the network namespace's leave (`g2h_fallback`).
    pub fn is_host_side(&self) -> bool {
        self.features & xen_bindings::VSOCK_TRANSPORT_F_H2G != 0
    }

    /// Returns whether datagram sockets reach this transport.
    pub fn has_datagrams(&self) -> bool {
        self.features & xen_bindings::VSOCK_TRANSPORT_F_DGRAM != 0
    }
}

impl<T: Transport> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered.
        unsafe { xen_bindings::vsock_core_unregister(SLOT.table.get()) };
        // SAFETY: The user is that from `new`.
        unsafe { leave::<T>() };
    }
}

/// Takes the registration away as a user, and drops the transport if it was the last one.
///
/// # Safety
///
/// The user must be the caller's, and the transport a `T`.
unsafe fn leave<T: Transport>() {
    if SLOT.users.cmpxchg(1, LEAVING, Full).is_err() {
        // SAFETY: By the requirements.
        unsafe { put() };
        return;
    }
    // INVARIANT: There is no transport for users that come now.
    let transport = SLOT.transport.xchg(0, Full);
    // SAFETY: By the type invariants of `Slot` and the requirements it is a `T`. There was no
    // other user, and nobody becomes one.
    drop(unsafe { Arc::from_raw(transport as *const T) });
    // INVARIANT: There is no user.
    let _ = SLOT.users.xchg(0, Full);
}

/// Returns what to register for, what is best first.
fn choices<T: Transport>() -> impl Iterator<Item = u32> {
    const G2H: u32 = xen_bindings::VSOCK_TRANSPORT_F_G2H;
    const BOTH: u32 = G2H | xen_bindings::VSOCK_TRANSPORT_F_H2G;
    const DATAGRAMS: u32 = xen_bindings::VSOCK_TRANSPORT_F_DGRAM;

    [BOTH | DATAGRAMS, G2H | DATAGRAMS, BOTH, G2H]
        .into_iter()
        .filter(|features| T::DATAGRAMS || features & DATAGRAMS == 0)
}

/// Fills the table, if that was not done yet, and returns whether it is for transports `T`.
///
/// # Safety
///
/// The slot must be the caller's to change.
unsafe fn fill<T: Transport>(module: &'static ThisModule) -> bool {
    let kind = SLOT.kind.get();

    // SAFETY: By the requirements.
    unsafe {
        if (*kind).is_none() {
            SLOT.table.get().write(table::new::<T>(module));
            *kind = Some(TypeId::of::<T>());
        }
        *kind == Some(TypeId::of::<T>())
    }
}
