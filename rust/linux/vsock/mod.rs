// SPDX-License-Identifier: GPL-2.0

//! `AF_VSOCK` transports: what carries the data of such sockets from one machine to another.
//!
//! The core (`net/vmw_vsock/af_vsock.c`) owns the sockets and does all that programs see: it calls
//! the [`Transport`] to connect, send, receive and close. Of what comes from the other side the
//! transport tells by way of [`Sock`] and [`Locked`].
//!
//! Lock order: a listener's lock, then that of its [`Child`]. Locks of the transport that softirqs
//! take come after those of sockets.
//!
//! Only modules that need `vsock.ko` take this folder in.
//!
//! C header: [`include/net/af_vsock.h`](srctree/include/net/af_vsock.h).

mod child;
mod error;
mod message;
mod receipt;
mod registration;
mod sock;
mod table;
mod transport;

pub use child::Child;
pub use error::SocketError;
pub use message::{
    Datagram,
    Incoming,
    Outgoing, //
};
pub use registration::Registration;
pub use sock::{
    find_bound,
    Guard,
    Locked,
    Sock, //
};
pub use transport::Transport;

use crate::bindings;
use core::ops::BitOr;

/// Any address: the one of this machine where a socket is bound.
pub const CID_ANY: u32 = bindings::VMADDR_CID_ANY as u32;
/// The address of the host.
pub const CID_HOST: u32 = bindings::VMADDR_CID_HOST;
/// Any port.
pub const PORT_ANY: u32 = bindings::VMADDR_PORT_ANY as u32;

/// Ports up to here are for the privileged.
pub const LAST_PRIVILEGED_PORT: u32 = 1023;

/// Returns whether the program that calls may bind privileged ports (`CAP_NET_BIND_SERVICE`).
///
/// Context: a program's.
pub fn may_bind_privileged() -> bool {
    // SAFETY: No preconditions.
    unsafe { kernel::bindings::capable(kernel::bindings::CAP_NET_BIND_SERVICE as i32) }
}

/// The address of an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The machine.
    pub cid: u32,
    /// The port.
    pub port: u32,
}

impl Address {
    fn from_raw(raw: &bindings::sockaddr_vm) -> Self {
        Self {
            cid: raw.svm_cid,
            port: raw.svm_port,
        }
    }

    fn to_raw(self) -> bindings::sockaddr_vm {
        bindings::sockaddr_vm {
            svm_family: bindings::XENOXIDE_AF_VSOCK,
            svm_cid: self.cid,
            svm_port: self.port,
            ..pin_init::zeroed()
        }
    }
}

/// The kinds of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `SOCK_STREAM`: bytes, in order.
    Stream,
    /// `SOCK_SEQPACKET`: records, in order.
    Seqpacket,
    /// `SOCK_DGRAM`: records that may be lost.
    Datagram,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Closed,
    /// `connect()` waits for the peer.
    Connecting,
    /// Data can go both ways.
    Established,
    /// It is over.
    Closing,
    /// The socket waits for connections.
    Listening,
}

impl State {
    fn from_raw(raw: u8) -> Self {
        match raw {
            bindings::XENOXIDE_TCP_SYN_SENT => Self::Connecting,
            bindings::XENOXIDE_TCP_ESTABLISHED => Self::Established,
            bindings::XENOXIDE_TCP_CLOSING => Self::Closing,
            bindings::XENOXIDE_TCP_LISTEN => Self::Listening,
            _ => Self::Closed,
        }
    }

    fn to_raw(self) -> u8 {
        match self {
            Self::Closed => bindings::XENOXIDE_TCP_CLOSE,
            Self::Connecting => bindings::XENOXIDE_TCP_SYN_SENT,
            Self::Established => bindings::XENOXIDE_TCP_ESTABLISHED,
            Self::Closing => bindings::XENOXIDE_TCP_CLOSING,
            Self::Listening => bindings::XENOXIDE_TCP_LISTEN,
        }
    }
}

/// Which directions of a connection are shut down, seen from the end that does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown(u32);

impl Shutdown {
    /// Neither.
    pub const NONE: Self = Self(0);
    /// This end receives no more.
    pub const RECEIVE: Self = Self(bindings::RCV_SHUTDOWN);
    /// This end sends no more.
    pub const SEND: Self = Self(bindings::SEND_SHUTDOWN);
    /// Both.
    pub const BOTH: Self = Self(bindings::SHUTDOWN_MASK);

    /// Returns whether all of `other` is shut down.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Shutdown {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
