// SPDX-License-Identifier: GPL-2.0

//! One connection, as its socket sees it: bytes and packets between a program's memory and a ring.
//!
//! A copy may take as long as the program's memory wants (`userfaultfd`, FUSE): while there is one
//! the socket is locked, so that it is the only one, but nothing else is. The link's worker waits
//! for no program.

mod wait;

use crate::{
    busy::Busy,
    counters::Tally,
    ends::{
        End,
        Rx,
        Switched,
        Tx, //
    },
    link::{
        grow::larger,
        packet::{
            Header,
            DATA,
            EOR, //
        },
        ring::{
            Broken,
            Field,
            Lines, //
        },
        segment::Size,
        turn::Turn,
        wire::Direction, //
    },
    memory::Shared,
    vsock::{
        Incoming,
        Kind,
        Locked,
        Outgoing,
        Shutdown,
        SocketError, //
    },
    wishes::Wish, //
};
use kernel::{
    new_spinlock,
    pr_warn_once,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLock, //
    }, //
};

/// As much is published at once, in bytes: the reader works while the writer does.
const STRIDE: u32 = 128 << 10;

/// What a socket wants to be buffered whose program has said nothing, in bytes
/// (`VSOCK_DEFAULT_BUFFER_SIZE` in `net/vmw_vsock/af_vsock.c`).
const DEFAULT_BUFFER_SIZE: u64 = 256 << 10;

/// A connection, or what may become one.
#[pin_data]
pub(crate) struct Conn {
    kind: Kind,
    tally: Arc<Tally>,
    /// The most bytes that may be on their way, where the program has said so; 0 where not.
    limit: Atomic<u32>,
    /// What a packet that waits to be sent takes in the ring, in bytes.
    need: Atomic<u32>,
    /// The ring cannot be larger than this, in bytes.
    most: Atomic<u32>,
    busy: Busy,
    #[pin]
    tx: SpinLock<Option<Tx>>,
    #[pin]
    rx: SpinLock<Option<Rx>>,
}

impl Conn {
    /// Not connected.
    pub(crate) fn new(kind: Kind, tally: Arc<Tally>) -> impl PinInit<Self> {
        pin_init!(Self {
            kind,
            tally,
            limit: Atomic::new(0),
            need: Atomic::new(0),
            most: Atomic::new(Size::MAX.bytes()),
            busy: Busy::new(),
            tx <- new_spinlock!(None),
            rx <- new_spinlock!(None),
        })
    }

    /// Of what kind its socket is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What it has done.
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Gives the connection its rings.
    pub(crate) fn attach(&self, tx: Tx, rx: Rx, buffer_size: u64) {
        rx.ring.set_limit(&rx.lines, self.set_bounds(buffer_size));
        self.need.store(0, Relaxed);
        self.most.store(Size::MAX.bytes(), Relaxed);
        *self.tx.lock() = Some(tx);
        *self.rx.lock() = Some(rx);
    }

    /// Whether it has rings.
    pub(crate) fn is_attached(&self) -> bool {
        self.rx.lock().is_some()
    }

    /// Takes the rings of `turn` away: a socket that has connected in vain may do so once more.
    pub(crate) fn detach(&self, turn: Turn) {
        let tx = self.tx.lock().take_if(|tx| tx.turn == turn);
        let rx = self.rx.lock().take_if(|rx| rx.turn == turn);
        drop((tx, rx));
    }

    /// The link of `turn` has ended, and the peer had closed before: what has come can be received.
    pub(crate) fn outlive(&self, turn: Turn) {
        let tx = self.tx.lock().take_if(|tx| tx.turn == turn);
        let link = self.with_rx(turn, |rx| rx.link.take());
        drop((tx, link));
    }

    /// Does something with the writing end, if there is one.
    fn any_tx<T>(&self, f: impl FnOnce(&mut Tx) -> T) -> Option<T> {
        let mut tx = self.tx.lock();
        let tx: &mut Option<Tx> = &mut tx;
        tx.as_mut().map(f)
    }

    /// Does something with the reading end, if there is one.
    fn any_rx<T>(&self, f: impl FnOnce(&mut Rx) -> T) -> Option<T> {
        let mut rx = self.rx.lock();
        let rx: &mut Option<Rx> = &mut rx;
        rx.as_mut().map(f)
    }

    /// Does something with the writing end, if it is that of `turn`.
    fn with_tx<T>(&self, turn: Turn, f: impl FnOnce(&mut Tx) -> T) -> Option<T> {
        self.any_tx(|tx| (tx.turn == turn).then(|| f(tx)))?
    }

    /// Does something with the reading end, if it is that of `turn`.
    pub(crate) fn with_rx<T>(&self, turn: Turn, f: impl FnOnce(&mut Rx) -> T) -> Option<T> {
        self.any_rx(|rx| (rx.turn == turn).then(|| f(rx)))?
    }

    /// As [`Conn::any_tx`]; a broken ring ends the connection.
    fn try_tx<T>(&self, sock: &Locked, f: impl FnOnce(&mut Tx) -> Result<T, Broken>) -> Result<T> {
        let mut tx = self.tx.lock();
        let tx: &mut Option<Tx> = &mut tx;
        let tx = tx.as_mut().ok_or(SocketError::ConnectionReset)?;
        f(tx).map_err(|broken| give_up(sock, tx, broken))
    }

    /// As [`Conn::any_rx`]; a broken ring ends the connection.
    fn try_rx<T>(&self, sock: &Locked, f: impl FnOnce(&mut Rx) -> Result<T, Broken>) -> Result<T> {
        let mut rx = self.rx.lock();
        let rx: &mut Option<Rx> = &mut rx;
        let rx = rx.as_mut().ok_or(SocketError::ConnectionReset)?;
        f(rx).map_err(|broken| give_up(sock, rx, broken))
    }

    fn limit(&self) -> u32 {
        match self.limit.load(Relaxed) {
            0 => u32::MAX,
            limit => limit,
        }
    }

    /// Sets how many bytes the program wants to be buffered: that bounds the packets that it takes,
    /// and what it sends, if it has said so. Returns what it is.
    pub(crate) fn set_limit(&self, wanted: u64) -> u64 {
        let limit = self.set_bounds(wanted);
        self.any_rx(|rx| rx.ring.set_limit(&rx.lines, limit));
        u64::from(limit)
    }

    /// What it is may have been set before there was a connection, or be the core's own default.
    fn set_bounds(&self, wanted: u64) -> u32 {
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX).max(1);
        let said = wanted != DEFAULT_BUFFER_SIZE;
        self.limit.store(if said { limit } else { 0 }, Relaxed);
        limit
    }

    /// Sends at most `len` bytes, as many as there is room for.
    pub(crate) fn send(&self, sock: &Locked, from: &mut Outgoing<'_>, len: usize) -> Result<usize> {
        let limit = self.limit();
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let mut sent = 0;
        while sent < len {
            let claimed = self.try_tx(sock, |tx| {
                let most = (len - sent).min(STRIDE);
                let room = tx.room(limit, most)?;
                Ok(tx.claim(room.min(most)))
            });
            let part = match claimed {
                Ok(Some(part)) => part,
                Err(error) if sent == 0 => return Err(error),
                _ => break,
            };
            let copied = part.copy_in(from.source());
            let published = self.try_tx(sock, |tx| tx.publish(copied));
            self.tally.sent(copied);
            if sent == 0 {
                published?;
                if copied == 0 {
                    return Err(EFAULT);
                }
            }
            sent += copied;
            if copied < part.len() {
                break;
            }
        }
        self.rearm_space(sock, sent < len);
        Ok(sent as usize)
    }

    /// Sends a packet of `len` bytes, or nothing if there is no room for all of it.
    pub(crate) fn send_packet(
        &self,
        sock: &Locked,
        from: &mut Outgoing<'_>,
        len: usize,
    ) -> Result<usize> {
        let header = Header {
            len: u32::try_from(len).map_err(|_| EMSGSIZE)?,
            flags: if from.end_of_record() { EOR } else { 0 },
            kind: DATA,
        };
        let space = header.footprint().ok_or(EMSGSIZE)?;
        let claimed = self.try_tx(sock, |tx| {
            let limit = tx.lines.load(Field::Limit);
            let most = self.most.load(Relaxed).min(tx.largest().bytes());
            if header.len > limit || space > most {
                return Ok(Err(EMSGSIZE));
            }
            tx.claim_packet(header).map(Ok)
        })??;
        let Some((part, footprint)) = claimed else {
            self.need.store(space, Relaxed);
            self.rearm_space(sock, true);
            return Ok(0);
        };
        self.need.store(0, Relaxed);

        let whole = part.copy_in(from.source()) == header.len;
        self.try_tx(sock, |tx| tx.publish(if whole { footprint } else { 0 }))?;
        self.rearm_space(sock, false);
        if whole {
            self.tally.sent(header.len);
            Ok(len)
        } else {
            Err(EFAULT)
        }
    }

    /// Receives at most `len` bytes of those that are there.
    pub(crate) fn receive(
        &self,
        sock: &Locked,
        to: &mut Incoming<'_>,
        len: usize,
    ) -> Result<usize> {
        let peek = to.peek();
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let mut done = 0;
        while done < len {
            let skip = if peek { done } else { 0 };
            let next = self.try_rx(sock, |rx| rx.next(skip, (len - done).min(STRIDE)));
            let part = match next {
                Ok(Some(part)) => part,
                Err(error) if done == 0 => return Err(error),
                _ => break,
            };
            let copied = part.copy_out(to.dest());
            if copied == 0 && done == 0 {
                return Err(EFAULT);
            }
            done += copied;
            if !peek {
                self.tally.received(copied);
                self.busy.received(copied);
            }
            // What was copied has been received, whatever has become of the ring.
            if !peek && self.try_rx(sock, |rx| rx.release(copied)).is_err() || copied < part.len() {
                break;
            }
        }
        if !peek {
            self.rearm_data(sock, done < len);
        }
        Ok(done as usize)
    }

    /// Receives the packet that waits, as much of it as there is room for; returns its true length
    /// in bytes.
    pub(crate) fn receive_packet(&self, sock: &Locked, to: &mut Incoming<'_>) -> Result<usize> {
        let Some((packet, part)) = self.try_rx(sock, |rx| rx.next_packet())? else {
            return Ok(0);
        };
        let room = u32::try_from(to.dest().len()).unwrap_or(u32::MAX);
        let wanted = packet.header.len.min(room);
        let copied = part.copy_out(to.dest());
        if packet.header.flags & EOR != 0 {
            to.set_end_of_record();
        }
        // What cannot be stored is lost, as with other transports.
        if !to.peek() {
            self.try_rx(sock, |rx| rx.release(packet.footprint))?;
            self.tally.received(packet.header.len);
            self.rearm_data(sock, false);
        }
        if copied < wanted {
            return Err(EFAULT);
        }
        Ok(packet.header.len as usize)
    }

    /// Nothing more will be sent, or received, or both.
    pub(crate) fn shutdown(&self, how: Shutdown) {
        if how.contains(Shutdown::SEND) {
            self.any_tx(|tx| {
                tx.ring.finish(&tx.lines);
                tx.tell(true);
            });
        }
        if how.contains(Shutdown::RECEIVE) {
            self.any_rx(|rx| {
                rx.ring.leave(&rx.lines);
                rx.tell(true);
            });
        }
    }

    /// The size that the ring which is written shall have, of those up to `last`: at least what the
    /// reader wants to be buffered, as one that only peeks makes no room for another exchange.
    /// [`None`] if it is large enough.
    pub(crate) fn wanted(&self, turn: Turn, last: Size) -> Option<Size> {
        let facts = |tx: &mut Tx| (tx.ring.size(), tx.lines.load(Field::Limit));
        let (size, limit) = self.with_tx(turn, facts)?;
        let last = last.min(Size::at_least(u64::from(self.most.load(Relaxed))));
        let need = self.need.load(Relaxed).max(limit.min(self.limit()));
        larger(size, last).map(|next| next.max(Size::at_least(u64::from(need)).min(last)))
    }

    /// Makes the ring that is written go over to `segment`, which has that size. [`None`] if there
    /// is no ring.
    pub(crate) fn go_over(
        &self,
        turn: Turn,
        size: Size,
        segment: &Arc<Shared>,
    ) -> Option<Switched> {
        let switched = self.with_tx(turn, |tx| tx.go_over(size, segment));
        if switched == Some(Switched::Yes) {
            self.most.store(Size::MAX.bytes(), Relaxed);
        }
        switched
    }

    /// The ring that is written cannot have the size `refused`.
    pub(crate) fn refuse(&self, turn: Turn, refused: Size) {
        match self.with_tx(turn, |tx| tx.ring.size()) {
            Some(size) if size < refused => {
                self.most.store(size.bytes(), Relaxed);
                self.need.store(0, Relaxed);
            }
            _ => {}
        }
    }

    /// The size of the ring of a direction, of a connection that was opened here, the index of this
    /// end, and how many bytes there are in it. [`None`] if there is no ring, or it is broken: its
    /// program will notice.
    pub(crate) fn traffic(&self, turn: Turn, direction: Direction) -> Option<(Size, (u32, u32))> {
        match direction {
            Direction::FromOpener => self.with_tx(turn, |tx| {
                let unread = tx.ring.unread(&tx.lines).ok()?;
                Some((tx.ring.size(), (tx.ring.index(), unread)))
            })?,
            Direction::ToOpener => self.with_rx(turn, |rx| {
                let unread = rx.look().ok()?;
                Some((rx.ring.size(), (rx.ring.index(), unread)))
            })?,
        }
    }

    /// Follows to another segment, also if no program reads just now.
    pub(crate) fn follow(&self, turn: Turn) {
        // A ring that is broken ends when its program notices.
        self.with_rx(turn, |rx| rx.look().ok());
    }

    /// The program wants nothing more of it. What was sent can still be received.
    pub(crate) fn close(&self) {
        self.shutdown(Shutdown::BOTH);
        if let Some((link, turn)) = self.any_rx(|rx| (rx.link.clone(), rx.turn)) {
            self.detach(turn);
            if let Some(link) = link {
                link.closed(turn);
            }
        }
    }
}

/// Ends the connection of a ring that the peer has broken.
fn give_up<R>(sock: &Locked, end: &End<R>, broken: Broken) -> Error {
    if let Some(link) = &end.link {
        pr_warn_once!(
            "domain {} has broken a ring ({broken:?}); more of this is not told\n",
            link.domain()
        );
    }
    sock.set_error(SocketError::ConnectionReset.into());
    end.wish(Wish::BROKEN);
    SocketError::ConnectionReset.into()
}
