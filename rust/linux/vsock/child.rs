// SPDX-License-Identifier: GPL-2.0

//! New connections to sockets that listen.

use super::{
    registration,
    sock::base,
    table,
    Address,
    Kind,
    Locked,
    Sock,
    SocketError,
    State,
    Transport, //
};
use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::ArcBorrow, //
};

/// A socket for a connection that has come to a listener, but that no program can accept yet.
/// Dropping it gives the connection up: [`Transport::destruct`] is called.
///
/// # Invariants
///
/// - The socket is locked by this thread, has the transport `T`, and a reference of it is ours.
/// - `listener` is locked by this thread as well.
pub struct Child<'a, T: Transport> {
    listener: &'a Locked,
    raw: NonNull<xen_bindings::vsock_sock>,
    transport: PhantomData<T>,
}

impl<'a, T: Transport> Child<'a, T> {
    /// Makes a socket of the same kind as `listener`, for a connection from `remote` that came to
    /// `local`, and has [`Transport::init`] called for it.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the socket does not listen, `ENOBUFS` if too many connections wait to be
    /// accepted, `ENODEV` if these addresses belong to another transport, `ENOMEM`; what
    /// [`Transport::init`] says.
    pub fn new(listener: &'a Locked, local: Address, remote: Address) -> Result<Self> {
        if listener.state() != State::Listening || listener.kind() == Kind::Datagram {
            return Err(SocketError::NotConnected.into());
        }
        // SAFETY: The listener is locked, here and below.
        if unsafe { xen_bindings::xenoxide_sock_acceptq_is_full(listener.base()) } {
            return Err(SocketError::NoBuffers.into());
        }
        // SAFETY: As above.
        let raw = unsafe { xen_bindings::vsock_create_connected(listener.base()) };
        let raw = NonNull::new(raw).ok_or(ENOMEM)?.cast();
        // SAFETY: The socket is new. As a child it comes after its listener in the order of locks.
        unsafe {
            xen_bindings::lock_sock_nested(
                base(raw.as_ptr()),
                xen_bindings::XENOXIDE_SINGLE_DEPTH_NESTING,
            )
        };
        let unassigned = Unassigned(raw);
        unassigned.assign(listener, local, remote)?;
        let _ = ManuallyDrop::new(unassigned);
        // INVARIANT: It is locked, and its transport is ours, which is a `T`: the registration of
        // another one would have failed.
        Ok(Self {
            listener,
            raw,
            transport: PhantomData,
        })
    }

    /// Returns the socket.
    pub fn locked(&self) -> &Locked {
        // SAFETY: By the type invariants.
        unsafe { Locked::from_raw(self.raw.as_ptr()) }
    }

    /// Returns the transport's part of the socket.
    pub fn socket(&self) -> ArcBorrow<'_, T::Socket> {
        // SAFETY: By the type invariants.
        unsafe { table::socket::<T>(self.raw.as_ptr()) }
    }

    /// Takes a reference that lives on.
    pub fn hold(&self) -> Sock {
        self.locked().hold()
    }

    /// Lets programs accept the connection, which is established now.
    ///
    /// Context: process context.
    pub fn enqueue(self) {
        let this = ManuallyDrop::new(self);

        this.locked().set_state(State::Established);
        // SAFETY: By the type invariants both are locked. Our reference becomes that of the program
        // that accepts it; if none does, the core drops it.
        unsafe {
            let child = base(this.raw.as_ptr());
            xen_bindings::vsock_insert_connected(this.raw.as_ptr());
            xen_bindings::vsock_enqueue_accept(this.listener.base(), child);
            xen_bindings::release_sock(child);
            xen_bindings::xenoxide_sock_data_ready(this.listener.base());
        }
    }
}

impl<T: Transport> Drop for Child<'_, T> {
    fn drop(&mut self) {
        // By the type invariants it is as one that has no transport, but for that.
        drop(Unassigned(self.raw));
    }
}

/// A new socket that may have a transport.
///
/// # Invariants
///
/// The socket is locked by this thread, and a reference of it is ours.
struct Unassigned(NonNull<xen_bindings::vsock_sock>);

impl Unassigned {
    /// Sets the addresses and finds the transport for them, which must be ours.
    fn assign(&self, listener: &Locked, local: Address, remote: Address) -> Result {
        let raw = self.0.as_ptr();
        // SAFETY: By the type invariants.
        unsafe {
            let to = xen_bindings::xenoxide_vsock_local(raw);
            xen_bindings::vsock_addr_init(to, local.cid, local.port);
            let to = xen_bindings::xenoxide_vsock_remote(raw);
            xen_bindings::vsock_addr_init(to, remote.cid, remote.port);
        }
        // SAFETY: By the type invariants, and the listener is locked.
        to_result(unsafe { xen_bindings::vsock_assign_transport(raw, listener.raw()) })?;
        // SAFETY: By the type invariants.
        if !registration::is_ours(unsafe { xen_bindings::xenoxide_vsock_transport(raw) }) {
            return Err(ENODEV);
        }
        // SAFETY: By the type invariants.
        unsafe { Locked::from_raw(raw) }.set_state(State::Connecting);
        Ok(())
    }
}

impl Drop for Unassigned {
    fn drop(&mut self) {
        let sk: *mut bindings::sock = base(self.0.as_ptr());

        // SAFETY: By the type invariants.
        unsafe {
            xen_bindings::release_sock(sk);
            xen_bindings::xenoxide_sock_put(sk);
        }
    }
}
