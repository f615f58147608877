// SPDX-License-Identifier: GPL-2.0

//! What others see of a link.

use super::{
    Peer,
    Phase, //
};
use crate::{
    bells::Waiter,
    counters::{
        Ends,
        Figures, //
    },
    link::{
        slots::{
            Side,
            Slot, //
        },
        wire, //
    },
    memory::RingAt,
    sight,
    vsock::Kind, //
};
use kernel::{
    fmt,
    sync::atomic::Relaxed, //
};

/// A connection that was found.
pub(crate) struct Found {
    pub(crate) slot: Slot,
    pub(crate) kind: Kind,
    pub(crate) opened_here: bool,
    pub(crate) figures: Figures,
    lines: (RingAt, RingAt),
}

impl Peer {
    /// The connection between those two ports.
    ///
    /// Context: process context; waits for nobody.
    pub(crate) fn find(&self, local: u32, remote: u32) -> Option<Found> {
        let wanted = |ends: Ends| ends.local.port == local && ends.remote.port == remote;
        let (slot, waiter) = self.bells.find(0, |tally| wanted(tally.ends()))?;
        Some(self.found(slot, waiter))
    }

    /// The first connection from slot number `from` on.
    ///
    /// Context: process context; waits for nobody.
    pub(crate) fn next(&self, from: usize) -> Option<Found> {
        let (slot, waiter) = self.bells.find(from, |_| true)?;
        Some(self.found(slot, waiter))
    }

    fn found(&self, slot: Slot, waiter: Waiter) -> Found {
        Found {
            slot,
            kind: waiter.conn.kind(),
            opened_here: self.is_ours(slot),
            figures: waiter.conn.tally().figures(),
            lines: waiter.lines,
        }
    }

    /// Whether we have called, and the peer has answered.
    pub(crate) fn is_initiator(&self) -> bool {
        self.side == Side::Initiator
    }

    /// Writes all there is to know, a line or more for each connection.
    ///
    /// Context: process context; waits for nobody.
    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase.load(Relaxed) {
            phase if phase == Phase::Calling as u32 => "calling",
            phase if phase == Phase::Up as u32 => "up",
            phase if phase == Phase::Ended as u32 => "ended",
            phase if phase == Phase::Down as u32 => "down",
            _ => "over",
        };
        writeln!(
            f,
            "link: domid={} initiator={} phase={phase} sockets={} memory_kb={} events_sent={} events_received={}",
            self.domain.number(),
            u8::from(self.is_initiator()),
            self.account.sockets(),
            self.account.memory() / 1024,
            self.bells.sent.get(),
            self.bells.received.get(),
        )?;
        for (name, side) in [("send", self.side), ("receive", self.side.other())] {
            let lines = RingAt::new(self.header.clone(), wire::control_lines(side));
            write!(f, "  control ")?;
            sight::ring(f, name, &lines)?;
        }
        let mut from = 0;
        while let Some(found) = self.next(from) {
            from = found.slot.index() + 1;
            self.describe_socket(f, &found)?;
        }
        Ok(())
    }

    fn describe_socket(&self, f: &mut fmt::Formatter<'_>, found: &Found) -> fmt::Result {
        let figures = &found.figures;
        writeln!(
            f,
            "  socket: slot={} kind={} local_port={} remote_port={} opened_here={} sent={} received={} wakeups_sent={} wakeups_received={} blocked_sending={} blocked_receiving={} grown={}",
            found.slot.number(),
            match found.kind {
                Kind::Stream => "stream",
                Kind::Seqpacket => "seqpacket",
                Kind::Datagram => "dgram",
            },
            figures.ends.local.port,
            figures.ends.remote.port,
            u8::from(found.opened_here),
            figures.sent,
            figures.received,
            figures.wakeups_sent,
            figures.wakeups_received,
            figures.blocked_sending,
            figures.blocked_receiving,
            figures.grown,
        )?;
        let (send, receive) = &found.lines;
        for (name, lines, size) in [
            ("send", send, figures.send_ring),
            ("receive", receive, figures.receive_ring),
        ] {
            write!(f, "    size={size} ")?;
            sight::ring(f, name, lines)?;
        }
        Ok(())
    }
}
