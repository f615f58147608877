// SPDX-License-Identifier: GPL-2.0

//! Errors of sockets that the kernel crate of 7.2 has no names for.
//!
//! C header: [`include/uapi/asm-generic/errno.h`](srctree/include/uapi/asm-generic/errno.h).

use kernel::{
    bindings,
    prelude::*, //
};

/// An error of a socket, which becomes an [`Error`] by `?` or `into()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// `EADDRINUSE`: the port has another socket.
    AddressInUse,
    /// `EADDRNOTAVAIL`: there is no such address here, or no port is free.
    AddressNotAvailable,
    /// `ECONNABORTED`: this machine has given the connection up.
    ConnectionAborted,
    /// `ECONNREFUSED`: nobody listens.
    ConnectionRefused,
    /// `ECONNRESET`: the peer has given the connection up.
    ConnectionReset,
    /// `EHOSTUNREACH`: there is no way to the peer.
    HostUnreachable,
    /// `ENETUNREACH`: there is no way to where the peer is.
    NetworkUnreachable,
    /// `ENOBUFS`: too much waits already.
    NoBuffers,
    /// `ENOTCONN`: there is no connection, or nobody listens on this socket.
    NotConnected,
    /// `EOPNOTSUPP`: sockets of this kind cannot do that.
    NotSupported,
    /// `EPROTO`: the peer does not keep to the protocol.
    Protocol,
}

impl From<SocketError> for Error {
    fn from(error: SocketError) -> Self {
        let number = match error {
            SocketError::AddressInUse => bindings::EADDRINUSE,
            SocketError::AddressNotAvailable => bindings::EADDRNOTAVAIL,
            SocketError::ConnectionAborted => bindings::ECONNABORTED,
            SocketError::ConnectionRefused => bindings::ECONNREFUSED,
            SocketError::ConnectionReset => bindings::ECONNRESET,
            SocketError::HostUnreachable => bindings::EHOSTUNREACH,
            SocketError::NetworkUnreachable => bindings::ENETUNREACH,
            SocketError::NoBuffers => bindings::ENOBUFS,
            SocketError::NotConnected => bindings::ENOTCONN,
            SocketError::NotSupported => bindings::EOPNOTSUPP,
            SocketError::Protocol => bindings::EPROTO,
        };
        Error::from_errno(-(number as i32))
    }
}
