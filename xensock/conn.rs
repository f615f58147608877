// SPDX-License-Identifier: GPL-2.0

//! One connection, as its socket sees it: bytes and packets between a program's memory and a ring.

use crate::{
    link::{
        packet::{
            self,
            Header,
            Packet,
            DATA,
            EOR,
            HEADER, //
        },
        ring::{
            Broken,
            Consumer,
            Field,
            Lines,
            Producer, //
        },
        segment::{
            Place,
            Size, //
        },
        slots::Slot, //
    },
    linux::work::Worker,
    memory::{
        RingAt,
        Shared, //
    },
    peer::Peer,
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
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    new_mutex,
    pr_warn_once,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

/// As much is published at once, in bytes: the reader works while the writer does.
const STRIDE: u32 = 128 << 10;

/// A ring that was full grows by this, as a power of two: a producer that waits for a consumer that
/// only peeks gets no second chance.
const GROWTH: u8 = 4;

/// One end of one direction.
pub(crate) struct End<R> {
    pub(crate) lines: RingAt,
    pub(crate) ring: R,
    /// The segment in use, and the one to go over to or that was left.
    pub(crate) segments: [Option<Arc<Shared>>; 2],
    link: Arc<Worker<Peer>>,
    slot: Slot,
}

/// The writing end.
pub(crate) type Tx = End<Producer>;

/// The reading end.
pub(crate) type Rx = End<Consumer>;

impl<R> End<R> {
    pub(crate) fn new(
        link: Arc<Worker<Peer>>,
        slot: Slot,
        lines: RingAt,
        ring: R,
        segment: Arc<Shared>,
    ) -> Self {
        Self {
            lines,
            ring,
            segments: [Some(segment), None],
            link,
            slot,
        }
    }

    /// Calls `copy` with the memory, the offset and the length of each part of `place`, until it
    /// copies less than that; returns how many bytes it has copied.
    fn each(&self, place: &Place, mut copy: impl FnMut(&Shared, usize, usize) -> usize) -> u32 {
        let Some(Some(segment)) = self.segments.get(place.slot) else {
            return 0;
        };
        let (first, second) = (place.first as usize, place.second as usize);
        let mut done = copy(segment, place.offset as usize, first);
        if done == first && second > 0 {
            done += copy(segment, 0, second);
        }
        done as u32
    }

    fn copy_in(&self, place: &Place, source: &mut IovIterSource<'_>) -> u32 {
        self.each(place, |segment, at, len| segment.copy_in(at, len, source))
    }

    fn copy_out(&self, place: &Place, dest: &mut IovIterDest<'_>) -> u32 {
        self.each(place, |segment, at, len| segment.copy_out(at, len, dest))
    }

    /// Tells the peer that there is something to see.
    pub(crate) fn tell(&self, wanted: bool) {
        if wanted {
            self.link.ring(self.slot);
        }
    }
}

impl Tx {
    /// How many bytes may be written, with at most `limit` of them on their way.
    fn room(&mut self, limit: u32) -> Result<u32, Broken> {
        let free = self.ring.free(&self.lines)?;
        Ok(free.min(limit.saturating_sub(self.ring.unread(&self.lines)?)))
    }

    /// Sends at most `len` bytes that there is room for; returns how many it were.
    fn send(&mut self, len: u32, source: &mut IovIterSource<'_>) -> Result<u32, Broken> {
        let mut done = 0;
        while done < len {
            let place = self.ring.place((len - done).min(STRIDE));
            let copied = self.copy_in(&place, source);
            let wanted = self.ring.publish(&self.lines, copied)?;
            self.tell(wanted);
            done += copied;
            if copied < place.len() || copied == 0 {
                break;
            }
        }
        Ok(done)
    }

    /// Sends a packet. None if there is no room for all of it.
    fn send_packet(
        &mut self,
        header: Header,
        source: &mut IovIterSource<'_>,
    ) -> Result<Option<Result>, Broken> {
        let Some(room) = packet::room(&mut self.ring, &self.lines, header.len)? else {
            return Ok(None);
        };
        let bytes = header.encode();
        let written = self.each(&room.header, |segment, at, len| {
            match segment.write(at, bytes.get(..len).unwrap_or(&bytes)) {
                Ok(()) => len,
                Err(_) => 0,
            }
        });
        if written < HEADER || self.copy_in(&room.payload, source) < header.len {
            return Ok(Some(Err(EFAULT)));
        }
        let wanted = self.ring.publish(&self.lines, room.footprint)?;
        self.tell(wanted);
        Ok(Some(Ok(())))
    }
}

impl Rx {
    /// Gives bytes back that have been read.
    fn release(&mut self, len: u32) -> Result<(), Broken> {
        let wanted = self.ring.release(&self.lines, len)?;
        self.tell(wanted);
        Ok(())
    }

    /// Lets go of a segment that has been read to its end.
    fn follow(&mut self) {
        if let Some(left) = self.ring.crossed() {
            if let Some(segment) = self.segments.get_mut(left) {
                *segment = None;
            }
            self.link.wish(self.slot, Wish::CROSSED);
        }
    }

    /// Receives at most `len` bytes of those that are there; returns how many it were and whether
    /// there were any.
    fn receive(
        &mut self,
        len: u32,
        peek: bool,
        dest: &mut IovIterDest<'_>,
    ) -> Result<(u32, bool), Broken> {
        let mut done = 0;
        self.ring.available(&self.lines)?;
        let there = self.ring.total() > 0;
        while done < len {
            let skip = if peek { done } else { 0 };
            let place = self.ring.place_after(skip, (len - done).min(STRIDE));
            let copied = self.copy_out(&place, dest);
            if !peek {
                self.release(copied)?;
            }
            done += copied;
            if copied < place.len() || copied == 0 {
                break;
            }
        }
        self.follow();
        Ok((done, there))
    }

    /// The packet that waits, if one does.
    fn packet(&mut self) -> Result<Option<Packet>, Broken> {
        let Self {
            ring,
            lines,
            segments,
            ..
        } = self;
        let packet = packet::peek(ring, lines, 0, Size::MAX.bytes(), |place, bytes| {
            if let Some(Some(segment)) = segments.get(place.slot) {
                // Where it cannot be read the header stays empty, and that is none.
                let _ = segment.read(place.offset as usize, bytes);
            }
        })?;
        self.follow();
        match packet {
            Some(packet) if packet.header.len == 0 => Err(self.ring.condemn(Broken::Packet)),
            packet => Ok(packet),
        }
    }
}

/// A connection, or what may become one.
#[pin_data]
pub(crate) struct Conn {
    kind: Kind,
    /// The most bytes that may be on their way, where the program has said so; 0 where not.
    limit: Atomic<u32>,
    /// What a packet that waits to be sent takes in the ring, in bytes.
    need: Atomic<u32>,
    /// The ring cannot be larger than this, in bytes.
    most: Atomic<u32>,
    #[pin]
    tx: Mutex<Option<Tx>>,
    #[pin]
    rx: Mutex<Option<Rx>>,
}

impl Conn {
    /// Not connected.
    pub(crate) fn new(kind: Kind) -> impl PinInit<Self> {
        pin_init!(Self {
            kind,
            limit: Atomic::new(0),
            need: Atomic::new(0),
            most: Atomic::new(Size::MAX.bytes()),
            tx <- new_mutex!(None),
            rx <- new_mutex!(None),
        })
    }

    /// Gives the connection its rings.
    pub(crate) fn attach(&self, tx: Tx, rx: Rx, buffer_size: u64) {
        let longest = u32::try_from(buffer_size).unwrap_or(u32::MAX);
        rx.ring.set_limit(&rx.lines, longest);
        *self.tx.lock() = Some(tx);
        *self.rx.lock() = Some(rx);
    }

    /// Whether it has rings.
    pub(crate) fn is_attached(&self) -> bool {
        self.rx.lock().is_some()
    }

    /// Takes the rings away.
    pub(crate) fn detach(&self) {
        let tx = self.tx.lock().take();
        let rx = self.rx.lock().take();
        drop((tx, rx));
    }

    /// Does something with the writing end, if there is one.
    pub(crate) fn with_tx<T>(&self, f: impl FnOnce(&mut Tx) -> T) -> Option<T> {
        let mut tx = self.tx.lock();
        let tx: &mut Option<Tx> = &mut tx;
        tx.as_mut().map(f)
    }

    /// Does something with the reading end, if there is one.
    pub(crate) fn with_rx<T>(&self, f: impl FnOnce(&mut Rx) -> T) -> Option<T> {
        let mut rx = self.rx.lock();
        let rx: &mut Option<Rx> = &mut rx;
        rx.as_mut().map(f)
    }

    /// As [`Conn::with_tx`]; a broken ring ends the connection.
    fn try_tx<T>(&self, sock: &Locked, f: impl FnOnce(&mut Tx) -> Result<T, Broken>) -> Result<T> {
        let mut tx = self.tx.lock();
        let tx: &mut Option<Tx> = &mut tx;
        let tx = tx.as_mut().ok_or(SocketError::NotConnected)?;
        f(tx).map_err(|broken| give_up(sock, &tx.link, tx.slot, broken))
    }

    /// As [`Conn::with_rx`]; a broken ring ends the connection.
    fn try_rx<T>(&self, sock: &Locked, f: impl FnOnce(&mut Rx) -> Result<T, Broken>) -> Result<T> {
        let mut rx = self.rx.lock();
        let rx: &mut Option<Rx> = &mut rx;
        let rx = rx.as_mut().ok_or(SocketError::NotConnected)?;
        f(rx).map_err(|broken| give_up(sock, &rx.link, rx.slot, broken))
    }

    fn limit(&self) -> u32 {
        match self.limit.load(Relaxed) {
            0 => u32::MAX,
            limit => limit,
        }
    }

    /// Sets the most bytes that may be on their way, and returns what it is.
    pub(crate) fn set_limit(&self, wanted: u64) -> u64 {
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX).max(1);
        self.limit.store(limit, Relaxed);
        self.with_rx(|rx| rx.ring.set_limit(&rx.lines, limit));
        u64::from(limit)
    }

    /// Sends at most `len` bytes, as many as there is room for.
    pub(crate) fn send(&self, sock: &Locked, from: &mut Outgoing<'_>, len: usize) -> Result<usize> {
        let limit = self.limit();
        let (sent, wanted) = self.try_tx(sock, |tx| {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            let wanted = len.min(tx.room(limit)?);
            Ok((tx.send(wanted, from.source())?, wanted))
        })?;
        if sent == 0 && wanted > 0 {
            return Err(EFAULT);
        }
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
        self.try_tx(sock, |tx| {
            let limit = tx.lines.load(Field::Limit);
            let most = self.most.load(Relaxed).min(tx.link.largest().bytes());
            if header.len > limit || space > most {
                return Ok(Err(EMSGSIZE));
            }
            let Some(sent) = tx.send_packet(header, from.source())? else {
                self.need.store(space, Relaxed);
                return Ok(Ok(0));
            };
            self.need.store(0, Relaxed);
            Ok(sent.map(|()| len))
        })?
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
        let (received, there) = self.try_rx(sock, |rx| rx.receive(len, peek, to.dest()))?;
        if received == 0 && there && len > 0 {
            return Err(EFAULT);
        }
        Ok(received as usize)
    }

    /// Receives the packet that waits, as much of it as there is room for; returns its true length
    /// in bytes.
    pub(crate) fn receive_packet(&self, sock: &Locked, to: &mut Incoming<'_>) -> Result<usize> {
        self.try_rx(sock, |rx| {
            let Some(packet) = rx.packet()? else {
                return Ok(Ok(0));
            };
            let room = u32::try_from(to.dest().len()).unwrap_or(u32::MAX);
            let wanted = packet.header.len.min(room);
            let copied = rx.copy_out(&packet.payload, to.dest());
            if packet.header.flags & EOR != 0 {
                to.set_end_of_record();
            }
            // What cannot be stored is lost, as with other transports.
            if !to.peek() {
                rx.release(packet.footprint)?;
                rx.follow();
            }
            if copied < wanted {
                return Ok(Err(EFAULT));
            }
            Ok(Ok(packet.header.len as usize))
        })?
    }

    /// Returns how many bytes can be received, or the length of the packet that can.
    pub(crate) fn readable(&self, sock: &Locked) -> usize {
        let readable = self.try_rx(sock, |rx| {
            let bytes = match self.kind {
                Kind::Seqpacket => rx.packet()?.map_or(0, |packet| packet.header.len),
                _ => {
                    rx.ring.available(&rx.lines)?;
                    rx.follow();
                    rx.ring.total()
                }
            };
            Ok((bytes, bytes == 0 && rx.ring.finished(&rx.lines)?))
        });
        let Ok((bytes, finished)) = readable else {
            return 0;
        };
        if finished {
            sock.hold().peer_shutdown(Shutdown::SEND);
        }
        bytes as usize
    }

    /// Returns how many bytes can be sent.
    pub(crate) fn writable(&self, sock: &Locked) -> usize {
        let limit = self.limit();
        let writable = self.try_tx(sock, |tx| {
            let gone = tx.ring.reader_gone(&tx.lines);
            let room = match self.kind {
                Kind::Seqpacket => {
                    let room = tx.room(u32::MAX)?;
                    let need = self.need.load(Relaxed).max(2 * HEADER);
                    if room >= need {
                        room
                    } else {
                        0
                    }
                }
                _ => tx.room(limit)?,
            };
            Ok((room, gone))
        });
        let Ok((room, gone)) = writable else {
            return 0;
        };
        if gone {
            sock.hold().peer_shutdown(Shutdown::RECEIVE);
        }
        room as usize
    }

    /// Asks to be woken when `target` bytes can be received; returns whether they can already, or
    /// never will.
    pub(crate) fn await_data(&self, sock: &Locked, target: usize) -> bool {
        let target = match self.kind {
            Kind::Seqpacket => 1,
            _ => u32::try_from(target).unwrap_or(u32::MAX),
        };
        let there = self.try_rx(sock, |rx| {
            let target = target.min(rx.ring.size().bytes() / 2);
            rx.ring.want_data(&rx.lines, target)
        });
        there.unwrap_or(true)
    }

    /// Asks to be woken when there is room again, and for more of it; returns whether there is some
    /// already, or never will be.
    pub(crate) fn await_space(&self, sock: &Locked) -> bool {
        let limit = self.limit();
        let need = self.need.load(Relaxed);
        let there = self.try_tx(sock, |tx| {
            let size = tx.ring.size().bytes();
            // Where the program has set a limit, half of it shall have been read.
            let bytes = match self.kind {
                Kind::Seqpacket => need.max(2 * HEADER),
                _ if limit < size => size - limit / 2,
                _ => 1,
            };
            if limit > size {
                tx.link.wish(tx.slot, Wish::GROW);
            }
            let there = tx.ring.want_space(&tx.lines, bytes)?;
            Ok(there || tx.ring.reader_gone(&tx.lines))
        });
        there.unwrap_or(true)
    }

    /// Nothing more will be sent, or received, or both.
    pub(crate) fn shutdown(&self, how: Shutdown) {
        if how.contains(Shutdown::SEND) {
            self.with_tx(|tx| {
                tx.ring.finish(&tx.lines);
                tx.tell(true);
            });
        }
        if how.contains(Shutdown::RECEIVE) {
            self.with_rx(|rx| {
                rx.ring.leave(&rx.lines);
                rx.tell(true);
            });
        }
    }

    /// The size that the ring which is written shall have, of those up to `last`. [`None`] if it is
    /// large enough.
    pub(crate) fn wanted(&self, last: Size) -> Option<Size> {
        let size = self.with_tx(|tx| tx.ring.size())?;
        let need = Size::at_least(u64::from(self.need.load(Relaxed)));
        larger(size, last).map(|next| next.max(need.min(last)))
    }

    /// The ring that is written cannot be larger than it is.
    pub(crate) fn set_largest(&self) {
        let size = self.with_tx(|tx| tx.ring.size().bytes());
        self.most.store(size.unwrap_or(0), Relaxed);
        self.need.store(0, Relaxed);
    }

    /// The program wants nothing more of it. What was sent can still be received.
    pub(crate) fn close(&self) {
        self.shutdown(Shutdown::BOTH);
        let place = self.with_rx(|rx| (rx.link.clone(), rx.slot));
        self.detach();
        if let Some((link, slot)) = place {
            link.closed(slot);
        }
    }
}

/// Returns the size that a full ring of `size` shall have, at most `last`. [`None`] if it is large
/// enough.
fn larger(size: Size, last: Size) -> Option<Size> {
    let order = size.order().saturating_add(GROWTH).min(last.order());
    Size::from_order(order).filter(|next| *next > size)
}

/// Ends the connection of a ring that the peer has broken.
fn give_up(sock: &Locked, link: &Peer, slot: Slot, broken: Broken) -> Error {
    pr_warn_once!(
        "domain {} has broken a ring ({broken:?}); more of this is not told\n",
        link.domain()
    );
    sock.set_error(SocketError::ConnectionReset.into());
    link.wish(slot, Wish::BROKEN);
    SocketError::ConnectionReset.into()
}
