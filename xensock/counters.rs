// SPDX-License-Identifier: GPL-2.0

//! What is counted: for all links together, and for each connection.

use crate::{
    link::wire::Reason,
    linux::percpu::PerCpuCounter,
    settings::Settings,
    trace,
    vsock::Address, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// A number that any thread may change.
pub(crate) struct Count(Atomic<u64>);

impl Count {
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// One more.
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// One less.
    pub(crate) fn down(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What has happened since the module was loaded. Each counter is for itself; read together they may
/// be a step apart.
pub(crate) struct Counters {
    /// Bytes that programs have sent over connections.
    pub(crate) sent: PerCpuCounter,
    /// Bytes that programs have received.
    pub(crate) received: PerCpuCounter,
    /// Events that went to other domains, for all connections of a link together.
    pub(crate) events_sent: Count,
    /// Events that came.
    pub(crate) events_received: Count,
    /// Links that there are.
    pub(crate) links: Count,
    /// Connections that there are, up to when their memory is free.
    pub(crate) sockets: Count,
    /// Connections that programs here have asked for.
    pub(crate) opened: Count,
    /// Connections that others have asked for and got.
    pub(crate) accepted: Count,
    /// Connections that programs here have asked for, and other domains have refused.
    pub(crate) refused_by_peer: Count,
    /// Connections that programs here have asked for, and the rules forbid.
    pub(crate) denied: Count,
    /// Connections that others have asked for, and this domain has refused: by the rules,
    pub(crate) refused_rule: Count,
    /// because nobody listened,
    pub(crate) refused_listener: Count,
    /// because too many waited to be accepted,
    pub(crate) refused_queue: Count,
    /// because the other domain had all that it may have,
    pub(crate) refused_limit: Count,
    /// or because there was no memory, or what was granted could not be mapped.
    pub(crate) refused_memory: Count,
    /// Times that one more connection would have been too many for a domain's account.
    pub(crate) over_sockets: Count,
    /// Times that more memory would have been too much for a domain's account.
    pub(crate) over_memory: Count,
    /// Events that were more than a link may have.
    pub(crate) over_events: Count,
    /// Connections that the other domain has ended.
    pub(crate) reset: Count,
    /// Rings that have gone over to a larger segment,
    pub(crate) rings_grown: Count,
    /// or to a smaller one.
    pub(crate) rings_shrunk: Count,
    /// Datagrams that programs have sent, to others' rings,
    pub(crate) datagrams_sent: Count,
    /// that have come and wait for programs, or did,
    pub(crate) datagrams_received: Count,
    /// and that have come in vain: no socket has their port, or too much waits there already, or
    /// the rules forbid it, or there was no memory.
    pub(crate) datagrams_lost: Count,
    /// Connections that ended because the other domain had broken a ring.
    pub(crate) broken_rings: Count,
    /// Links that ended because the other domain had broken them.
    pub(crate) broken_links: Count,
}

impl Counters {
    /// All are 0.
    ///
    /// Context: may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            sent: PerCpuCounter::new()?,
            received: PerCpuCounter::new()?,
            events_sent: Count::new(),
            events_received: Count::new(),
            links: Count::new(),
            sockets: Count::new(),
            opened: Count::new(),
            accepted: Count::new(),
            refused_by_peer: Count::new(),
            denied: Count::new(),
            refused_rule: Count::new(),
            refused_listener: Count::new(),
            refused_queue: Count::new(),
            refused_limit: Count::new(),
            refused_memory: Count::new(),
            over_sockets: Count::new(),
            over_memory: Count::new(),
            over_events: Count::new(),
            reset: Count::new(),
            rings_grown: Count::new(),
            rings_shrunk: Count::new(),
            datagrams_sent: Count::new(),
            datagrams_received: Count::new(),
            datagrams_lost: Count::new(),
            broken_rings: Count::new(),
            broken_links: Count::new(),
        })
    }

    /// Counts a connection that this domain has refused.
    pub(crate) fn refused(&self, reason: Reason) {
        match reason {
            Reason::Denied => &self.refused_rule,
            Reason::NoListener => &self.refused_listener,
            Reason::Limit => &self.refused_limit,
            Reason::NoMemory => &self.refused_memory,
            _ => &self.refused_queue,
        }
        .up();
    }
}

/// Between whom a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) local: Address,
    pub(crate) remote: Address,
}

/// What one connection has done.
///
/// Each number is changed under one lock only, that of the ring or of the socket, so that nothing
/// more is paid for it than for any other word of the connection.
pub(crate) struct Tally {
    settings: Arc<Settings>,
    local_port: Atomic<u32>,
    remote_cid: Atomic<u32>,
    remote_port: Atomic<u32>,
    sent: Atomic<u64>,
    received: Atomic<u64>,
    wakeups_sent: [Atomic<u64>; 2],
    wakeups_received: Atomic<u64>,
    blocked_sending: Atomic<u64>,
    blocked_receiving: Atomic<u64>,
    send_ring: Atomic<u32>,
    receive_ring: Atomic<u32>,
    grown: [Atomic<u64>; 2],
}

/// What a [`Tally`] says.
pub(crate) struct Figures {
    pub(crate) ends: Ends,
    /// In bytes, as what follows.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) send_ring: u32,
    pub(crate) receive_ring: u32,
    /// How often the other end was to be woken.
    pub(crate) wakeups_sent: u64,
    /// How often this end was.
    pub(crate) wakeups_received: u64,
    /// How often a program had to wait, or would have had.
    pub(crate) blocked_sending: u64,
    pub(crate) blocked_receiving: u64,
    /// How often a ring went over to another segment.
    pub(crate) grown: u64,
}

/// An end of a connection's direction.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Send = 0,
    Receive = 1,
}

/// Adds to a number that nobody else changes at the time.
fn add(number: &Atomic<u64>, amount: u64) {
    number.store(number.load(Relaxed).wrapping_add(amount), Relaxed);
}

impl Tally {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            local_port: Atomic::new(0),
            remote_cid: Atomic::new(0),
            remote_port: Atomic::new(0),
            sent: Atomic::new(0),
            received: Atomic::new(0),
            wakeups_sent: [const { Atomic::new(0) }; 2],
            wakeups_received: Atomic::new(0),
            blocked_sending: Atomic::new(0),
            blocked_receiving: Atomic::new(0),
            send_ring: Atomic::new(0),
            receive_ring: Atomic::new(0),
            grown: [const { Atomic::new(0) }; 2],
        }
    }

    /// Says between whom the connection is.
    pub(crate) fn meet(&self, ends: Ends) {
        self.local_port.store(ends.local.port, Relaxed);
        self.remote_cid.store(ends.remote.cid, Relaxed);
        self.remote_port.store(ends.remote.port, Relaxed);
    }

    /// Between whom the connection is.
    pub(crate) fn ends(&self) -> Ends {
        Ends {
            local: Address {
                cid: self.settings.own().cid(),
                port: self.local_port.load(Relaxed),
            },
            remote: Address {
                cid: self.remote_cid.load(Relaxed),
                port: self.remote_port.load(Relaxed),
            },
        }
    }

    /// Bytes were sent. The socket is locked.
    pub(crate) fn sent(&self, bytes: u32) {
        add(&self.sent, bytes.into());
        self.settings.counters.sent.add(bytes);
    }

    /// Bytes were received. The socket is locked.
    pub(crate) fn received(&self, bytes: u32) {
        add(&self.received, bytes.into());
        self.settings.counters.received.add(bytes);
    }

    /// The other end is woken. Under the lock of the ring that it is about.
    pub(crate) fn wakes(&self, way: Way) {
        add(&self.wakeups_sent[way as usize], 1);
    }

    /// This end is woken. Only by the handler of the link's events.
    pub(crate) fn woken(&self) {
        add(&self.wakeups_received, 1);
    }

    /// A program has to wait. The socket is locked.
    pub(crate) fn blocked(&self, way: Way) {
        match way {
            Way::Send => add(&self.blocked_sending, 1),
            Way::Receive => add(&self.blocked_receiving, 1),
        }
    }

    /// A ring has, or gets, that size in bytes. Under its lock.
    pub(crate) fn ring(&self, way: Way, bytes: u32) {
        let size = match way {
            Way::Send => &self.send_ring,
            Way::Receive => &self.receive_ring,
        };
        let before = size.xchg(bytes, Relaxed);
        if before > 0 && bytes != before {
            add(&self.grown[way as usize], 1);
            let counters = &self.settings.counters;
            if bytes > before {
                counters.rings_grown.up();
            } else {
                counters.rings_shrunk.up();
            }
            let sending = matches!(way, Way::Send);
            trace::grow(&self.ends().into(), sending, before, bytes);
        }
    }

    /// All that it says.
    pub(crate) fn figures(&self) -> Figures {
        let sum =
            |ways: &[Atomic<u64>; 2]| -> u64 { ways.iter().map(|way| way.load(Relaxed)).sum() };
        Figures {
            ends: self.ends(),
            sent: self.sent.load(Relaxed),
            received: self.received.load(Relaxed),
            send_ring: self.send_ring.load(Relaxed),
            receive_ring: self.receive_ring.load(Relaxed),
            wakeups_sent: sum(&self.wakeups_sent),
            wakeups_received: self.wakeups_received.load(Relaxed),
            blocked_sending: self.blocked_sending.load(Relaxed),
            blocked_receiving: self.blocked_receiving.load(Relaxed),
            grown: sum(&self.grown),
        }
    }
}
