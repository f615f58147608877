// SPDX-License-Identifier: GPL-2.0

//! Sockets, as a transport sees them.
//!
//! C headers: [`include/net/af_vsock.h`](srctree/include/net/af_vsock.h),
//! [`include/net/sock.h`](srctree/include/net/sock.h).

use super::{
    message::Datagram,
    Address,
    Kind,
    Shutdown,
    State, //
};
use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

/// Returns the socket layer's part of a socket.
pub(super) fn base(vsk: *mut xen_bindings::vsock_sock) -> *mut bindings::sock {
    // `sk` must be the first member, says the header.
    vsk.cast()
}

/// A counted reference to a socket. Taken, cloned and dropped in any context.
///
/// Whoever drops the last one destroys the socket, which drops the transport's part of it.
///
/// # Invariants
///
/// A reference of the socket is ours.
pub struct Sock(NonNull<xen_bindings::vsock_sock>);

// SAFETY: References are counted atomically, and nothing is bound to a thread.
unsafe impl Send for Sock {}
// SAFETY: What a shared one does, any thread may do at any time.
unsafe impl Sync for Sock {}

impl Sock {
    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// The caller must have one, which is ours from then on.
    pub(super) unsafe fn from_raw(raw: NonNull<xen_bindings::vsock_sock>) -> Self {
        // INVARIANT: By the requirements.
        Self(raw)
    }

    /// Returns the socket layer's part.
    fn base(&self) -> *mut bindings::sock {
        base(self.0.as_ptr())
    }

    /// Locks the socket.
    ///
    /// Context: process context, may sleep.
    pub fn lock(&self) -> Guard<'_> {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::lock_sock_nested(self.base(), 0) };
        // INVARIANT: It is locked now.
        Guard(self, NotThreadSafe)
    }

    /// Locks the socket unless somebody else has: a program may keep it locked for as long as the
    /// memory takes that it copies to or from.
    ///
    /// Context: process context.
    pub fn try_lock(&self) -> Option<Guard<'_>> {
        let sk = self.base();
        // SAFETY: By the type invariants the socket is there. Who owns it is read and written under
        // its spin lock, as `lock_sock_nested` and `release_sock` do.
        let owned = unsafe {
            xen_bindings::xenoxide_sock_spin_lock(sk);
            let owned = xen_bindings::xenoxide_sock_owned(sk);
            xen_bindings::xenoxide_sock_set_owned(sk);
            xen_bindings::xenoxide_sock_spin_unlock(sk);
            owned
        };
        if owned {
            return None;
        }
        // SAFETY: As above. Lockdep is to know what `release_sock` will tell it of.
        unsafe { xen_bindings::xenoxide_sock_acquired(sk) };
        // INVARIANT: Nobody else owned it: it is locked now.
        Some(Guard(self, NotThreadSafe))
    }

    /// Returns how the connection stands, at this moment.
    ///
    /// Context: any.
    pub fn state(&self) -> State {
        // SAFETY: By the type invariants the socket is there.
        State::from_raw(unsafe { xen_bindings::xenoxide_sock_state(self.base()) })
    }

    /// Ends an established connection with `error`: nothing can be sent or received any more.
    ///
    /// Context: any. The transport must have taken back from the socket what it sends and receives
    /// by, or the socket sees the end of what it receives too early.
    pub fn lost(&self, error: Error) {
        // First: who sees the end of what it receives sees why.
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::xenoxide_sock_set_error(self.base(), -error.to_errno()) };
        self.peer_shutdown(Shutdown::BOTH);
        self.error_report();
        self.state_change();
    }

    /// Returns of what kind the socket is. It never changes.
    pub fn kind(&self) -> Kind {
        // SAFETY: By the type invariants the socket is there.
        kind(unsafe { xen_bindings::xenoxide_sock_type(self.base()) })
    }

    /// Returns whether the two are the same socket.
    pub fn is(&self, other: &Sock) -> bool {
        self.0 == other.0
    }

    /// Wakes who waits to read.
    ///
    /// Context: any.
    pub fn data_ready(&self) {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::xenoxide_sock_data_ready(self.base()) };
    }

    /// Wakes who waits to write.
    ///
    /// Context: any.
    pub fn write_space(&self) {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::xenoxide_sock_write_space(self.base()) };
    }

    /// Wakes all who wait for a change.
    ///
    /// Context: any.
    pub fn state_change(&self) {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::xenoxide_sock_state_change(self.base()) };
    }

    /// Wakes who waits for an error.
    ///
    /// Context: any.
    pub fn error_report(&self) {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::sk_error_report(self.base()) };
    }

    /// Adds `how` to what the peer has shut down, in one step.
    ///
    /// Context: any.
    pub fn peer_shutdown(&self, how: Shutdown) {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::xenoxide_vsock_add_peer_shutdown(self.0.as_ptr(), how.0) };
    }

    /// Puts a datagram into the socket's queue, and wakes who waits for it.
    ///
    /// Context: process context or softirq; does not sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM` or `ENOBUFS` if too much waits already, `EINVAL` if it is no datagram socket; what
    /// a filter of the socket says.
    pub fn deliver(&self, datagram: Datagram, from: Address) -> Result {
        if self.kind() != Kind::Datagram {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariants the socket is there.
        unsafe { datagram.queue(self.base(), from) }
    }
}

impl Clone for Sock {
    fn clone(&self) -> Self {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::xenoxide_sock_hold(self.base()) };
        // INVARIANT: There is one more reference.
        Self(self.0)
    }
}

impl Drop for Sock {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours.
        unsafe { xen_bindings::xenoxide_sock_put(self.base()) };
    }
}

/// A locked socket. Dropping it unlocks the socket.
///
/// # Invariants
///
/// This thread has locked the socket.
pub struct Guard<'a>(&'a Sock, NotThreadSafe);

impl Deref for Guard<'_> {
    type Target = Locked;

    fn deref(&self) -> &Locked {
        // SAFETY: By the type invariants it is locked as long as the guard lives.
        unsafe { Locked::from_raw(self.0 .0.as_ptr()) }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this thread has locked it.
        unsafe { xen_bindings::release_sock(self.0.base()) };
    }
}

/// The exclusive right to the state of a socket: it is locked, or nobody else knows it.
///
/// # Invariants
///
/// While there is a reference to it, the socket is there and nobody else changes its state.
#[repr(transparent)]
pub struct Locked {
    raw: Opaque<xen_bindings::vsock_sock>,
    thread: PhantomData<NotThreadSafe>,
}

impl Locked {
    /// Returns the socket behind `raw`.
    ///
    /// # Safety
    ///
    /// The type invariants must hold for `'a`, in this thread.
    pub(super) unsafe fn from_raw<'a>(raw: *mut xen_bindings::vsock_sock) -> &'a Self {
        // SAFETY: By the requirements; the layout is the same.
        unsafe { &*raw.cast() }
    }

    /// Returns the socket.
    pub(super) fn raw(&self) -> *mut xen_bindings::vsock_sock {
        self.raw.get()
    }

    /// Returns the socket layer's part.
    pub(super) fn base(&self) -> *mut bindings::sock {
        base(self.raw())
    }

    /// Takes a reference that lives on.
    ///
    /// Context: any.
    pub fn hold(&self) -> Sock {
        // SAFETY: By the type invariants the socket is there.
        unsafe { xen_bindings::xenoxide_sock_hold(self.base()) };
        // INVARIANT: There is one more reference.
        Sock(NonNull::from(&self.raw).cast())
    }

    /// Returns of what kind the socket is.
    pub fn kind(&self) -> Kind {
        // SAFETY: By the type invariants, here and below.
        kind(unsafe { xen_bindings::xenoxide_sock_type(self.base()) })
    }

    /// Returns how the connection stands.
    pub fn state(&self) -> State {
        // SAFETY: By the type invariants.
        State::from_raw(unsafe { xen_bindings::xenoxide_sock_state(self.base()) })
    }

    /// Says how the connection stands.
    pub fn set_state(&self, state: State) {
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::xenoxide_sock_set_state(self.base(), state.to_raw()) };
    }

    /// Sets the error that the next call of the program gets. It wakes nobody.
    pub fn set_error(&self, error: Error) {
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::xenoxide_sock_set_error(self.base(), -error.to_errno()) };
    }

    /// Returns the address of this end.
    pub fn local(&self) -> Address {
        // SAFETY: By the type invariants.
        Address::from_raw(unsafe { &*xen_bindings::xenoxide_vsock_local(self.raw()) })
    }

    /// Returns the address of the other end.
    pub fn remote(&self) -> Address {
        // SAFETY: By the type invariants.
        Address::from_raw(unsafe { &*xen_bindings::xenoxide_vsock_remote(self.raw()) })
    }

    /// Sets the address of this end, of a datagram socket that is bound.
    pub fn set_local(&self, address: Address) {
        // SAFETY: By the type invariants.
        unsafe {
            xen_bindings::vsock_addr_init(
                xen_bindings::xenoxide_vsock_local(self.raw()),
                address.cid,
                address.port,
            )
        };
    }

    /// Returns how many bytes the program wants to be buffered (`SO_VM_SOCKETS_BUFFER_SIZE`).
    pub fn buffer_size(&self) -> u64 {
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::xenoxide_vsock_buffer_size(self.raw()) }
    }

    /// Returns how many bytes shall be there before a reader is woken (`SO_RCVLOWAT`).
    pub fn receive_low_water(&self) -> usize {
        // SAFETY: By the type invariants.
        let bytes = unsafe { xen_bindings::xenoxide_sock_receive_low_water(self.base()) };
        usize::try_from(bytes).unwrap_or(1)
    }

    /// Returns whether anybody wants to be woken when something changes: programs that sleep in
    /// other calls, an `epoll` that has the socket, whoever gets `SIGIO`.
    ///
    /// Who comes later finds the socket locked, and then what this thread has done to it.
    pub fn has_waiters(&self) -> bool {
        // SAFETY: By the type invariants, here and below.
        let sleeps = unsafe { xen_bindings::xenoxide_sock_has_sleeper(self.base()) };
        // SAFETY: As above.
        sleeps || unsafe { xen_bindings::xenoxide_sock_fasync(self.base()) }
    }

    /// Returns whether the socket's network namespace is in mode "global". Those that are not
    /// reach sockets of their own namespace only.
    pub fn is_global(&self) -> bool {
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::xenoxide_vsock_global(self.raw()) }
    }

    /// Ends `connect()` with success, and returns whether there was one to end.
    ///
    /// Context: process context.
    pub fn connected(&self) -> bool {
        // SAFETY: By the type invariants.
        let socket = unsafe { xen_bindings::xenoxide_sock_socket(self.base()) };
        if self.state() != State::Connecting || socket.is_null() {
            return false;
        }
        self.set_state(State::Established);
        // SAFETY: It is there while the socket is locked.
        unsafe { (*socket).state = bindings::socket_state_SS_CONNECTED };
        // SAFETY: By the type invariants. A socket that connects is not in the table yet.
        unsafe { xen_bindings::vsock_insert_connected(self.raw()) };
        self.state_change();
        true
    }

    /// Ends `connect()` with `error`, and returns whether there was one to end.
    ///
    /// Context: process context.
    pub fn refused(&self, error: Error) -> bool {
        if self.state() != State::Connecting {
            return false;
        }
        self.set_state(State::Closed);
        self.set_error(error);
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::sk_error_report(self.base()) };
        true
    }

    /// Wakes all who wait for a change.
    fn state_change(&self) {
        // SAFETY: By the type invariants.
        unsafe { xen_bindings::xenoxide_sock_state_change(self.base()) };
    }
}

/// Returns the kind that the socket layer's type stands for.
fn kind(raw: u16) -> Kind {
    match u32::from(raw) {
        bindings::sock_type_SOCK_STREAM => Kind::Stream,
        bindings::sock_type_SOCK_SEQPACKET => Kind::Seqpacket,
        _ => Kind::Datagram,
    }
}

/// Returns the stream or seqpacket socket that is bound to `local` (or to its port at any address)
/// in a network namespace of mode "global".
///
/// It may be in any state: lock it, then look.
///
/// Context: process context or softirq.
pub fn find_bound(local: Address) -> Option<Sock> {
    let mut address = local.to_raw();
    // SAFETY: The address is valid. The socket comes with a reference, which is ours.
    unsafe {
        let sk = xen_bindings::vsock_find_bound_socket(&mut address);
        Some(Sock::from_raw(NonNull::new(sk)?.cast()))
    }
}
