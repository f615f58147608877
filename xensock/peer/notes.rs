// SPDX-License-Identifier: GPL-2.0

//! What is counted, and traced, of what happens on a link.

use super::Peer;
use crate::{
    conn::Conn,
    counters::Ends,
    link::{
        slots::Side,
        wire::{
            Connect,
            Reason,
            Socket, //
        }, //
    },
    trace,
    vsock::Address, //
};

impl From<Ends> for trace::Ends {
    fn from(ends: Ends) -> Self {
        Self {
            local_port: ends.local.port,
            remote_cid: ends.remote.cid,
            remote_port: ends.remote.port,
        }
    }
}

impl From<Reason> for trace::Reason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Other => Self::Other,
            Reason::NoListener => Self::NoListener,
            Reason::Denied => Self::Denied,
            Reason::Busy => Self::Busy,
            Reason::NoMemory => Self::NoMemory,
            Reason::Closed => Self::Closed,
            Reason::Broken => Self::Broken,
            Reason::Cancelled => Self::Cancelled,
            Reason::Limit => Self::Limit,
        }
    }
}

impl Peer {
    /// A program here asks for a connection.
    pub(super) fn note_connect(&self, connect: &Connect) {
        self.settings.counters.opened.up();
        let ends = trace::Ends {
            local_port: connect.src_port,
            remote_cid: self.domain.cid(),
            remote_port: connect.dst_port,
        };
        let seqpacket = connect.socket == Socket::SeqPacket;
        trace::connect(&ends, seqpacket, first_bytes(connect));
    }

    /// The peer asks for a connection, and this is what becomes of it; nothing, if false, yet.
    pub(super) fn note_answer(&self, connect: &Connect, answer: Result<bool, Reason>) {
        let counters = &self.settings.counters;
        let ends = self.ends_of(connect).into();
        match answer {
            Ok(false) => {}
            Ok(true) => {
                counters.accepted.up();
                let seqpacket = connect.socket == Socket::SeqPacket;
                trace::accept(&ends, seqpacket, first_bytes(connect));
            }
            Err(reason) => {
                counters.refused(reason);
                trace::refuse(&ends, true, reason.into());
            }
        }
    }

    /// Between whom a connection is that the peer asks for.
    pub(super) fn ends_of(&self, connect: &Connect) -> Ends {
        Ends {
            local: Address {
                cid: self.settings.own().cid(),
                port: connect.dst_port,
            },
            remote: Address {
                cid: self.domain.cid(),
                port: connect.src_port,
            },
        }
    }

    /// The peer does not make a connection that a program here has asked for.
    pub(super) fn note_refused(&self, conn: &Conn, reason: Reason) {
        self.settings.counters.refused_by_peer.up();
        trace::refuse(&conn.tally().ends().into(), false, reason.into());
    }

    /// The peer has ended a connection.
    pub(super) fn note_reset(&self, conn: &Conn, reason: Reason) {
        self.settings.counters.reset.up();
        trace::reset(&conn.tally().ends().into(), false, reason.into());
    }

    /// A connection is ended because the peer has broken a ring.
    pub(super) fn note_broken(&self, conn: &Conn) {
        self.settings.counters.broken_rings.up();
        trace::reset(&conn.tally().ends().into(), true, Reason::Broken.into());
    }

    /// The link is lost because the peer has broken it.
    pub(super) fn note_lost(&self) {
        self.settings.counters.broken_links.up();
    }

    /// The link carries connections from now on.
    pub(super) fn note_up(&self) {
        trace::link_up(self.domain.number(), self.side == Side::Initiator);
    }

    /// The link has come to its end.
    pub(super) fn note_down(&self) {
        self.settings.counters.links.down();
        trace::link_down(self.domain.number(), self.side == Side::Initiator);
    }
}

/// The size of the ring that the opener writes to, in bytes.
fn first_bytes(connect: &Connect) -> u32 {
    let [forth, _] = connect.segments.sizes();
    forth.bytes()
}
