// SPDX-License-Identifier: GPL-2.0

//! What a transport does.

use super::{
    Address,
    Incoming,
    Locked,
    Outgoing,
    Shutdown,
    SocketError, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    }, //
};

/// What carries the data of sockets.
///
/// All methods run in process context with the socket locked, and may sleep, where it is not said
/// otherwise. `socket` is what [`Transport::init`] returned for it.
///
/// Whoever keeps a [`Sock`](super::Sock) keeps the socket, and so the module: the transport must
/// drop them all after [`Transport::release`].
pub trait Transport: Send + Sync + Sized + 'static {
    /// The transport's part of a socket. It goes with the last reference to it, which the socket
    /// drops in any context: softirq too.
    type Socket: Send + Sync;

    /// Whether it carries datagrams as well.
    const DATAGRAMS: bool = false;

    /// Returns this machine's own address.
    ///
    /// Context: process context, under a mutex of the core; no socket is locked by this thread, or
    /// one is.
    fn local_cid(&self) -> u32;

    /// Returns whether the machine of that address may be reached.
    ///
    /// Context: as for [`Transport::local_cid`].
    fn has_remote(&self, cid: u32) -> bool;

    /// Makes the transport's part of a socket: of a datagram socket when it is made, of others when
    /// they connect, with their remote address set. For a [`Child`](super::Child) `listener` is the
    /// socket that listens, locked too.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn init(&self, sock: &Locked, listener: Option<&Locked>) -> Result<Arc<Self::Socket>>;

    /// Returns whether the socket may connect to `remote`. The program sees `ENETUNREACH` if not.
    fn allow(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>, remote: Address) -> bool;

    /// Begins to connect. [`Locked::connected`] or [`Locked::refused`] ends it, later.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see; then there is nothing to be ended.
    fn connect(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>) -> Result;

    /// The program has stopped waiting for its connection: it was interrupted, or took too long.
    fn cancel(&self, _sock: &Locked, _socket: ArcBorrow<'_, Self::Socket>) {}

    /// The program has shut down a direction.
    ///
    /// # Errors
    ///
    /// They are not told to anybody.
    fn shutdown(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>, how: Shutdown)
        -> Result;

    /// The program has closed the socket, or connects anew by way of another transport. Nothing is
    /// waited for: the socket goes at once.
    fn release(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>);

    /// The socket is gone, or another transport has taken it over.
    ///
    /// Context: any, softirq too: may not sleep.
    fn destruct(&self, _socket: Arc<Self::Socket>) {}

    /// Returns whether the connection can have data, so that it is worth asking.
    fn is_active(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>) -> bool;

    /// Returns how many bytes can be received from a stream.
    ///
    /// Context: as all, but may not sleep: the program is in a queue of those who wait already.
    ///
    /// # Errors
    ///
    /// The connection is broken; the program sees `ENOMEM`, by a decision of the core.
    fn readable(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>) -> Result<usize>;

    /// Returns how many bytes can be sent: of a record, any number but 0 if it can be tried.
    fn writable(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>) -> usize;

    /// Receives up to `len` bytes from a stream, and returns how many.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn receive(
        &self,
        sock: &Locked,
        socket: ArcBorrow<'_, Self::Socket>,
        message: &mut Incoming<'_>,
        len: usize,
    ) -> Result<usize>;

    /// Sends up to `len` bytes to a stream, as many as there is room for, and returns how many. They
    /// are copied by then: whoever has asked (`MSG_ZEROCOPY`) is told so.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn send(
        &self,
        sock: &Locked,
        socket: ArcBorrow<'_, Self::Socket>,
        message: &mut Outgoing<'_>,
        len: usize,
    ) -> Result<usize>;

    /// Returns the length of the record that can be received next, 0 if there is none.
    ///
    /// Context: as for [`Transport::readable`].
    fn record_readable(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>) -> u32;

    /// Receives a record, as much of it as there is room for, and returns its whole length. The
    /// rest of it is lost.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn receive_record(
        &self,
        sock: &Locked,
        socket: ArcBorrow<'_, Self::Socket>,
        message: &mut Incoming<'_>,
    ) -> Result<usize>;

    /// Sends a part of a record: up to `len` bytes, copied as by [`Transport::send`], and returns how
    /// many. It is called again for the rest of them.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see: `EMSGSIZE` if it will never fit.
    fn send_record(
        &self,
        sock: &Locked,
        socket: ArcBorrow<'_, Self::Socket>,
        message: &mut Outgoing<'_>,
        len: usize,
    ) -> Result<usize>;

    /// A program is about to wait until there are `target` bytes: from here on the peer's data
    /// must come with [`Sock::data_ready`](super::Sock::data_ready). Returns whether there is
    /// something to read already, now that this is so.
    ///
    /// Context: as for [`Transport::readable`].
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn await_data(
        &self,
        sock: &Locked,
        socket: ArcBorrow<'_, Self::Socket>,
        target: usize,
    ) -> Result<bool>;

    /// As [`Transport::await_data`], but the program is about to sleep, not only to ask: it may be
    /// worth looking for a while.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn sleep_on_data(
        &self,
        sock: &Locked,
        socket: ArcBorrow<'_, Self::Socket>,
        target: usize,
    ) -> Result<bool> {
        self.await_data(sock, socket, target)
    }

    /// A program is about to wait until there is room: from here on it must come with
    /// [`Sock::write_space`](super::Sock::write_space). Returns whether there is some already, now
    /// that this is so.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn await_space(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>) -> Result<bool>;

    /// Returns how many bytes the peer has not taken yet (`SIOCOUTQ`, `SO_LINGER`).
    fn unsent(&self, sock: &Locked, socket: ArcBorrow<'_, Self::Socket>) -> usize;

    /// The program wants `wanted` bytes to be buffered. Returns how many it gets.
    fn buffer_size(
        &self,
        _sock: &Locked,
        _socket: ArcBorrow<'_, Self::Socket>,
        wanted: u64,
    ) -> u64 {
        wanted
    }

    /// Binds a datagram socket to `wanted` ([`super::PORT_ANY`]: to any free port), with
    /// [`Locked::set_local`].
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn bind_datagram(
        &self,
        _sock: &Locked,
        _socket: ArcBorrow<'_, Self::Socket>,
        _wanted: Address,
    ) -> Result {
        Err(SocketError::NotSupported.into())
    }

    /// Returns whether a datagram may be sent to `remote`. The program sees `EINVAL` if not.
    fn allow_datagram(
        &self,
        _sock: &Locked,
        _socket: ArcBorrow<'_, Self::Socket>,
        _remote: Address,
    ) -> bool {
        false
    }

    /// Sends a datagram of `len` bytes, and returns that number.
    ///
    /// # Errors
    ///
    /// Whatever the program shall see.
    fn send_datagram(
        &self,
        _sock: &Locked,
        _socket: ArcBorrow<'_, Self::Socket>,
        _remote: Address,
        _message: &mut Outgoing<'_>,
        _len: usize,
    ) -> Result<usize> {
        Err(SocketError::NotSupported.into())
    }
}
