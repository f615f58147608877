// SPDX-License-Identifier: GPL-2.0

//! What happens when an event comes: whoever waits on a ring is woken.

use crate::{
    conn::Conn,
    counters::{
        Count,
        Tally, //
    },
    link::{
        doorbell,
        rate::Rate,
        ring::{
            Field,
            Lines,
            FIN,
            GONE, //
        },
        slots::{
            Side,
            Slot,
            SLOTS, //
        },
        turn::Turn,
        wire, //
    },
    linux::{
        irqlock::IrqLock,
        work::Worker, //
    },
    memory::{
        BellsAt,
        RingAt,
        Shared, //
    },
    new_irq_lock,
    peer::Peer,
    settings::Settings,
    vsock::Sock,
    xen::event::{
        Handler,
        Seen, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        Instant,
        Monotonic,
        Msecs, //
    }, //
};

/// The bell of the control rings: the last one. No connection has this slot.
pub(crate) const CONTROL: u32 = SLOTS - 1;

/// Who waits on the rings of a connection.
#[derive(Clone)]
pub(crate) struct Waiter {
    turn: Turn,
    sock: Sock,
    pub(crate) conn: Arc<Conn>,
    /// The lines of the ring that we write, and of the one that we read.
    pub(crate) lines: (RingAt, RingAt),
    /// Which ends of the peer were told of, as [`Waiter::ends`] does.
    told: [bool; 2],
}

impl Waiter {
    pub(crate) fn new(
        turn: Turn,
        (sock, conn): (Sock, Arc<Conn>),
        lines: (RingAt, RingAt),
    ) -> Self {
        Self {
            turn,
            sock,
            conn,
            lines,
            told: [false; 2],
        }
    }

    /// Whether the peer reads no more, and whether it writes no more.
    fn ends(&self) -> [bool; 2] {
        let (tx, rx) = &self.lines;
        [
            tx.load(Field::ConsFlags) & GONE != 0,
            rx.load(Field::ProdFlags) & FIN != 0,
        ]
    }
}

/// What the peer has last said of the control rings: a bell that is rung for nothing else is about
/// nothing.
struct Heard {
    /// The lines of the ring that we write, and of the one that we read.
    lines: (RingAt, RingAt),
    /// The consumer's index of the first and the producer's of the other one.
    indices: Atomic<u64>,
}

impl Heard {
    fn new(header: &Arc<Shared>, side: Side) -> Self {
        let lines = |producer| RingAt::new(header.clone(), wire::control_lines(producer));
        Self {
            lines: (lines(side), lines(side.other())),
            indices: Atomic::new(0),
        }
    }

    /// Whether the peer has said anything since the last call. For the handler only.
    fn news(&self) -> bool {
        let (tx, rx) = &self.lines;
        let consumer = u64::from(tx.load(Field::Cons)) << 32;
        let now = consumer | u64::from(rx.load(Field::Prod));
        let news = now != self.indices.load(Relaxed);
        self.indices.store(now, Relaxed);
        news
    }
}

/// Who waits on what, for the handler of a link's event channel.
#[pin_data]
pub(crate) struct Bells {
    /// The peer's bells: it rings them, we answer.
    bell: BellsAt,
    heard: Heard,
    settings: Arc<Settings>,
    /// Events that went over this link, and that came.
    pub(crate) sent: Count,
    pub(crate) received: Count,
    start: Instant<Monotonic>,
    /// How often they come, while that is limited.
    #[pin]
    rate: IrqLock<Rate>,
    #[pin]
    waiting: IrqLock<KVVec<Option<Waiter>>>,
    /// Who reads the control ring.
    #[pin]
    worker: IrqLock<Option<Arc<Worker<Peer>>>>,
}

impl Bells {
    /// Nobody waits yet. `header` has the bells; we are `side`.
    pub(crate) fn new(
        settings: Arc<Settings>,
        header: Arc<Shared>,
        side: Side,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            heard: Heard::new(&header, side),
            bell: BellsAt::new(header, wire::bell(side.other())),
            settings,
            sent: Count::new(),
            received: Count::new(),
            start: Instant::now(),
            rate <- new_irq_lock!(Rate::default()),
            waiting <- {
                let mut waiting = KVVec::with_capacity(SLOTS as usize, GFP_KERNEL)?;
                for _ in 0..SLOTS {
                    waiting.push(None, GFP_KERNEL)?;
                }
                new_irq_lock!(waiting)
            },
            worker <- new_irq_lock!(None),
        })
    }

    /// Says who reads the control ring; [`None`] ends a circle of references.
    pub(crate) fn set_worker(&self, worker: Option<Arc<Worker<Peer>>>) {
        let before = core::mem::replace(&mut *self.worker.lock(), worker);
        drop(before);
    }

    /// Who reads the control ring.
    pub(crate) fn worker(&self) -> Option<Arc<Worker<Peer>>> {
        self.worker.lock().clone()
    }

    /// Makes the worker look.
    pub(crate) fn kick(&self) {
        if let Some(worker) = &*self.worker.lock() {
            worker.kick();
        }
    }

    /// Says who waits on a connection.
    pub(crate) fn set(&self, waiter: Waiter) {
        let before = match self.waiting.lock().get_mut(waiter.turn.slot().index()) {
            Some(waiting) => waiting.replace(waiter),
            None => None,
        };
        // Not under the lock: it may be the last reference.
        drop(before);
    }

    /// Nobody waits on the connection `turn` any more.
    pub(crate) fn forget(&self, turn: Turn) {
        let before = match self.waiting.lock().get_mut(turn.slot().index()) {
            Some(waiting) => waiting.take_if(|waiter| waiter.turn == turn),
            None => None,
        };
        // As above.
        drop(before);
    }

    /// Whose the connection `turn` is.
    pub(crate) fn sock(&self, turn: Turn) -> Option<Sock> {
        let waiting = self.waiting.lock();
        let waiter = waiting.get(turn.slot().index())?.as_ref()?;
        (waiter.turn == turn).then(|| waiter.sock.clone())
    }

    /// The first connection from slot number `from` on that is as wanted.
    ///
    /// `wanted` may not sleep.
    pub(crate) fn find(
        &self,
        from: usize,
        wanted: impl Fn(&Tally) -> bool,
    ) -> Option<(Slot, Waiter)> {
        let all = self.waiting.lock();
        let numbered = (from..).zip(all.get(from..)?);
        numbered
            .filter_map(|(at, waiter)| Some((at, waiter.as_ref()?)))
            .find(|(_, waiter)| wanted(waiter.conn.tally()))
            .and_then(|(at, waiter)| Some((Slot::new(at as u32)?, waiter.clone())))
    }

    /// An event goes to the peer.
    pub(crate) fn tells(&self) {
        self.sent.up();
        self.settings.counters.events_sent.up();
    }

    /// How long no other event may come, if the one that has come is more than the link may have.
    fn must_wait(&self) -> Option<Msecs> {
        let most = self.settings.most_events()?;
        let now_ns = self.start.elapsed().as_nanos().unsigned_abs();
        let wait = self.rate.lock().wait_ms(now_ns, most)?;
        self.settings.counters.over_events.up();
        Some(wait)
    }

    /// Wakes who waits on the connection in `slot`, if anybody does.
    fn wake(&self, slot: Slot) -> Seen {
        let mut waiting = self.waiting.lock();
        let Some(Some(waiter)) = waiting.get_mut(slot.index()) else {
            return Seen::Nothing;
        };
        waiter.conn.tally().woken();
        let ends = waiter.ends();
        let news = ends != waiter.told;
        waiter.told = ends;
        let sock = waiter.sock.clone();
        drop(waiting);
        if news {
            // Some wait for nothing else.
            sock.state_change();
        }
        sock.data_ready();
        sock.write_space();
        Seen::Work
    }
}

impl Handler for Arc<Bells> {
    fn event(&self) -> Seen {
        let mut seen = Seen::Nothing;
        self.received.up();
        self.settings.counters.events_received.up();
        doorbell::answer(&self.bell, |slot| {
            if slot.number() == CONTROL {
                self.kick();
                if self.heard.news() {
                    seen = Seen::Work;
                }
            } else if let Seen::Work = self.wake(slot) {
                seen = Seen::Work;
            }
        });
        self.must_wait().map_or(seen, Seen::TooMany)
    }
}
