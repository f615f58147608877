// SPDX-License-Identifier: GPL-2.0

//! What goes through a socket: messages of programs, and datagrams that wait to be read.
//!
//! C headers: [`include/linux/socket.h`](srctree/include/linux/socket.h),
//! [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h).

use super::{
    Address,
    SocketError, //
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
    ffi::{
        c_int,
        c_uint, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*, //
};

/// What a program sends.
///
/// # Invariants
///
/// `0` is a message that is being sent, so that data can be read from it, for `'a`.
pub struct Outgoing<'a>(NonNull<bindings::msghdr>, PhantomData<&'a ()>);

impl<'a> Outgoing<'a> {
    /// Returns the message behind `raw`, or [`None`] if it is none that is sent.
    ///
    /// # Safety
    ///
    /// `raw` must be a message of the socket layer, valid and not used otherwise for `'a`.
    pub(super) unsafe fn new(raw: *mut bindings::msghdr) -> Option<Self> {
        let raw = NonNull::new(raw)?;
        // SAFETY: By the requirements.
        let source = unsafe { (*raw.as_ptr()).msg_iter.data_source };
        // INVARIANT: As just checked.
        (u32::from(source) == bindings::ITER_SOURCE).then_some(Self(raw, PhantomData))
    }

    /// Returns the data. What was copied from it is gone from it.
    pub fn source(&mut self) -> &mut IovIterSource<'a> {
        // SAFETY: By the type invariants.
        unsafe { IovIterSource::from_raw(&raw mut (*self.0.as_ptr()).msg_iter) }
    }

    /// Returns whether a record ends with it (`MSG_EOR`).
    pub fn end_of_record(&self) -> bool {
        // SAFETY: By the type invariants.
        unsafe { (*self.0.as_ptr()).msg_flags & bindings::MSG_EOR != 0 }
    }

    /// Returns whether the program wants to be told when its memory is its own again
    /// (`MSG_ZEROCOPY`), and nobody else tells it (`io_uring`).
    pub(super) fn zerocopy(&self) -> bool {
        // SAFETY: By the type invariants.
        let message = unsafe { self.0.as_ref() };
        message.msg_flags & bindings::MSG_ZEROCOPY != 0 && message.msg_ubuf.is_null()
    }
}

/// Where a program receives.
///
/// # Invariants
///
/// `message` is one that is being received into, so that data can be written to it, for `'a`.
pub struct Incoming<'a> {
    message: NonNull<bindings::msghdr>,
    flags: u32,
    lifetime: PhantomData<&'a ()>,
}

impl<'a> Incoming<'a> {
    /// Returns the message behind `raw`, to be received with `flags`, or [`None`] if it is none.
    ///
    /// # Safety
    ///
    /// `raw` must be a message of the socket layer, valid and not used otherwise for `'a`.
    pub(super) unsafe fn new(raw: *mut bindings::msghdr, flags: c_int) -> Option<Self> {
        let message = NonNull::new(raw)?;
        // SAFETY: By the requirements.
        let source = unsafe { (*raw).msg_iter.data_source };
        // INVARIANT: As just checked.
        (u32::from(source) == bindings::ITER_DEST).then_some(Self {
            message,
            flags: flags as u32,
            lifetime: PhantomData,
        })
    }

    /// Returns the room for data. What was written is gone from it.
    pub fn dest(&mut self) -> &mut IovIterDest<'a> {
        // SAFETY: By the type invariants.
        unsafe { IovIterDest::from_raw(&raw mut (*self.message.as_ptr()).msg_iter) }
    }

    /// Returns whether what is received shall stay to be received again (`MSG_PEEK`).
    pub fn peek(&self) -> bool {
        self.flags & bindings::MSG_PEEK != 0
    }

    /// Says that a record ends with it (`MSG_EOR`).
    pub fn set_end_of_record(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { (*self.message.as_ptr()).msg_flags |= bindings::MSG_EOR };
    }

    /// Says that there was more than was received (`MSG_TRUNC`).
    fn set_truncated(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { (*self.message.as_ptr()).msg_flags |= bindings::MSG_TRUNC };
    }

    /// Says who has sent it.
    fn set_from(&mut self, from: Address) {
        // SAFETY: By the type invariants. The socket layer gives room for any address.
        unsafe {
            let message = self.message.as_ptr();
            if !(*message).msg_name.is_null() {
                xen_bindings::vsock_addr_init((*message).msg_name.cast(), from.cid, from.port);
                (*message).msg_namelen = size_of::<xen_bindings::sockaddr_vm>() as c_int;
            }
        }
    }

    /// Receives the datagram that waits longest on `sock`, waiting for one if need be.
    ///
    /// # Safety
    ///
    /// `sock` must be a socket that somebody has a reference to.
    pub(super) unsafe fn datagram(&mut self, sock: *mut bindings::sock) -> Result<usize> {
        if self.flags & (bindings::MSG_OOB | bindings::MSG_ERRQUEUE) != 0 {
            return Err(SocketError::NotSupported.into());
        }
        let mut error = 0;
        // SAFETY: By the requirements.
        let skb = unsafe { bindings::skb_recv_datagram(sock, self.flags as c_uint, &mut error) };
        let Some(skb) = NonNull::new(skb) else {
            return to_result(error).map(|()| 0);
        };
        let result = self.take(skb);
        // SAFETY: It is the one just received.
        unsafe { bindings::skb_free_datagram(sock, skb.as_ptr()) };
        result
    }

    /// Copies the datagram and its address.
    fn take(&mut self, skb: NonNull<bindings::sk_buff>) -> Result<usize> {
        // SAFETY: Only `Datagram` puts anything into the queue of our sockets: there is an address
        // in the control block.
        let (len, from) = unsafe {
            let skb = skb.as_ptr();
            (
                xen_bindings::xenoxide_skb_len(skb) as usize,
                (&raw const (*skb).cb).cast::<Address>().read_unaligned(),
            )
        };
        let room = self.dest().len();
        let part = len.min(room);
        // SAFETY: There are so many bytes, and by the type invariants room for them.
        to_result(unsafe {
            bindings::skb_copy_datagram_iter(skb.as_ptr(), 0, self.dest().as_raw(), part as c_int)
        })?;
        self.set_from(from);
        if part < len {
            self.set_truncated();
        }
        Ok(if self.flags & bindings::MSG_TRUNC != 0 {
            len
        } else {
            part
        })
    }
}

/// A datagram on its way to a socket.
///
/// # Invariants
///
/// - `skb` is ours alone, and has `len` bytes of payload at `payload`.
pub struct Datagram {
    skb: NonNull<bindings::sk_buff>,
    payload: NonNull<u8>,
    len: usize,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Datagram {}

impl Datagram {
    /// The longest payload, in bytes.
    pub const LONGEST: usize = 1 << 16;

    /// Returns a datagram with `len` bytes of zeroes.
    ///
    /// Context: any but hard interrupts; does not sleep, so it may well fail.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if that is too long, `ENOMEM`.
    pub fn new(len: usize) -> Result<Self> {
        if len > Self::LONGEST {
            return Err(EMSGSIZE);
        }
        // SAFETY: No preconditions.
        let skb = unsafe {
            xen_bindings::xenoxide_alloc_skb(len as c_uint, xen_bindings::XENOXIDE_GFP_DATAGRAM)
        };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: It was allocated with room for so many bytes.
        let payload = unsafe { bindings::skb_put(skb.as_ptr(), len as c_uint) }.cast::<u8>();
        // SAFETY: As above: they are ours.
        unsafe { payload.write_bytes(0, len) };
        // INVARIANT: The payload is what was put there.
        Ok(Self {
            skb,
            payload: NonNull::new(payload).ok_or(ENOMEM)?,
            len,
        })
    }

    /// Returns the payload.
    pub fn payload(&mut self) -> &mut [u8] {
        // SAFETY: By the type invariants.
        unsafe { core::slice::from_raw_parts_mut(self.payload.as_ptr(), self.len) }
    }

    /// Puts it into the queue of `sock`, which wakes who waits for it.
    ///
    /// # Safety
    ///
    /// `sock` must be a datagram socket of ours that somebody has a reference to.
    pub(super) unsafe fn queue(self, sock: *mut bindings::sock, from: Address) -> Result {
        // SAFETY: By the type invariants the buffer is ours; there is room in the control block,
        // of which the socket layer uses the end only.
        unsafe {
            (&raw mut (*self.skb.as_ptr()).cb)
                .cast::<Address>()
                .write_unaligned(from)
        };
        // SAFETY: By the requirements.
        to_result(unsafe { xen_bindings::xenoxide_sock_queue(sock, self.skb.as_ptr()) })?;
        // The queue owns it now.
        let _ = ManuallyDrop::new(self);
        Ok(())
    }
}

impl Drop for Datagram {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is ours.
        unsafe { xen_bindings::xenoxide_kfree_skb(self.skb.as_ptr()) };
    }
}
