// SPDX-License-Identifier: GPL-2.0

//! What programs ask `/dev/xensock` for.
//!
//! Header for programs: `xensock/uapi/xensock.h`.

use crate::{
    driver::{
        Driver,
        Found, //
    },
    link::policy::Verdict,
    linux::{
        device::{
            Call,
            Ioctl, //
        },
        uapi::{
            SockCheck,
            SockSocket,
            SockStats,
            SOCK_CHECK,
            SOCK_GET_SOCKET,
            SOCK_GET_STATS,
            SOCK_IN,
            SOCK_NEXT_SOCKET,
            SOCK_OUT,
            SOCK_VERSION, //
        },
        work::Worker, //
    },
    vsock::Kind,
    xen::domain::DomId, //
};
use kernel::{
    bindings,
    prelude::*,
    uaccess::UserSlice, //
};

/// Bytes of a KiB.
const KIB: u64 = 1024;

/// Checks what all arguments begin with, and that what is reserved is zero.
fn check(version: u32, reserved0: u32, reserved: &[u64]) -> Result {
    let zero = reserved0 == 0 && reserved.iter().all(|&word| word == 0);

    if version == SOCK_VERSION && zero {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Calls `find` with what was asked for, and writes what it finds to where that was.
fn socket(argument: UserSlice, find: impl FnOnce(&SockSocket) -> Option<Found>) -> Result {
    let (mut reader, mut writer) = argument.reader_writer();
    let asked: SockSocket = reader.read()?;
    check(asked.version, 0, &asked.reserved)?;

    let found = find(&asked).ok_or(ENOENT)?;
    let figures = found.figures;
    writer.write(&SockSocket {
        version: SOCK_VERSION,
        local_port: figures.ends.local.port,
        remote_cid: figures.ends.remote.cid,
        remote_port: figures.ends.remote.port,
        type_: match found.kind {
            Kind::Stream => bindings::sock_type_SOCK_STREAM,
            Kind::Seqpacket => bindings::sock_type_SOCK_SEQPACKET,
            Kind::Datagram => bindings::sock_type_SOCK_DGRAM,
        },
        opened_here: found.opened_here.into(),
        cursor: found.cursor,
        sent_bytes: figures.sent,
        received_bytes: figures.received,
        send_ring_bytes: figures.send_ring.into(),
        receive_ring_bytes: figures.receive_ring.into(),
        wakeups_sent: figures.wakeups_sent,
        wakeups_received: figures.wakeups_received,
        blocked_sending: figures.blocked_sending,
        blocked_receiving: figures.blocked_receiving,
        rings_grown: figures.grown,
        ..SockSocket::default()
    })
}

/// `XENSOCK_GET_SOCKET`.
fn get_socket(driver: &Driver, argument: UserSlice) -> Result {
    socket(argument, |asked| {
        let peer = DomId::from_cid(asked.remote_cid)?;
        driver.find(peer, asked.local_port, asked.remote_port)
    })
}

/// `XENSOCK_NEXT_SOCKET`.
fn next_socket(driver: &Driver, argument: UserSlice) -> Result {
    socket(argument, |asked| driver.next(asked.cursor))
}

/// `XENSOCK_GET_STATS`.
fn get_stats(driver: &Driver, argument: UserSlice) -> Result {
    let (mut reader, mut writer) = argument.reader_writer();
    let asked: SockStats = reader.read()?;
    check(asked.version, asked.reserved0, &asked.reserved)?;

    let settings = driver.settings();
    let counters = &settings.counters;
    writer.write(&SockStats {
        version: SOCK_VERSION,
        cid: driver.own().cid(),
        closed: (settings.default_verdict() == Verdict::Deny).into(),
        first_ring_kb: u64::from(settings.first_forth().bytes()) / KIB,
        largest_ring_kb: u64::from(settings.last().bytes()) / KIB,
        max_sockets_per_peer: settings.most_sockets(),
        memory_per_peer_kb: settings.most_memory() / KIB,
        events_per_link_hz: settings.most_events().unwrap_or(0).into(),
        links: counters.links.get(),
        sockets: counters.sockets.get(),
        sent_bytes: counters.sent.sum(),
        received_bytes: counters.received.sum(),
        events_sent: counters.events_sent.get(),
        events_received: counters.events_received.get(),
        opened: counters.opened.get(),
        accepted: counters.accepted.get(),
        refused_by_peer: counters.refused_by_peer.get(),
        denied: counters.denied.get(),
        refused_rule: counters.refused_rule.get(),
        refused_listener: counters.refused_listener.get(),
        refused_queue: counters.refused_queue.get(),
        refused_limit: counters.refused_limit.get(),
        refused_memory: counters.refused_memory.get(),
        over_sockets: counters.over_sockets.get(),
        over_memory: counters.over_memory.get(),
        over_events: counters.over_events.get(),
        reset: counters.reset.get(),
        rings_grown: counters.rings_grown.get(),
        broken_rings: counters.broken_rings.get(),
        broken_links: counters.broken_links.get(),
        rings_shrunk: counters.rings_shrunk.get(),
        datagrams_sent: counters.datagrams_sent.get(),
        datagrams_received: counters.datagrams_received.get(),
        datagrams_lost: counters.datagrams_lost.get(),
        ..SockStats::default()
    })
}

/// `XENSOCK_CHECK`.
fn check_rules(driver: &Driver, argument: UserSlice) -> Result {
    let (mut reader, mut writer) = argument.reader_writer();
    let asked: SockCheck = reader.read()?;
    check(asked.version, asked.reserved0, &asked.reserved)?;

    let peer = DomId::from_cid(asked.cid).ok_or(EINVAL)?;
    let verdict = match asked.direction {
        SOCK_IN => driver.incoming(peer, asked.port),
        SOCK_OUT => driver.outgoing(peer, asked.port),
        _ => return Err(EINVAL),
    };
    writer.write(&SockCheck {
        allowed: (verdict == Verdict::Allow).into(),
        ..asked
    })
}

impl Ioctl for Worker<Driver> {
    fn ioctl(&self, call: Call) -> Result {
        match call.command {
            SOCK_GET_SOCKET => get_socket(self, call.argument),
            SOCK_NEXT_SOCKET => next_socket(self, call.argument),
            SOCK_GET_STATS => get_stats(self, call.argument),
            SOCK_CHECK => check_rules(self, call.argument),
            _ => Err(ENOTTY),
        }
    }
}
