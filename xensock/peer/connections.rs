// SPDX-License-Identifier: GPL-2.0

//! The connections over a link: how they come about, and how they end.

use super::{
    admission::no_memory,
    first,
    later::Later,
    Peer, //
};
use crate::{
    account::Seat,
    bells::{
        Waiter,
        CONTROL, //
    },
    conn::Conn,
    control::Lost,
    counters::{
        Ends,
        Way, //
    },
    driver::Driver,
    ends::End,
    link::{
        ring::{
            Consumer,
            Producer, //
        },
        segment::Size,
        slots::{
            Slot,
            SLOTS, //
        },
        stage::{
            Leave,
            Stage, //
        },
        turn::Turn,
        wire::{
            self,
            Connect,
            Direction,
            Message,
            Reason,
            Segments,
            Socket, //
        }, //
    },
    linux::work::Worker,
    memory::{
        RingAt,
        Shared, //
    },
    records::Record,
    vsock::{
        self,
        Child,
        Kind,
        Locked,
        Shutdown,
        SocketError,
        State, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

impl Peer {
    /// Opens a connection for `sock`.
    ///
    /// Context: process context, may sleep; `sock` is locked.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if there are too many to this domain, `ENOMEM`, `ENOSPC` (no grant is left).
    pub(crate) fn open(&self, sock: &Locked, conn: &Arc<Conn>) -> Result {
        let sizes = self.settings.first();
        let seat = Seat::take(&self.account)?;
        let grant = |pages| Shared::grant(&self.account, self.domain, pages, GFP_KERNEL);
        let page = grant(1)?;
        let [forth, back] = sizes.map(|size| grant(size.pages() as usize));
        let segments = [forth?, back?];
        let [forth, back] = &segments;
        let (local, remote) = (sock.local(), sock.remote());

        let mut records = self.records.lock();
        let slot = records
            .free(self.side, SLOTS / 2)
            .ok_or(SocketError::NoBuffers)?;
        let connect = Connect {
            slot,
            socket: match sock.kind() {
                Kind::Seqpacket => Socket::SeqPacket,
                _ => Socket::Stream,
            },
            src_port: local.port,
            dst_port: remote.port,
            limit: u32::try_from(sock.buffer_size()).unwrap_or(u32::MAX),
            page: first(&page)?,
            segments: Segments::new(sizes, [forth.refs(), back.refs()]).ok_or(EINVAL)?,
        };
        let parts = (page.clone(), segments.clone(), seat);
        let turn = records.begin(slot);
        let record = Record::new(turn, conn.clone(), Stage::Opening, parts);
        let record = KBox::new(record, GFP_KERNEL)?;
        if !self.is_alive() {
            return Err(SocketError::ConnectionReset.into());
        }
        conn.tally().meet(Ends { local, remote });
        self.attach(sock, conn, turn, &page, &segments, sizes)?;
        records.set(record);
        drop(records);

        self.note_connect(&connect);
        self.post(Message::Connect(connect));
        Ok(())
    }

    /// Gives a connection its rings, and has its socket woken when they change.
    pub(super) fn attach(
        &self,
        sock: &Locked,
        conn: &Arc<Conn>,
        turn: Turn,
        page: &Arc<Shared>,
        segments: &[Arc<Shared>; 2],
        sizes: [Size; 2],
    ) -> Result {
        let link = self.bells.worker().ok_or(SocketError::ConnectionReset)?;
        let ours = Direction::written_by(self.side, turn.slot().opener());
        let theirs = ours.other();
        let lines = |direction| RingAt::new(page.clone(), wire::lines(direction));
        let waiter = Waiter::new(
            turn,
            (sock.hold(), conn.clone()),
            (lines(ours), lines(theirs)),
        );
        let tx = End::new(
            link.clone(),
            turn,
            lines(ours),
            Producer::new(sizes[ours.index()]),
            segments[ours.index()].clone(),
            (conn.tally().clone(), Way::Send),
        );
        let rx = End::new(
            link,
            turn,
            lines(theirs),
            Consumer::new(sizes[theirs.index()]),
            segments[theirs.index()].clone(),
            (conn.tally().clone(), Way::Receive),
        );
        conn.attach(tx, rx, sock.buffer_size());
        self.bells.set(waiter);
        Ok(())
    }

    /// Whether we have opened the connection in `slot`.
    pub(super) fn is_ours(&self, slot: Slot) -> bool {
        slot.opener() == self.side
    }

    /// Takes a message of the peer.
    pub(super) fn handle(&self, message: Message) -> Result<(), Lost> {
        let ours = message.slot().is_some_and(|slot| self.is_ours(slot));
        match (message, ours) {
            (Message::Connect(connect), false) => self.connect(&connect),
            (Message::Accept { slot }, true) => self.accepted(slot),
            (Message::Refuse { slot, reason }, true) => self.refused(slot, reason),
            (Message::Reset { slot, reason }, _) => self.reset(slot, reason),
            (Message::Released { slot }, true) => self.released(slot),
            (Message::Want { slot, size }, true) => {
                self.want(slot, size);
                Ok(())
            }
            (Message::NoLarger { slot, size }, false) => {
                self.no_larger(slot, size);
                Ok(())
            }
            (Message::Offer(offer), false) => self.offered(&offer),
            (Message::Taken { slot, direction }, true) => self.taken(slot, direction),
            (Message::Declined { slot, direction }, true) => self.declined(slot, direction),
            (Message::Dropped { slot, direction }, true) => self.dropped(slot, direction),
            (Message::Goodbye, _) => {
                self.end();
                Ok(())
            }
            _ => Err(Lost),
        }
    }

    /// The peer opens a connection.
    pub(super) fn connect(&self, connect: &Connect) -> Result<(), Lost> {
        let slot = connect.slot;
        let used = self.records.lock().get(slot).is_some();
        if slot.number() == CONTROL || used || self.is_put_off(slot) {
            return Err(Lost);
        }
        self.soon(Later::Connect(*connect));
        Ok(())
    }

    /// Makes a connection that the peer opens. Returns false if its listener is locked.
    pub(super) fn admit(&self, connect: &Connect) -> Result<bool, Reason> {
        self.allows(connect.dst_port)?;
        let ends = self.ends_of(connect);
        let kind = match connect.socket {
            Socket::Stream => Kind::Stream,
            Socket::SeqPacket => Kind::Seqpacket,
        };
        let listener = vsock::find_bound(ends.local).ok_or(Reason::NoListener)?;
        let Some(listener) = listener.try_lock() else {
            return match listener.state() {
                State::Listening => Ok(false),
                _ => Err(Reason::NoListener),
            };
        };
        if listener.state() != State::Listening || listener.kind() != kind {
            return Err(Reason::NoListener);
        }
        let seat = Seat::take(&self.account).map_err(|_| Reason::Limit)?;
        let map = |refs: &[u32]| Shared::map(&self.account, self.domain, refs).map_err(no_memory);
        let page = map(&[connect.page])?;
        let segments = [
            map(connect.segments.refs(Direction::FromOpener))?,
            map(connect.segments.refs(Direction::ToOpener))?,
        ];

        let child = Child::<Worker<Driver>>::new(&listener, ends.local, ends.remote);
        let child = child.map_err(|error| match error {
            ENOMEM => Reason::NoMemory,
            _ => Reason::Busy,
        })?;
        let conn: Arc<Conn> = child.socket().into();
        let parts = (page.clone(), segments.clone(), seat);
        let turn = self.records.lock().begin(connect.slot);
        let record = Record::new(turn, conn.clone(), Stage::Open, parts);
        let record = KBox::new(record, GFP_KERNEL).map_err(|_| Reason::NoMemory)?;
        conn.tally().meet(ends);
        let attached = self.attach(
            child.locked(),
            &conn,
            turn,
            &page,
            &segments,
            connect.segments.sizes(),
        );
        attached.map_err(|_| Reason::Closed)?;
        self.records.lock().set(record);
        child.enqueue();
        Ok(true)
    }

    /// The peer has made a connection that we open.
    pub(super) fn accepted(&self, slot: Slot) -> Result<(), Lost> {
        let (turn, told) = {
            let mut records = self.records.lock();
            let record = records.get(slot).ok_or(Lost)?;
            (record.turn, record.stage.accepted()?)
        };
        if let Some(sock) = self.bells.sock(turn).filter(|_| told) {
            self.soon(Later::Connected(turn, sock));
        }
        Ok(())
    }

    /// The peer does not make a connection that we open.
    pub(super) fn refused(&self, slot: Slot, reason: Reason) -> Result<(), Lost> {
        let (record, told) = {
            let mut records = self.records.lock();
            let told = records.get(slot).ok_or(Lost)?.stage.refused()?;
            (records.take(slot), told)
        };
        if let Some(record) = record.filter(|_| told) {
            let sock = self.bells.sock(record.turn);
            self.bells.forget(record.turn);
            record.conn.detach(record.turn);
            self.note_refused(&record.conn, reason);
            if let Some(sock) = sock {
                let error = match reason {
                    Reason::Denied => SocketError::ConnectionRefused.into(),
                    Reason::NoMemory => ENOMEM,
                    Reason::Limit => SocketError::NoBuffers.into(),
                    _ => SocketError::ConnectionReset.into(),
                };
                self.soon(Later::Refused(record.conn.clone(), sock, error));
            }
        }
        Ok(())
    }

    /// Ends a connection for its program, with an error.
    pub(super) fn disconnect(&self, turn: Turn, conn: &Arc<Conn>) {
        let error = SocketError::ConnectionReset.into();
        let sock = self.bells.sock(turn);
        self.bells.forget(turn);
        conn.detach(turn);
        match sock {
            Some(sock) if sock.state() == State::Connecting => {
                self.soon(Later::Refused(conn.clone(), sock, error));
            }
            Some(sock) => sock.lost(error),
            None => {}
        }
    }

    /// Ends a connection for its program where the link ends. What the peer has sent before it closed
    /// can still be received: the memory is ours.
    pub(super) fn unlink(&self, record: &Record) {
        let turn = record.turn;
        if record.stage != Stage::Released {
            self.disconnect(turn, &record.conn);
            return;
        }
        let sock = self.bells.sock(turn);
        self.bells.forget(turn);
        record.conn.outlive(turn);
        if let Some(sock) = sock {
            sock.peer_shutdown(Shutdown::RECEIVE);
            sock.state_change();
        }
    }

    /// The peer has ended a connection.
    pub(super) fn reset(&self, slot: Slot, reason: Reason) -> Result<(), Lost> {
        let found = |record: &mut Record| (record.turn, record.conn.clone());
        let found = self.records.lock().get(slot).map(found);
        let Some((turn, conn)) = found else {
            // It was on its way when we let go, or comes before we could answer.
            self.forget(slot);
            return Ok(());
        };
        self.note_reset(&conn, reason);
        self.disconnect(turn, &conn);
        self.finish(turn);
        Ok(())
    }

    /// Nobody here uses a connection any more.
    pub(super) fn finish(&self, turn: Turn) {
        let slot = turn.slot();
        let mut records = self.records.lock();
        let Some(record) = records.at(turn) else {
            return;
        };
        if !self.is_ours(slot) {
            let record = records.take(slot);
            drop(records);
            drop(record);
            self.post(Message::Released { slot });
            return;
        }
        match record.stage.left() {
            Leave::Wait => {}
            Leave::Cancel => {
                drop(records);
                let reason = Reason::Cancelled;
                self.post(Message::Reset { slot, reason });
            }
            Leave::Forget => {
                let record = records.take(slot);
                drop(records);
                drop(record);
            }
        }
    }

    /// The peer has nothing of a connection mapped any more. What it has sent can still be received:
    /// the memory is ours.
    pub(super) fn released(&self, slot: Slot) -> Result<(), Lost> {
        let record = {
            let mut records = self.records.lock();
            match records.get(slot).ok_or(Lost)?.stage.released()? {
                true => records.take(slot),
                false => None,
            }
        };
        drop(record);
        Ok(())
    }
}
