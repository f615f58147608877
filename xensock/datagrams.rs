// SPDX-License-Identifier: GPL-2.0

//! Who receives datagrams: sockets by their ports.

use crate::vsock::{
    self,
    Address,
    Datagram,
    Locked,
    Sock,
    SocketError,
    PORT_ANY, //
};
use kernel::{
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::Mutex, //
};

/// The ports of datagram sockets, which are none of streams and packets.
#[pin_data]
pub(crate) struct Ports {
    #[pin]
    bound: Mutex<Bound>,
}

struct Bound {
    socks: RBTree<u32, Sock>,
    /// Where to look for a free one.
    next: u32,
}

impl Bound {
    /// Returns a port that no socket has.
    fn free(&mut self) -> Result<u32> {
        let first = vsock::LAST_PRIVILEGED_PORT + 1;
        let mut port = self.next.max(first);
        let begin = port;
        while port == PORT_ANY || self.socks.get(&port).is_some() {
            port = port.wrapping_add(1).max(first);
            if port == begin {
                return Err(SocketError::AddressNotAvailable.into());
            }
        }
        self.next = port.wrapping_add(1);
        Ok(port)
    }
}

impl Ports {
    /// No socket has any.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            bound <- new_mutex!(Bound {
                socks: RBTree::new(),
                next: 0,
            }),
        })
    }

    /// Gives a socket the port that is wanted, or any. It is to be [released](Ports::release).
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EACCES` if only the privileged may have it, `EADDRINUSE`, `EADDRNOTAVAIL` if the socket's
    /// network namespace is a local one, or no port is free; `ENOMEM`.
    pub(crate) fn bind(&self, sock: &Locked, wanted: Address) -> Result {
        let privileged = wanted.port <= vsock::LAST_PRIVILEGED_PORT;
        if privileged && !vsock::may_bind_privileged() {
            return Err(EACCES);
        }
        if !sock.is_global() {
            return Err(SocketError::AddressNotAvailable.into());
        }
        let mut bound = self.bound.lock();
        let port = match wanted.port {
            PORT_ANY => bound.free()?,
            port if bound.socks.get(&port).is_some() => {
                return Err(SocketError::AddressInUse.into());
            }
            port => port,
        };
        let before = bound
            .socks
            .try_create_and_insert(port, sock.hold(), GFP_KERNEL)?;
        drop(bound);
        drop(before);
        sock.set_local(Address { port, ..wanted });
        Ok(())
    }

    /// Takes the port of a socket back, if it has one.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn release(&self, sock: &Locked) {
        let port = sock.local().port;
        let mut bound = self.bound.lock();
        let ours = bound
            .socks
            .get(&port)
            .is_some_and(|bound| bound.is(&sock.hold()));
        let released = ours.then(|| bound.socks.remove(&port));
        drop(bound);
        drop(released);
    }

    /// Gives a datagram to the socket that has the port.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ECONNREFUSED` if no socket has it, or what [`Sock::deliver`] says.
    pub(crate) fn deliver(&self, port: u32, datagram: Datagram, from: Address) -> Result {
        let sock = self.bound.lock().socks.get(&port).cloned();
        let sock = sock.ok_or(SocketError::ConnectionRefused)?;
        sock.deliver(datagram, from)
    }
}
