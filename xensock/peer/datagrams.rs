// SPDX-License-Identifier: GPL-2.0

//! Datagrams over a link: with the control messages, so that a port needs no ring. There is nothing
//! that holds them back: who sends faster than the other side takes them is told so.

use super::Peer;
use crate::{
    control::{
        Lost,
        Sent, //
    },
    link::wire::Message,
    vsock::{
        Address,
        Datagram,
        SocketError, //
    }, //
};
use kernel::prelude::*;

impl Peer {
    /// Sends a datagram.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if it is too long, `ENOBUFS` if the peer has too many to take already,
    /// `ECONNRESET` if the link is at its end.
    pub(crate) fn send_datagram(&self, src_port: u32, dst_port: u32, payload: &[u8]) -> Result {
        let message = Message::Datagram {
            src_port,
            dst_port,
            len: u32::try_from(payload.len()).map_err(|_| EMSGSIZE)?,
        };
        match self.control.send_datagram(&message, payload) {
            Ok(Some(Sent::Tell)) => self.ring_control(),
            Ok(Some(_)) => {}
            Ok(None) => return Err(SocketError::NoBuffers.into()),
            Err(Lost) => {
                self.end();
                return Err(SocketError::ConnectionReset.into());
            }
        }
        self.settings.counters.datagrams_sent.up();
        Ok(())
    }

    /// A datagram has come.
    pub(super) fn datagram(&self, src_port: u32, dst_port: u32, payload: Option<Datagram>) {
        let from = Address {
            cid: self.domain.cid(),
            port: src_port,
        };
        let counters = &self.settings.counters;
        let takes = |payload| self.settings.ports.deliver(dst_port, payload, from).is_ok();
        if payload.is_some_and(|payload| self.allows(dst_port).is_ok() && takes(payload)) {
            counters.datagrams_received.up();
        } else {
            counters.datagrams_lost.up();
        }
    }
}
