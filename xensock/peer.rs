// SPDX-License-Identifier: GPL-2.0

//! A link to another domain: how it comes about, what goes over it, and how it ends.

use crate::{
    bells::{
        Bells,
        CONTROL, //
    },
    conn::{
        Conn,
        End, //
    },
    control::{
        Control,
        Lost, //
    },
    driver::Driver,
    link::{
        doorbell,
        ring::{
            Consumer,
            Producer, //
        },
        segment::Size,
        slots::{
            Side,
            Slot,
            SLOTS, //
        },
        wire::{
            self,
            Connect,
            Direction,
            Message,
            Offer,
            Reason,
            Rendezvous,
            Segments,
            Socket,
            CONTROL_REFS,
            LISTED_PER_PAGE, //
        }, //
    },
    linux::{
        random,
        work::{
            Task,
            Worker, //
        }, //
    },
    memory::{
        BellsAt,
        RingAt,
        Shared, //
    },
    records::{
        Offered,
        Record,
        Records,
        Stage, //
    },
    rendezvous,
    settings::Settings,
    vsock::{
        self,
        Address,
        Child,
        Kind,
        Locked,
        SocketError,
        State, //
    },
    wishes::{
        Wish,
        Wishes, //
    },
    xen::{
        domain::DomId,
        event::{
            Channel,
            Status, //
        },
        grant::{
            Granted,
            Mapped, //
        }, //
    }, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Msecs, //
};

/// How often the worker looks whether the peer is still there, in milliseconds.
const LOOK_MS: Msecs = 500;

/// As many messages are taken at once; then others have their turn.
const BUDGET: usize = 256;

/// For so many looks a peer is called that does not answer and that nobody waits for.
const PATIENCE: u32 = 20;

/// How a link stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// We have called, and nobody has answered yet.
    Calling = 0,
    Up = 1,
    /// To be torn down.
    Ended = 2,
    /// Torn down.
    Over = 3,
}

/// A link to another domain.
#[pin_data]
pub(crate) struct Peer {
    settings: Arc<Settings>,
    domain: DomId,
    side: Side,
    call: Rendezvous,
    phase: Atomic<u32>,
    /// For how many looks nobody has wanted anything of a peer that does not answer.
    idle: Atomic<u32>,
    /// The bells that we ring.
    out: BellsAt,
    bells: Arc<Bells>,
    channel: Channel<Arc<Bells>>,
    wishes: Wishes,
    #[pin]
    control: Control,
    #[pin]
    records: Records,
}

/// What a new link is made of.
struct Parts {
    header: Arc<Shared>,
    control: Arc<Shared>,
    bells: Arc<Bells>,
    channel: Channel<Arc<Bells>>,
    call: Rendezvous,
}

impl Peer {
    /// Calls the domain `domain`. It will answer when it has a driver; what is sent waits for that.
    ///
    /// Context: process context, sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` (no event channel or grant is left), what xenstored says.
    pub(crate) fn call(settings: Arc<Settings>, domain: DomId) -> Result<Arc<Worker<Self>>> {
        let header = Granted::new(domain, 1, GFP_KERNEL)?;
        let control = Granted::new(domain, CONTROL_REFS, GFP_KERNEL)?;
        header.write(wire::MAGIC_OFFSET, &wire::MAGIC.to_le_bytes())?;
        header.write(wire::VERSION_OFFSET, &wire::VERSION.to_le_bytes())?;
        for (at, reference) in (0..).step_by(4).zip(control.refs()) {
            header.write(wire::CONTROL_REFS_OFFSET + at, &reference.to_le_bytes())?;
        }
        let page = first(&header)?;

        let header = Arc::new(Shared::Own(header), GFP_KERNEL)?;
        let bells = Arc::pin_init(
            Bells::new(header.clone(), wire::bell(Side::Acceptor)),
            GFP_KERNEL,
        )?;
        let channel = Channel::listen(domain, bells.clone())?;
        let call = Rendezvous {
            header: page,
            port: channel.port(),
            nonce: random::number(),
        };
        let parts = Parts {
            header,
            control: Arc::new(Shared::Own(control), GFP_KERNEL)?,
            bells,
            channel,
            call,
        };
        let link = Self::new(settings, domain, Side::Initiator, parts)?;
        if let Err(error) = rendezvous::call(domain, &call) {
            link.tear_down();
            return Err(error);
        }
        link.kick();
        Ok(link)
    }

    /// Answers the call `call` of the domain `domain`.
    ///
    /// Context: process context, sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` or `EACCES` if there is nothing behind the call, `ENOMEM`, `ENOSPC`.
    pub(crate) fn answer(
        settings: Arc<Settings>,
        domain: DomId,
        call: Rendezvous,
    ) -> Result<Arc<Worker<Self>>> {
        let header = Mapped::new(domain, &[call.header])?;
        let mut words = [[0; 4]; 2];
        header.read(wire::MAGIC_OFFSET, words.as_flattened_mut())?;
        if words.map(u32::from_le_bytes) != [wire::MAGIC, wire::VERSION] {
            return Err(EINVAL);
        }
        let mut refs = [[0; 4]; CONTROL_REFS];
        header.read(wire::CONTROL_REFS_OFFSET, refs.as_flattened_mut())?;
        let control = Mapped::new(domain, &refs.map(u32::from_le_bytes))?;

        let header = Arc::new(Shared::Peers(header), GFP_KERNEL)?;
        let bells = Arc::pin_init(
            Bells::new(header.clone(), wire::bell(Side::Initiator)),
            GFP_KERNEL,
        )?;
        let channel = Channel::connect(domain, call.port, bells.clone())?;
        let parts = Parts {
            header,
            control: Arc::new(Shared::Peers(control), GFP_KERNEL)?,
            bells,
            channel,
            call,
        };
        let link = Self::new(settings, domain, Side::Acceptor, parts)?;
        link.phase.store(Phase::Up as u32, Relaxed);
        link.kick();
        Ok(link)
    }

    fn new(
        settings: Arc<Settings>,
        domain: DomId,
        side: Side,
        parts: Parts,
    ) -> Result<Arc<Worker<Self>>> {
        let Parts {
            header,
            control,
            bells,
            channel,
            call,
        } = parts;
        let link = Arc::pin_init(
            Worker::new(
                c"xensock-link",
                try_pin_init!(Self {
                    settings,
                    domain,
                    side,
                    call,
                    phase: Atomic::new(Phase::Calling as u32),
                    idle: Atomic::new(0),
                    out: BellsAt::new(header.clone(), wire::bell(*side)),
                    bells,
                    channel,
                    wishes: Wishes::new()?,
                    control <- Control::new(header, control, *side),
                    records <- Records::new(),
                }? Error),
            ),
            GFP_KERNEL,
        )?;
        link.bells.set_worker(Some(link.clone()));
        Ok(link)
    }

    /// The domain at the other end.
    pub(crate) fn domain(&self) -> DomId {
        self.domain
    }

    /// Whether it carries connections, or will.
    pub(crate) fn is_alive(&self) -> bool {
        self.phase.load(Relaxed) <= Phase::Up as u32
    }

    /// Whether it has been torn down.
    pub(crate) fn is_over(&self) -> bool {
        self.phase.load(Relaxed) == Phase::Over as u32
    }

    /// Whether it answers a call of the domain `caller`.
    pub(crate) fn answers(&self, caller: DomId) -> bool {
        self.domain == caller && self.side == Side::Acceptor
    }

    /// Whether it was made by `call`.
    pub(crate) fn is_call(&self, call: &Rendezvous) -> bool {
        self.call == *call
    }

    /// Ends the link, soon.
    ///
    /// Context: any.
    pub(crate) fn end(&self) {
        if self.is_alive() {
            self.phase.store(Phase::Ended as u32, Relaxed);
        }
        self.bells.kick();
    }

    /// The largest segment that a connection gets.
    pub(crate) fn largest(&self) -> Size {
        self.settings.last()
    }

    /// Rings the bell of a connection.
    ///
    /// Context: any.
    pub(crate) fn ring(&self, slot: Slot) {
        if doorbell::ring(&self.out, slot) {
            self.channel.notify();
        }
    }

    /// Wants something of the worker.
    ///
    /// Context: any.
    pub(crate) fn wish(&self, slot: Slot, wish: Wish) {
        if self.wishes.make(slot, wish) {
            self.bells.kick();
        }
    }

    /// The program has closed the connection in `slot`.
    ///
    /// Context: process context.
    pub(crate) fn closed(&self, slot: Slot) {
        self.bells.set(slot, None);
        self.wish(slot, Wish::CLOSED);
    }

    fn ring_control(&self) {
        if let Some(control) = Slot::new(CONTROL) {
            self.ring(control);
        }
    }

    /// Sends a message.
    ///
    /// Context: process context, may sleep.
    fn post(&self, message: Message) {
        match self.control.send(message) {
            Ok(true) => self.ring_control(),
            Ok(false) => {}
            Err(Lost) => self.end(),
        }
    }

    /// Opens a connection for `sock`.
    ///
    /// Context: process context, may sleep; `sock` is locked.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if there are too many to this domain, `ENOMEM`, `ENOSPC` (no grant is left).
    pub(crate) fn open(&self, sock: &Locked, conn: &Arc<Conn>) -> Result {
        let size = self.settings.first();
        let pages = size.pages() as usize;
        let page = Granted::new(self.domain, 1, GFP_KERNEL)?;
        let forth = Granted::new(self.domain, pages, GFP_KERNEL)?;
        let back = Granted::new(self.domain, pages, GFP_KERNEL)?;
        let (local, remote) = (sock.local(), sock.remote());

        let mut records = self.records.lock();
        let slot = records.free(self.side, SLOTS / 2).ok_or(SocketError::NoBuffers)?;
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
            segments: Segments::new(size, forth.refs(), back.refs()).ok_or(EINVAL)?,
        };
        let page = Arc::new(Shared::Own(page), GFP_KERNEL)?;
        let segments = [
            Arc::new(Shared::Own(forth), GFP_KERNEL)?,
            Arc::new(Shared::Own(back), GFP_KERNEL)?,
        ];
        let record = Record::new(conn.clone(), Stage::Opening, page.clone(), segments.clone());
        let record = KBox::new(record, GFP_KERNEL)?;
        if !self.is_alive() {
            return Err(SocketError::ConnectionReset.into());
        }
        self.attach(conn, slot, &page, &segments, size, sock.buffer_size())?;
        self.bells.set(slot, Some(sock.hold()));
        records.set(slot, record);
        drop(records);

        self.post(Message::Connect(connect));
        Ok(())
    }

    /// Gives a connection its rings.
    fn attach(
        &self,
        conn: &Conn,
        slot: Slot,
        page: &Arc<Shared>,
        segments: &[Arc<Shared>; 2],
        size: Size,
        buffer_size: u64,
    ) -> Result {
        let link = self.bells.worker().ok_or(SocketError::ConnectionReset)?;
        let ours = Direction::written_by(self.side, slot.opener());
        let theirs = ours.other();
        let tx = End::new(
            link.clone(),
            slot,
            RingAt::new(page.clone(), wire::lines(ours)),
            Producer::new(size),
            segments[ours.index()].clone(),
        );
        let rx = End::new(
            link,
            slot,
            RingAt::new(page.clone(), wire::lines(theirs)),
            Consumer::new(size),
            segments[theirs.index()].clone(),
        );
        conn.attach(tx, rx, buffer_size);
        Ok(())
    }

    /// Whether we have opened the connection in `slot`.
    fn is_ours(&self, slot: Slot) -> bool {
        slot.opener() == self.side
    }

    /// Takes a message of the peer.
    fn handle(&self, message: Message) -> Result<(), Lost> {
        let ours = message.slot().is_some_and(|slot| self.is_ours(slot));
        match (message, ours) {
            (Message::Connect(connect), false) => self.connect(&connect),
            (Message::Accept { slot }, true) => self.accepted(slot),
            (Message::Refuse { slot, reason }, true) => self.refused(slot, reason),
            (Message::Reset { slot, .. }, _) => self.reset(slot),
            (Message::Released { slot }, true) => self.released(slot),
            (Message::Want { slot, size }, true) => {
                self.offer(slot, Direction::ToOpener, size);
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
            (Message::Hello { .. } | Message::Datagram { .. }, _) => Ok(()),
            _ => Err(Lost),
        }
    }

    /// The peer opens a connection.
    fn connect(&self, connect: &Connect) -> Result<(), Lost> {
        let slot = connect.slot;
        if slot.number() == CONTROL || self.records.lock().get(slot).is_some() {
            return Err(Lost);
        }
        match self.admit(connect) {
            Ok(()) => self.post(Message::Accept { slot }),
            Err(reason) => self.post(Message::Refuse { slot, reason }),
        }
        Ok(())
    }

    /// Makes a connection that the peer opens.
    fn admit(&self, connect: &Connect) -> Result<(), Reason> {
        let no_memory = |_| Reason::NoMemory;
        let local = Address {
            cid: self.settings.own().cid(),
            port: connect.dst_port,
        };
        let remote = Address {
            cid: self.domain.cid(),
            port: connect.src_port,
        };
        let kind = match connect.socket {
            Socket::Stream => Kind::Stream,
            Socket::SeqPacket => Kind::Seqpacket,
        };
        let listener = vsock::find_bound(local).ok_or(Reason::NoListener)?;
        let map = |refs: &[u32]| -> Result<Arc<Shared>> {
            let mapped = Mapped::new(self.domain, refs)?;
            Ok(Arc::new(Shared::Peers(mapped), GFP_KERNEL)?)
        };
        let page = map(&[connect.page]).map_err(no_memory)?;
        let segments = [
            map(connect.segments.refs(Direction::FromOpener)).map_err(no_memory)?,
            map(connect.segments.refs(Direction::ToOpener)).map_err(no_memory)?,
        ];

        let listener = listener.lock();
        if listener.state() != State::Listening || listener.kind() != kind {
            return Err(Reason::NoListener);
        }
        let child = Child::<Worker<Driver>>::new(&listener, local, remote);
        let child = child.map_err(|error| match error {
            ENOMEM => Reason::NoMemory,
            _ => Reason::Busy,
        })?;
        let conn: Arc<Conn> = child.socket().into();
        let record = Record::new(conn.clone(), Stage::Open, page.clone(), segments.clone());
        let record = KBox::new(record, GFP_KERNEL).map_err(|_| Reason::NoMemory)?;
        let buffer_size = child.locked().buffer_size();
        let attached =
            self.attach(&conn, connect.slot, &page, &segments, connect.segments.size(), buffer_size);
        attached.map_err(|_| Reason::Closed)?;
        self.bells.set(connect.slot, Some(child.hold()));
        self.records.lock().set(connect.slot, record);
        child.enqueue();
        Ok(())
    }

    /// The peer has made a connection that we open.
    fn accepted(&self, slot: Slot) -> Result<(), Lost> {
        match self.records.lock().get(slot) {
            Some(record) if record.stage == Stage::Opening => record.stage = Stage::Open,
            // We have given it up meanwhile.
            Some(record) if record.stage == Stage::Leaving => return Ok(()),
            _ => return Err(Lost),
        }
        if let Some(sock) = self.bells.sock(slot) {
            sock.lock().connected();
        }
        Ok(())
    }

    /// The peer does not make a connection that we open.
    fn refused(&self, slot: Slot, reason: Reason) -> Result<(), Lost> {
        let record = {
            let mut records = self.records.lock();
            match records.get(slot) {
                Some(record) if matches!(record.stage, Stage::Opening | Stage::Leaving) => {
                    records.take(slot)
                }
                _ => return Err(Lost),
            }
        };
        let Some(record) = record else {
            return Ok(());
        };
        if record.stage == Stage::Opening {
            let sock = self.bells.sock(slot);
            self.bells.set(slot, None);
            record.conn.detach();
            if let Some(sock) = sock {
                sock.lock().refused(match reason {
                    Reason::Denied => EACCES,
                    Reason::NoMemory => ENOMEM,
                    _ => SocketError::ConnectionReset.into(),
                });
            }
        }
        Ok(())
    }

    /// Ends a connection for its program, with an error.
    fn disconnect(&self, slot: Slot, conn: &Conn) {
        let sock = self.bells.sock(slot);
        self.bells.set(slot, None);
        conn.detach();
        if let Some(sock) = sock {
            let sock = sock.lock();
            if !sock.refused(SocketError::ConnectionReset.into()) {
                sock.set_error(SocketError::ConnectionReset.into());
                sock.closed(false);
            }
        }
    }

    /// The peer has ended a connection.
    fn reset(&self, slot: Slot) -> Result<(), Lost> {
        let conn = match self.records.lock().get(slot) {
            Some(record) => record.conn.clone(),
            // It was on its way when we let go.
            None => return Ok(()),
        };
        self.disconnect(slot, &conn);
        self.finish(slot);
        Ok(())
    }

    /// Nobody here uses a connection any more.
    fn finish(&self, slot: Slot) {
        let mut records = self.records.lock();
        let Some(record) = records.get(slot) else {
            return;
        };
        if self.is_ours(slot) {
            let stage = core::mem::replace(&mut record.stage, Stage::Leaving);
            let released = match stage {
                Stage::Released => records.take(slot),
                _ => None,
            };
            drop(records);
            drop(released);
            if stage == Stage::Opening {
                self.post(Message::Reset {
                    slot,
                    reason: Reason::Cancelled,
                });
            }
        } else {
            let record = records.take(slot);
            drop(records);
            drop(record);
            self.post(Message::Released { slot });
        }
    }

    /// The peer has nothing of a connection mapped any more.
    fn released(&self, slot: Slot) -> Result<(), Lost> {
        let record = {
            let mut records = self.records.lock();
            let record = records.get(slot).ok_or(Lost)?;
            match record.stage {
                Stage::Opening | Stage::Released => return Err(Lost),
                // What it has sent can still be received: the memory is ours.
                Stage::Open => {
                    record.stage = Stage::Released;
                    return Ok(());
                }
                Stage::Leaving => records.take(slot),
            }
        };
        drop(record);
        Ok(())
    }
}

/// The first page's grant reference.
fn first(memory: &Granted) -> Result<u32> {
    memory.refs().first().copied().ok_or(EINVAL)
}

/// Larger segments.
impl Peer {
    /// A ring that we write is too small.
    fn grow(&self, slot: Slot) {
        let size = match self.records.lock().get(slot) {
            Some(record) if !record.asked => record.conn.wanted(self.settings.last()),
            _ => None,
        };
        let Some(size) = size else {
            return;
        };
        if self.is_ours(slot) {
            self.offer(slot, Direction::FromOpener, size);
        } else {
            if let Some(record) = self.records.lock().get(slot) {
                record.asked = true;
            }
            self.post(Message::Want { slot, size });
        }
    }

    /// Offers a segment of `size` for a direction of a connection that we have opened, if it has
    /// none as large.
    fn offer(&self, slot: Slot, direction: Direction, size: Size) {
        let size = size.min(self.settings.last());
        let at = direction.index();
        let mut records = self.records.lock();
        let Some(record) = records.get(slot) else {
            return;
        };
        let larger = size.bytes() as usize > record.segments[at].len();
        if record.stage != Stage::Open || !record.is_settled(direction) || !larger {
            return;
        }
        let Ok((offered, lists)) = self.segment(size) else {
            if direction == Direction::FromOpener {
                record.conn.set_largest();
            }
            return;
        };
        let Some(offer) = Offer::new(slot, direction, size, &lists) else {
            return;
        };
        if direction == Direction::ToOpener {
            let next = offered.segment.clone();
            let taken = record.conn.with_rx(|rx| {
                let free = rx.ring.offered(size);
                if free {
                    rx.segments[1 - rx.ring.slot()] = Some(next);
                }
                free
            });
            if taken != Some(true) {
                return;
            }
        }
        record.offered[at] = Some(offered);
        drop(records);
        self.post(Message::Offer(offer));
    }

    /// Returns a segment to offer, and the grant references of the pages that list its own.
    fn segment(&self, size: Size) -> Result<(Offered, KVec<u32>)> {
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let segment = Granted::new(self.domain, size.pages() as usize, flags)?;
        let mut lists = KVec::new();
        let mut refs = KVec::new();
        for part in segment.refs().chunks(LISTED_PER_PAGE as usize) {
            let list = Granted::new(self.domain, 1, flags)?;
            for (at, reference) in (0..).step_by(4).zip(part) {
                list.write(at, &reference.to_le_bytes())?;
            }
            refs.push(first(&list)?, GFP_KERNEL)?;
            lists.push(list, GFP_KERNEL)?;
        }
        let offered = Offered {
            segment: Arc::new(Shared::Own(segment), GFP_KERNEL)?,
            _lists: lists,
        };
        Ok((offered, refs))
    }

    /// The peer offers a segment for a direction of a connection that it has opened.
    fn offered(&self, offer: &Offer) -> Result<(), Lost> {
        let (slot, direction) = (offer.slot, offer.direction);
        let mapped = self.map(offer);
        let mut records = self.records.lock();
        let Some(record) = records.get(slot) else {
            return Ok(());
        };
        record.asked = false;
        let Some(segment) = mapped.filter(|_| record.is_settled(direction)) else {
            if direction == Direction::ToOpener {
                record.conn.set_largest();
            }
            drop(records);
            self.post(Message::Declined { slot, direction });
            return Ok(());
        };
        let taken = match direction {
            Direction::FromOpener => record.follow(offer.size, segment),
            Direction::ToOpener => record.go_over(direction, offer.size, segment),
        };
        drop(records);
        if !taken {
            self.post(Message::Declined { slot, direction });
            return Ok(());
        }
        self.post(Message::Taken { slot, direction });
        if direction == Direction::ToOpener {
            self.post(Message::Dropped { slot, direction });
            self.moved(slot);
        }
        Ok(())
    }

    /// Maps what is offered.
    fn map(&self, offer: &Offer) -> Option<Arc<Shared>> {
        let pages = offer.size.pages() as usize;
        let lists = Mapped::new(self.domain, offer.lists()).ok()?;
        let mut refs = KVec::with_capacity(pages, GFP_KERNEL).ok()?;
        for at in (0..4 * pages).step_by(4) {
            let mut word = [0; 4];
            lists.read(at, &mut word).ok()?;
            refs.push(u32::from_le_bytes(word), GFP_KERNEL).ok()?;
        }
        drop(lists);
        let mapped = Mapped::new(self.domain, &refs).ok()?;
        Arc::new(Shared::Peers(mapped), GFP_KERNEL).ok()
    }

    /// The peer has mapped what we have offered.
    fn taken(&self, slot: Slot, direction: Direction) -> Result<(), Lost> {
        let at = direction.index();
        let mut records = self.records.lock();
        let record = records.get(slot).ok_or(Lost)?;
        let offered = record.offered[at].take().ok_or(Lost)?;
        if direction == Direction::FromOpener {
            let size = Size::from_bytes(offered.segment.len() as u32).ok_or(Lost)?;
            record.go_over(direction, size, offered.segment.clone());
        }
        let before = core::mem::replace(&mut record.segments[at], offered.segment);
        record.before[at] = Some(before);
        drop(records);
        self.moved(slot);
        Ok(())
    }

    /// The peer has not mapped what we have offered.
    fn declined(&self, slot: Slot, direction: Direction) -> Result<(), Lost> {
        let mut records = self.records.lock();
        let record = records.get(slot).ok_or(Lost)?;
        let offered = record.offered[direction.index()].take().ok_or(Lost)?;
        match direction {
            Direction::FromOpener => record.conn.set_largest(),
            Direction::ToOpener => {
                record.conn.with_rx(|rx| {
                    if rx.ring.withdraw() {
                        rx.segments[1 - rx.ring.slot()] = None;
                    }
                });
            }
        }
        drop(records);
        drop(offered);
        Ok(())
    }

    /// The peer has not mapped any more what was before the segment of a direction.
    fn dropped(&self, slot: Slot, direction: Direction) -> Result<(), Lost> {
        let before = {
            let mut records = self.records.lock();
            let record = records.get(slot).ok_or(Lost)?;
            record.before[direction.index()].take().ok_or(Lost)?
        };
        drop(before);
        Ok(())
    }

    /// A ring that we read has gone over to another segment.
    fn crossed(&self, slot: Slot) {
        if self.is_ours(slot) {
            return;
        }
        let direction = Direction::FromOpener;
        let before = {
            let mut records = self.records.lock();
            let Some(record) = records.get(slot) else {
                return;
            };
            let Some(next) = record.next[direction.index()].take() else {
                return;
            };
            core::mem::replace(&mut record.segments[direction.index()], next)
        };
        drop(before);
        self.post(Message::Dropped { slot, direction });
    }

    /// A ring that we write has gone over to another segment: both ends look.
    fn moved(&self, slot: Slot) {
        self.ring(slot);
        if let Some(sock) = self.bells.sock(slot) {
            sock.write_space();
        }
    }
}

/// The worker.
impl Peer {
    /// Takes messages of the peer. Returns whether there may be more.
    fn receive(&self) -> Result<bool, Lost> {
        for _ in 0..BUDGET {
            let Some((message, event)) = self.control.receive()? else {
                return Ok(false);
            };
            if event {
                self.ring_control();
            }
            self.handle(message)?;
        }
        Ok(true)
    }

    /// Does what connections want.
    fn serve(&self) {
        self.wishes.grant(|slot, wish| {
            if wish.has(Wish::CROSSED) {
                self.crossed(slot);
            }
            if wish.has(Wish::BROKEN) {
                self.break_off(slot);
            } else if wish.has(Wish::GROW) {
                self.grow(slot);
            }
            if wish.has(Wish::CLOSED) {
                self.finish(slot);
            }
        });
    }

    /// Ends a connection of which the peer has broken a ring.
    fn break_off(&self, slot: Slot) {
        let Some(conn) = self
            .records
            .lock()
            .get(slot)
            .map(|record| record.conn.clone())
        else {
            return;
        };
        self.disconnect(slot, &conn);
        self.post(Message::Reset {
            slot,
            reason: Reason::Broken,
        });
        self.finish(slot);
    }

    /// Looks whether the peer is there.
    fn look(&self) {
        let there = self.channel.status() == Status::Interdomain;
        match (self.phase.load(Relaxed) == Phase::Calling as u32, there) {
            (true, true) => {
                self.phase.store(Phase::Up as u32, Relaxed);
                rendezvous::withdraw(self.domain);
            }
            (true, false) => self.call_again(),
            (false, true) => {}
            (false, false) => self.end(),
        }
    }

    /// Calls a peer again that may not have had a driver, for as long as somebody waits for it.
    fn call_again(&self) {
        let idle = if self.records.lock().is_wanted() {
            0
        } else {
            self.idle.load(Relaxed) + 1
        };
        self.idle.store(idle, Relaxed);
        if idle > PATIENCE {
            self.end();
        } else if idle == 0 && rendezvous::call(self.domain, &self.call).is_err() {
            self.end();
        }
    }

    /// Ends all connections and gives the memory back.
    ///
    /// Context: process context, may sleep; no socket is locked.
    pub(crate) fn tear_down(&self) {
        if self.phase.load(Relaxed) == Phase::Over as u32 {
            return;
        }
        let calling = self.phase.load(Relaxed) == Phase::Calling as u32;
        self.phase.store(Phase::Ended as u32, Relaxed);
        if let Ok(true) = self.control.send(Message::Goodbye) {
            self.ring_control();
        }
        for slot in (0..SLOTS).filter_map(Slot::new) {
            let record = self.records.lock().take(slot);
            if let Some(record) = record {
                self.disconnect(slot, &record.conn);
            }
        }
        if calling {
            rendezvous::withdraw(self.domain);
        }
        self.bells.set_worker(None);
        self.phase.store(Phase::Over as u32, Relaxed);
    }
}

impl Task for Peer {
    fn step(&self) -> Option<Msecs> {
        let more = self.receive().and_then(|more| {
            if self.control.flush()? {
                self.ring_control();
            }
            Ok(more)
        });
        let more = more.unwrap_or_else(|Lost| {
            pr_warn!("domain {} has broken the link\n", self.domain);
            self.end();
            false
        });
        self.serve();
        if self.is_alive() {
            self.look();
        }
        if !self.is_alive() {
            self.tear_down();
            return None;
        }
        Some(if more { 0 } else { LOOK_MS })
    }
}
