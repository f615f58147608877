// SPDX-License-Identifier: GPL-2.0

//! Sockets that no program has any more, but whose peer has not closed yet.
//!
//! Such a socket has its work item scheduled, with a reference of its own. Whoever clears the mark
//! that says so, with the socket locked, drops that reference.

use super::{
    sock::base,
    table,
    Locked,
    Transport, //
};
use crate::bindings as xen_bindings;
use kernel::{
    bindings,
    ffi::c_int,
    time::{
        msecs_to_jiffies,
        Msecs, //
    }, //
};

/// Keeps a socket until its peer has closed as well, for `timeout` milliseconds at the most.
///
/// # Safety
///
/// The socket must have the transport `T`, and be closed by its program.
pub(super) unsafe fn wait<T: Transport>(sock: &Locked, timeout: Msecs) {
    // SAFETY: The socket is locked; nothing is scheduled, for the socket is closed once only.
    unsafe {
        let work = xen_bindings::xenoxide_vsock_close_work(sock.raw());
        xen_bindings::xenoxide_sock_hold(sock.base());
        xen_bindings::xenoxide_init_delayed_work(work, Some(timed_out::<T>));
        *xen_bindings::xenoxide_vsock_close_scheduled(sock.raw()) = true;
        bindings::queue_delayed_work_on(
            bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
            bindings::system_percpu_wq,
            work,
            msecs_to_jiffies(timeout),
        );
    }
}

/// The peer has closed: the socket goes, if that was what it waited for.
pub(super) fn finish(sock: &Locked) {
    // SAFETY: The socket is locked, so that the mark is ours to look at.
    unsafe {
        if !*xen_bindings::xenoxide_vsock_close_scheduled(sock.raw()) {
            return;
        }
        // What runs already waits for the lock, and does the rest.
        if bindings::cancel_delayed_work(xen_bindings::xenoxide_vsock_close_work(sock.raw())) {
            remove(sock);
        }
    }
}

/// Takes the socket out of the core's tables, and drops the reference of the work item.
///
/// # Safety
///
/// The work item must be marked as scheduled, but neither be so nor do this as well.
unsafe fn remove(sock: &Locked) {
    // SAFETY: The socket is locked. By the requirements the reference is ours, and whoever has
    // locked it has another one.
    unsafe {
        *xen_bindings::xenoxide_vsock_close_scheduled(sock.raw()) = false;
        xen_bindings::vsock_remove_sock(sock.raw());
        xen_bindings::xenoxide_sock_put(sock.base());
    }
}

/// The peer has not closed in time.
///
/// # Safety
///
/// Only the workqueue may call this, with the work item that [`wait`] has scheduled.
unsafe extern "C" fn timed_out<T: Transport>(work: *mut bindings::work_struct) {
    // SAFETY: By the requirements the work item is that of a socket, to which it has a reference;
    // another one keeps it until it is unlocked.
    unsafe {
        let raw = xen_bindings::xenoxide_vsock_of_close_work(work);
        let sk = base(raw);
        xen_bindings::xenoxide_sock_hold(sk);
        xen_bindings::lock_sock_nested(sk, 0);
        let sock = Locked::from_raw(raw);
        if !sock.is_done() {
            // The transport stays as it is once the program has closed the socket.
            table::transport::<T>().close_timeout(sock, table::socket::<T>(raw));
            sock.end(false);
        }
        remove(sock);
        xen_bindings::release_sock(sk);
        xen_bindings::xenoxide_sock_put(sk);
    }
}
