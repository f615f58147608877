// SPDX-License-Identifier: GPL-2.0

//! The functions by which the core calls a transport.

use super::{
    receipt,
    registration,
    Address,
    Incoming,
    Kind,
    Locked,
    Outgoing,
    Shutdown,
    Transport, //
};
use crate::bindings as xen_bindings;
use kernel::{
    bindings,
    error::from_result,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    }, //
};
use xen_bindings::{
    sockaddr_vm,
    vsock_sock,
    vsock_transport_recv_notify_data as RecvData,
    vsock_transport_send_notify_data as SendData, //
};

/// Returns the table for transports of type `T`.
pub(super) fn new<T: Transport>(module: &'static ThisModule) -> xen_bindings::vsock_transport {
    xen_bindings::vsock_transport {
        module: module.as_ptr(),
        init: Some(init::<T>),
        destruct: Some(destruct::<T>),
        release: Some(release::<T>),
        cancel_pkt: Some(cancel::<T>),
        connect: Some(connect::<T>),
        dgram_bind: Some(dgram_bind::<T>),
        dgram_dequeue: Some(dgram_dequeue),
        dgram_enqueue: Some(dgram_enqueue::<T>),
        dgram_allow: Some(dgram_allow::<T>),
        stream_dequeue: Some(stream_dequeue::<T>),
        stream_enqueue: Some(stream_enqueue::<T>),
        stream_has_data: Some(stream_has_data::<T>),
        stream_has_space: Some(stream_has_space::<T>),
        stream_rcvhiwat: Some(stream_rcvhiwat),
        stream_is_active: Some(stream_is_active::<T>),
        stream_allow: Some(stream_allow::<T>),
        seqpacket_dequeue: Some(seqpacket_dequeue::<T>),
        seqpacket_enqueue: Some(seqpacket_enqueue::<T>),
        seqpacket_allow: Some(seqpacket_allow),
        seqpacket_has_data: Some(seqpacket_has_data::<T>),
        notify_poll_in: Some(notify_poll_in::<T>),
        notify_poll_out: Some(notify_poll_out::<T>),
        notify_recv_init: Some(notify_recv_nothing),
        notify_recv_pre_block: Some(notify_recv_pre_block::<T>),
        notify_recv_pre_dequeue: Some(notify_recv_nothing),
        notify_recv_post_dequeue: Some(notify_received),
        notify_send_init: Some(notify_send_nothing),
        notify_send_pre_block: Some(notify_send_pre_block::<T>),
        notify_send_pre_enqueue: Some(notify_send_nothing),
        notify_send_post_enqueue: Some(notify_sent),
        notify_buffer_size: Some(notify_buffer_size::<T>),
        unsent_bytes: Some(unsent_bytes::<T>),
        msgzerocopy_allow: Some(msgzerocopy_allow),
        shutdown: Some(shutdown::<T>),
        get_local_cid: Some(get_local_cid::<T>),
        has_remote_cid: Some(has_remote_cid::<T>),
        ..pin_init::zeroed()
    }
}

/// Returns the transport.
///
/// # Safety
///
/// The caller must be called for a socket that has the transport `T`, or by the registration's
/// mutex, and not use it longer.
pub(super) unsafe fn transport<'a, T: Transport>() -> &'a T {
    // SAFETY: By the requirements.
    unsafe { registration::transport() }
}

/// Returns the transport's part of a socket.
///
/// # Safety
///
/// The socket must have the transport `T` for `'a`.
pub(super) unsafe fn socket<'a, T: Transport>(vsk: *mut vsock_sock) -> ArcBorrow<'a, T::Socket> {
    // SAFETY: By the requirements `init` has put it there, and `destruct` takes it.
    unsafe {
        ArcBorrow::from_raw(
            (*xen_bindings::xenoxide_vsock_trans(vsk))
                .cast_const()
                .cast(),
        )
    }
}

/// Calls `f` with the transport, the socket and the transport's part of it.
///
/// # Safety
///
/// The core must have called the caller for `vsk`, locked, which has the transport `T`.
unsafe fn with<T: Transport, R>(
    vsk: *mut vsock_sock,
    f: impl FnOnce(&T, &Locked, ArcBorrow<'_, T::Socket>) -> R,
) -> R {
    // SAFETY: By the requirements.
    unsafe { f(transport(), Locked::from_raw(vsk), socket::<T>(vsk)) }
}

/// Turns a number of bytes into what the core wants.
fn bytes<N: TryFrom<usize>>(result: Result<usize>) -> Result<N> {
    N::try_from(result?).map_err(|_| EOVERFLOW)
}

/// # Safety
///
/// Only the core may call this, as the table says, for a socket that is locked or that nobody else
/// knows yet; a listener is locked by [`super::Child::new`].
unsafe extern "C" fn init<T: Transport>(vsk: *mut vsock_sock, listener: *mut vsock_sock) -> c_int {
    // The core holds the module, but not the registration.
    if !registration::get() {
        return ENODEV.to_errno();
    }
    // SAFETY: There is a user now. A listener is locked by `Child::new`.
    let result = unsafe {
        let listener = (!listener.is_null()).then(|| Locked::from_raw(listener));
        transport::<T>().init(Locked::from_raw(vsk), listener)
    };
    match result {
        Ok(socket) => {
            let part = Arc::into_raw(socket).cast_mut().cast::<c_void>();
            // SAFETY: The place is the transport's own. The user stays until `destruct`.
            unsafe { *xen_bindings::xenoxide_vsock_trans(vsk) = part };
            0
        }
        Err(error) => {
            // SAFETY: It is the user from above.
            unsafe { registration::put() };
            error.to_errno()
        }
    }
}

/// # Safety
///
/// Only the core may call this, as the table says, for a socket that [`init`] was called for and
/// that nobody uses any more.
unsafe extern "C" fn destruct<T: Transport>(vsk: *mut vsock_sock) {
    // SAFETY: `init` has put it there; nobody uses it any more, and nobody will.
    let part = unsafe {
        let place = xen_bindings::xenoxide_vsock_trans(vsk);
        core::mem::replace(&mut *place, core::ptr::null_mut())
    };
    // SAFETY: As above, and the user is that of `init`.
    unsafe {
        transport::<T>().destruct(Arc::from_raw(part.cast_const().cast()));
        registration::put();
    }
}

/// # Safety
///
/// Only the core may call this, as the table says, for a locked socket that has the transport `T`.
unsafe extern "C" fn release<T: Transport>(vsk: *mut vsock_sock) {
    // SAFETY: By the requirements.
    unsafe {
        with::<T, _>(vsk, |transport, sock, socket| {
            transport.release(sock, socket);
            xen_bindings::vsock_remove_sock(vsk);
        })
    }
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn cancel<T: Transport>(vsk: *mut vsock_sock) -> c_int {
    // SAFETY: By the requirements.
    unsafe { with::<T, _>(vsk, T::cancel) };
    0
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn connect<T: Transport>(vsk: *mut vsock_sock) -> c_int {
    // SAFETY: By the requirements.
    from_result(|| unsafe { with::<T, _>(vsk, T::connect) }.map(|()| 0))
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn shutdown<T: Transport>(vsk: *mut vsock_sock, how: c_int) -> c_int {
    let how = Shutdown(how as u32);
    // SAFETY: By the requirements. Only sockets with connections are shut down.
    from_result(|| unsafe { with::<T, _>(vsk, |t, a, b| t.shutdown(a, b, how)) }.map(|()| 0))
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn dgram_bind<T: Transport>(
    vsk: *mut vsock_sock,
    wanted: *mut sockaddr_vm,
) -> c_int {
    // SAFETY: By the requirements; the address is valid.
    from_result(|| unsafe {
        let wanted = Address::from_raw(&*wanted);
        with::<T, _>(vsk, |t, a, b| t.bind_datagram(a, b, wanted)).map(|()| 0)
    })
}

/// # Safety
///
/// Only the core may call this, as the table says, for a socket of ours that somebody has.
unsafe extern "C" fn dgram_dequeue(
    vsk: *mut vsock_sock,
    message: *mut bindings::msghdr,
    _len: usize,
    flags: c_int,
) -> c_int {
    // SAFETY: By the requirements; the message is valid. Its socket has a file, so somebody has it.
    from_result(|| unsafe {
        let mut message = Incoming::new(message, flags).ok_or(EINVAL)?;
        bytes(message.datagram(super::sock::base(vsk)))
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn dgram_enqueue<T: Transport>(
    vsk: *mut vsock_sock,
    remote: *mut sockaddr_vm,
    message: *mut bindings::msghdr,
    len: usize,
) -> c_int {
    // SAFETY: By the requirements; address and message are valid.
    from_result(|| unsafe {
        let remote = Address::from_raw(&*remote);
        let mut message = Outgoing::new(message).ok_or(EINVAL)?;
        bytes(with::<T, _>(vsk, |t, a, b| {
            t.send_datagram(a, b, remote, &mut message, len)
        }))
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn dgram_allow<T: Transport>(vsk: *mut vsock_sock, cid: u32, port: u32) -> bool {
    // SAFETY: By the requirements.
    unsafe { with::<T, _>(vsk, |t, a, b| t.allow_datagram(a, b, Address { cid, port })) }
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn stream_dequeue<T: Transport>(
    vsk: *mut vsock_sock,
    message: *mut bindings::msghdr,
    len: usize,
    flags: c_int,
) -> isize {
    // SAFETY: By the requirements; the message is valid.
    from_result(|| unsafe {
        let mut message = Incoming::new(message, flags).ok_or(EINVAL)?;
        bytes(with::<T, _>(vsk, |t, a, b| {
            t.receive(a, b, &mut message, len)
        }))
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn stream_enqueue<T: Transport>(
    vsk: *mut vsock_sock,
    message: *mut bindings::msghdr,
    len: usize,
) -> isize {
    // SAFETY: By the requirements; the message is valid.
    from_result(|| unsafe {
        let mut message = Outgoing::new(message).ok_or(EINVAL)?;
        bytes(with::<T, _>(vsk, |transport, sock, socket| {
            receipt::with(sock, &mut message, |message| {
                transport.send(sock, socket, message, len)
            })
        }))
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn stream_has_data<T: Transport>(vsk: *mut vsock_sock) -> i64 {
    // SAFETY: By the requirements. It is also called for datagram sockets, whose data are in their queue.
    from_result(|| unsafe {
        bytes(with::<T, _>(vsk, |transport, sock, socket| {
            match sock.kind() {
                Kind::Stream => transport.readable(sock, socket),
                Kind::Seqpacket => Ok(transport.record_readable(sock, socket) as usize),
                Kind::Datagram => Ok(0),
            }
        }))
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn stream_has_space<T: Transport>(vsk: *mut vsock_sock) -> i64 {
    // SAFETY: By the requirements.
    let space = unsafe { with::<T, _>(vsk, T::writable) };
    i64::try_from(space).unwrap_or(i64::MAX)
}

/// A reader may wait for any number of bytes: it is told of the first.
///
/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn stream_rcvhiwat(_vsk: *mut vsock_sock) -> u64 {
    u64::MAX
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn stream_is_active<T: Transport>(vsk: *mut vsock_sock) -> bool {
    // SAFETY: By the requirements.
    unsafe { with::<T, _>(vsk, T::is_active) }
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn stream_allow<T: Transport>(vsk: *mut vsock_sock, cid: u32, port: u32) -> bool {
    // SAFETY: By the requirements.
    unsafe { with::<T, _>(vsk, |t, a, b| t.allow(a, b, Address { cid, port })) }
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn seqpacket_dequeue<T: Transport>(
    vsk: *mut vsock_sock,
    message: *mut bindings::msghdr,
    flags: c_int,
) -> isize {
    // SAFETY: By the requirements; the message is valid.
    from_result(|| unsafe {
        let mut message = Incoming::new(message, flags).ok_or(EINVAL)?;
        bytes(with::<T, _>(vsk, |t, a, b| {
            t.receive_record(a, b, &mut message)
        }))
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn seqpacket_enqueue<T: Transport>(
    vsk: *mut vsock_sock,
    message: *mut bindings::msghdr,
    len: usize,
) -> c_int {
    // SAFETY: By the requirements; the message is valid.
    from_result(|| unsafe {
        let mut message = Outgoing::new(message).ok_or(EINVAL)?;
        bytes(with::<T, _>(vsk, |transport, sock, socket| {
            receipt::with(sock, &mut message, |message| {
                transport.send_record(sock, socket, message, len)
            })
        }))
    })
}

/// The socket has no part of the transport yet: [`Transport::allow`] says more, later.
///
/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn seqpacket_allow(_vsk: *mut vsock_sock, _cid: u32) -> bool {
    true
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn seqpacket_has_data<T: Transport>(vsk: *mut vsock_sock) -> u32 {
    // SAFETY: By the requirements.
    unsafe {
        with::<T, _>(vsk, |transport, sock, socket| {
            match transport.record_readable(sock, socket) {
                // The core tells of no wait for a packet: who finds none may be about to.
                0 if transport.await_data(sock, socket, 1).unwrap_or(true) => {
                    transport.record_readable(sock, socket)
                }
                there => there,
            }
        })
    }
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_poll_in<T: Transport>(
    vsk: *mut vsock_sock,
    target: usize,
    ready: *mut bool,
) -> c_int {
    from_result(|| {
        // SAFETY: By the requirements.
        let there = unsafe {
            with::<T, _>(vsk, |transport, sock, socket| {
                let enough = match sock.kind() {
                    Kind::Stream => transport.readable(sock, socket)? >= target.max(1),
                    _ => transport.record_readable(sock, socket) > 0,
                };
                Ok::<_, Error>(enough || transport.await_data(sock, socket, target)?)
            })?
        };
        // SAFETY: It is valid for writing.
        unsafe { *ready = there };
        Ok(0)
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_poll_out<T: Transport>(
    vsk: *mut vsock_sock,
    _target: usize,
    ready: *mut bool,
) -> c_int {
    from_result(|| {
        // SAFETY: By the requirements.
        let there = unsafe {
            with::<T, _>(vsk, |transport, sock, socket| {
                let some = transport.writable(sock, socket) > 0;
                Ok::<_, Error>(some || transport.await_space(sock, socket)?)
            })?
        };
        // SAFETY: It is valid for writing.
        unsafe { *ready = there };
        Ok(0)
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_recv_nothing(
    _vsk: *mut vsock_sock,
    _target: usize,
    _data: *mut RecvData,
) -> c_int {
    0
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_recv_pre_block<T: Transport>(
    vsk: *mut vsock_sock,
    target: usize,
    _data: *mut RecvData,
) -> c_int {
    // SAFETY: By the requirements.
    from_result(|| unsafe {
        with::<T, _>(vsk, |transport, sock, socket| {
            if transport.sleep_on_data(sock, socket, target)? {
                // The caller is in the queue of those who wait already: it does not sleep then.
                xen_bindings::xenoxide_sock_data_ready(sock.base());
            }
            Ok(0)
        })
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_received(
    _vsk: *mut vsock_sock,
    _target: usize,
    _copied: isize,
    _taken: bool,
    _data: *mut RecvData,
) -> c_int {
    0
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_send_nothing(_vsk: *mut vsock_sock, _data: *mut SendData) -> c_int {
    0
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_send_pre_block<T: Transport>(
    vsk: *mut vsock_sock,
    _data: *mut SendData,
) -> c_int {
    // SAFETY: By the requirements.
    from_result(|| unsafe {
        with::<T, _>(vsk, |transport, sock, socket| {
            if transport.await_space(sock, socket)? {
                // The caller is in the queue of those who wait already: it does not sleep then.
                xen_bindings::xenoxide_sock_write_space(sock.base());
            }
            Ok(0)
        })
    })
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_sent(
    _vsk: *mut vsock_sock,
    _written: isize,
    _data: *mut SendData,
) -> c_int {
    0
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn notify_buffer_size<T: Transport>(vsk: *mut vsock_sock, wanted: *mut u64) {
    // SAFETY: By the requirements; the number is valid for reading and writing.
    unsafe { *wanted = with::<T, _>(vsk, |t, a, b| t.buffer_size(a, b, *wanted)) };
}

/// # Safety
///
/// As for [`release`].
unsafe extern "C" fn unsent_bytes<T: Transport>(vsk: *mut vsock_sock) -> isize {
    // SAFETY: By the requirements.
    let bytes = unsafe { with::<T, _>(vsk, T::unsent) };
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

/// Whoever asks is told that there was a copy.
///
/// # Safety
///
/// Only the core may call this, as the table says.
unsafe extern "C" fn msgzerocopy_allow() -> bool {
    true
}

/// # Safety
///
/// Only the core may call this, as the table says, while the transport is registered.
unsafe extern "C" fn get_local_cid<T: Transport>() -> u32 {
    // SAFETY: The mutex under which this is called keeps the registration.
    unsafe { transport::<T>() }.local_cid()
}

/// # Safety
///
/// As for [`get_local_cid`].
unsafe extern "C" fn has_remote_cid<T: Transport>(_vsk: *mut vsock_sock, cid: u32) -> bool {
    // SAFETY: The mutex under which this is called keeps the registration.
    unsafe { transport::<T>() }.has_remote(cid)
}
