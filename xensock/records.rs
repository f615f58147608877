// SPDX-License-Identifier: GPL-2.0

//! The connections of a link, and their memory: it outlives the sockets, as what was sent can still
//! be received.

use crate::{
    account::Seat,
    conn::Conn,
    ends::Rx,
    link::{
        exchange::Exchange,
        grow::Use,
        segment::Size,
        slots::{
            Set,
            Side,
            Slot,
            SLOTS, //
        },
        stage::Stage,
        turn::Turn,
        wire::Direction, //
    },
    memory::Shared,
    xen::grant::Granted, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc,
        Mutex, //
    }, //
};

/// A connection.
pub(crate) struct Record {
    pub(crate) turn: Turn,
    pub(crate) conn: Arc<Conn>,
    pub(crate) stage: Stage,
    _page: Arc<Shared>,
    _seat: Seat,
    /// The segments of each [`Direction`].
    segments: [Exchange<Arc<Shared>>; 2],
    /// Where we are the opener: the pages that list what was offered.
    pub(crate) lists: [KVec<Granted>; 2],
    /// Whether a larger segment has been asked for.
    pub(crate) asked: bool,
    /// Where we are the opener: what the peer has asked for, and was not offered yet.
    pub(crate) wanted: Option<Size>,
    /// Where we are the opener: what is known of the use of each [`Direction`].
    pub(crate) uses: [Use; 2],
}

impl Record {
    /// A connection that is made of a page, its segments and what it counts as.
    pub(crate) fn new(
        turn: Turn,
        conn: Arc<Conn>,
        stage: Stage,
        (page, segments, seat): (Arc<Shared>, [Arc<Shared>; 2], Seat),
    ) -> Self {
        Self {
            turn,
            conn,
            stage,
            _page: page,
            _seat: seat,
            segments: segments.map(Exchange::new),
            lists: [KVec::new(), KVec::new()],
            asked: false,
            wanted: None,
            uses: [Use::new(0); 2],
        }
    }

    /// The segments of `direction`.
    pub(crate) fn of(&mut self, direction: Direction) -> &mut Exchange<Arc<Shared>> {
        let [forth, back] = &mut self.segments;
        match direction {
            Direction::FromOpener => forth,
            Direction::ToOpener => back,
        }
    }

    /// The size of the ring of `direction`, in bytes.
    pub(crate) fn size(&mut self, direction: Direction) -> usize {
        self.of(direction).now().len()
    }

    /// Lets the ring that we read go over to `segment`, of that size, when its writer does; returns
    /// whether it can.
    pub(crate) fn expect_next(&self, size: Size, segment: &Arc<Shared>) -> bool {
        let next = segment.clone();
        let expects = |rx: &mut Rx| rx.expect_next(size, next);
        self.conn.with_rx(self.turn, expects) == Some(true)
    }
}

/// All connections of a link.
#[pin_data]
pub(crate) struct Records {
    #[pin]
    all: Mutex<Table>,
}

/// The connections, by slot.
pub(crate) struct Table {
    records: KVVec<Option<KBox<Record>>>,
    /// The number of the next turn, in any slot.
    next: u32,
    /// Those whose rings are to be looked after from time to time.
    pub(crate) tended: Set,
}

impl Records {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            all <- {
                let mut records = KVVec::with_capacity(SLOTS as usize, GFP_KERNEL)?;
                for _ in 0..SLOTS {
                    records.push(None, GFP_KERNEL)?;
                }
                new_mutex!(Table { records, next: 0, tended: Set::new() })
            },
        })
    }

    /// Context: process context, may sleep.
    pub(crate) fn lock(&self) -> Guard<'_, Table, MutexBackend> {
        self.all.lock()
    }
}

impl Table {
    /// The connection in `slot`.
    pub(crate) fn get(&mut self, slot: Slot) -> Option<&mut Record> {
        self.records.get_mut(slot.index())?.as_deref_mut()
    }

    /// The connection `turn`, if it still has its slot.
    pub(crate) fn at(&mut self, turn: Turn) -> Option<&mut Record> {
        self.get(turn.slot()).filter(|record| record.turn == turn)
    }

    /// The turn of a connection that is to be kept in `slot`.
    pub(crate) fn begin(&mut self, slot: Slot) -> Turn {
        let turn = Turn::new(slot, self.next);
        self.next = self.next.wrapping_add(1);
        turn
    }

    /// A slot for a connection that `side` opens, below `most` of them.
    pub(crate) fn free(&self, side: Side, most: u32) -> Option<Slot> {
        (0..SLOTS - 1)
            .filter_map(Slot::new)
            .filter(|slot| slot.opener() == side)
            .take(most as usize)
            .find(|slot| matches!(self.records.get(slot.index()), Some(None)))
    }

    /// Keeps a connection.
    pub(crate) fn set(&mut self, record: KBox<Record>) {
        if let Some(place) = self.records.get_mut(record.turn.slot().index()) {
            *place = Some(record);
        }
    }

    /// Lets go of a connection. To be dropped where the lock is not held: it may sleep long.
    pub(crate) fn take(&mut self, slot: Slot) -> Option<KBox<Record>> {
        self.records.get_mut(slot.index())?.take()
    }

    /// Whether any connection has a program that uses it.
    pub(crate) fn is_wanted(&self) -> bool {
        let used = self.records.iter().flatten();
        used.into_iter()
            .any(|record| record.stage != Stage::Leaving)
    }
}
