// SPDX-License-Identifier: GPL-2.0

//! What `af_vsock` asks of us.
//!
//! All calls but [`local_cid`](Transport::local_cid) and [`has_remote`](Transport::has_remote) come
//! with the socket locked.

use crate::{
    conn::Conn,
    counters::Tally,
    driver::Driver,
    link::wire::DATAGRAM_MAX,
    linux::work::Worker,
    vsock::{
        Address,
        Incoming,
        Kind,
        Locked,
        Outgoing,
        Shutdown,
        State,
        Transport, //
    },
    xen::domain::DomId, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    }, //
};

impl Transport for Worker<Driver> {
    type Socket = Conn;

    const DATAGRAMS: bool = true;

    fn local_cid(&self) -> u32 {
        self.own().cid()
    }

    fn has_remote(&self, cid: u32) -> bool {
        DomId::from_cid(cid).is_some()
    }

    fn init(&self, sock: &Locked, _listener: Option<&Locked>) -> Result<Arc<Conn>> {
        let tally = Arc::new(Tally::new(self.settings().clone()), GFP_KERNEL)?;
        Arc::pin_init(Conn::new(sock.kind(), tally), GFP_KERNEL)
    }

    fn allow(&self, sock: &Locked, _conn: ArcBorrow<'_, Conn>, remote: Address) -> bool {
        let peer = DomId::from_cid(remote.cid);
        sock.is_global() && peer.is_some_and(|peer| peer != self.own())
    }

    fn connect(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>) -> Result {
        let remote = sock.remote();
        let peer = DomId::from_cid(remote.cid).ok_or(ENODEV)?;
        self.may_connect(peer, remote.port)?;
        let (link, new) = self.link(peer)?;
        if new {
            // The worker looks after links until they end.
            self.kick();
        }
        link.open(sock, &conn.into())
    }

    fn cancel(&self, _sock: &Locked, conn: ArcBorrow<'_, Conn>) {
        conn.close();
    }

    fn release(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>) {
        if sock.kind() == Kind::Datagram {
            self.settings().ports.release(sock);
        }
        conn.close();
    }

    fn shutdown(&self, _sock: &Locked, conn: ArcBorrow<'_, Conn>, how: Shutdown) -> Result {
        conn.shutdown(how);
        Ok(())
    }

    fn receive(
        &self,
        sock: &Locked,
        conn: ArcBorrow<'_, Conn>,
        to: &mut Incoming<'_>,
        len: usize,
    ) -> Result<usize> {
        conn.receive(sock, to, len)
    }

    fn send(
        &self,
        sock: &Locked,
        conn: ArcBorrow<'_, Conn>,
        from: &mut Outgoing<'_>,
        len: usize,
    ) -> Result<usize> {
        conn.send(sock, from, len)
    }

    fn readable(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>) -> Result<usize> {
        Ok(conn.readable(sock))
    }

    fn writable(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>) -> usize {
        conn.writable(sock)
    }

    /// Not while `connect()` is under way: what the peer writes to a ring may be seen before the
    /// message that it has accepted, and a program that polls takes the first news for that.
    fn is_active(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>) -> bool {
        sock.state() != State::Connecting && conn.is_attached()
    }

    fn receive_record(
        &self,
        sock: &Locked,
        conn: ArcBorrow<'_, Conn>,
        to: &mut Incoming<'_>,
    ) -> Result<usize> {
        conn.receive_packet(sock, to)
    }

    fn send_record(
        &self,
        sock: &Locked,
        conn: ArcBorrow<'_, Conn>,
        from: &mut Outgoing<'_>,
        len: usize,
    ) -> Result<usize> {
        conn.send_packet(sock, from, len)
    }

    fn record_readable(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>) -> u32 {
        conn.readable(sock) as u32
    }

    fn await_data(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>, target: usize) -> Result<bool> {
        Ok(conn.await_data(sock, target))
    }

    fn sleep_on_data(
        &self,
        sock: &Locked,
        conn: ArcBorrow<'_, Conn>,
        target: usize,
    ) -> Result<bool> {
        let patience = self.settings().patience();
        Ok(conn.look_for_data(sock, target, patience) || conn.await_data(sock, target))
    }

    fn await_space(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>) -> Result<bool> {
        Ok(conn.await_space(sock))
    }

    fn buffer_size(&self, _sock: &Locked, conn: ArcBorrow<'_, Conn>, wanted: u64) -> u64 {
        conn.set_limit(wanted)
    }

    fn bind_datagram(&self, sock: &Locked, _conn: ArcBorrow<'_, Conn>, wanted: Address) -> Result {
        self.settings().ports.bind(sock, wanted)
    }

    fn allow_datagram(&self, sock: &Locked, conn: ArcBorrow<'_, Conn>, remote: Address) -> bool {
        self.allow(sock, conn, remote)
    }

    fn send_datagram(
        &self,
        sock: &Locked,
        _conn: ArcBorrow<'_, Conn>,
        remote: Address,
        message: &mut Outgoing<'_>,
        len: usize,
    ) -> Result<usize> {
        let peer = DomId::from_cid(remote.cid).ok_or(ENODEV)?;
        if len > DATAGRAM_MAX as usize {
            return Err(EMSGSIZE);
        }
        self.may_connect(peer, remote.port)?;
        // Before anything is locked that others need: the program's memory may take its time.
        let mut payload = KVec::with_capacity(len, GFP_KERNEL)?;
        if message
            .source()
            .copy_from_iter_vec(&mut payload, GFP_KERNEL)?
            != len
        {
            return Err(EFAULT);
        }
        let (link, new) = self.link(peer)?;
        if new {
            self.kick();
        }
        link.send_datagram(sock.local().port, remote.port, &payload)?;
        Ok(len)
    }

    /// Nothing: what is in the ring can be received, whatever its sender does.
    fn unsent(&self, _sock: &Locked, _conn: ArcBorrow<'_, Conn>) -> usize {
        0
    }
}
