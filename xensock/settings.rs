// SPDX-License-Identifier: GPL-2.0

//! What all links share: who we are, and what the administrator may change.

use crate::{
    admission::Rules,
    busy::Patience,
    counters::Counters,
    datagrams::Ports,
    driver::Driver,
    link::{
        policy::Verdict,
        segment::Size,
        slots::SLOTS,
        wire::FIRST_ORDER_MAX, //
    },
    linux::{
        irqlock::IrqLock,
        work::Worker, //
    },
    new_irq_lock,
    peer::Ending,
    xen::{
        domain::DomId,
        store, //
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
    }, //
};

/// Bytes of a KiB.
const KIB: u64 = 1024;

/// The pages of the first segment that an opener writes to, as a power of two: 32 KiB, so that
/// programs which do not wait for room seldom have to send a first request in parts.
const FIRST_ORDER: u32 = 3;

/// The largest segment, as a power of two of pages: 1 MiB per direction.
const LAST_ORDER: u32 = 8;

/// How many connections there may be with one domain, if nothing else is said: all that a link has.
const MOST_SOCKETS: u32 = SLOTS / 2;

/// How much memory may be shared with one domain, in KiB, if nothing else is said: three quarters
/// of what a grant table has that is as large as Xen makes it by default.
const MOST_MEMORY_KIB: u64 = 96 << 10;

/// The least that may be set: a link, and a connection with the smallest rings.
const LEAST_MEMORY_KIB: u64 = 64;

/// How long a program in the midst of a stream looks for more before it sleeps, in microseconds, if
/// nothing else is said. As long as KVM's hosts and guests poll by default before they halt
/// (`halt_poll_ns`, `guest_halt_poll_ns`).
const BULK_POLL_US: u32 = 200;

/// The most events that a link may be limited to, each second.
const MOST_EVENTS: u32 = 1_000_000;

/// The longest that a program may look for data before it sleeps, in microseconds.
const MOST_BUSY_US: u32 = 10_000;

/// See the module's documentation.
#[pin_data]
pub(crate) struct Settings {
    own: Atomic<u32>,
    /// The order of the first segment that an opener writes to, in pages.
    first_order: Atomic<u32>,
    /// The order of the largest segment, in pages.
    last_order: Atomic<u32>,
    most_sockets: Atomic<u32>,
    most_memory_kib: Atomic<u64>,
    /// 0 if there is no limit.
    most_events: Atomic<u32>,
    busy_poll_us: Atomic<u32>,
    bulk_poll_us: Atomic<u32>,
    /// Whether others may connect only where a rule allows it.
    closed: Atomic<bool>,
    /// Who may connect to this domain.
    #[pin]
    pub(crate) incoming: Rules,
    /// To whom this domain may connect.
    #[pin]
    pub(crate) outgoing: Rules,
    /// Who receives datagrams.
    #[pin]
    pub(crate) ports: Ports,
    /// What all links count together.
    pub(crate) counters: Counters,
    /// Who ends links' watches.
    pub(crate) ending: Arc<Worker<Ending>>,
    /// Who drops links that have come to their end.
    #[pin]
    reaper: IrqLock<Option<Arc<Worker<Driver>>>>,
}

impl Settings {
    /// Returns the defaults, but for what is `closed`.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    pub(crate) fn new(closed: bool) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            own: Atomic::new(u32::from(store::own_domid()?.number())),
            first_order: Atomic::new(FIRST_ORDER),
            last_order: Atomic::new(LAST_ORDER),
            most_sockets: Atomic::new(MOST_SOCKETS),
            most_memory_kib: Atomic::new(MOST_MEMORY_KIB),
            most_events: Atomic::new(0),
            busy_poll_us: Atomic::new(0),
            bulk_poll_us: Atomic::new(BULK_POLL_US),
            closed: Atomic::new(closed),
            incoming <- Rules::new(),
            outgoing <- Rules::new(),
            ports <- Ports::new(),
            counters: Counters::new()?,
            ending: Arc::pin_init(Worker::steady(c"xensock-watches", kernel::static_lock_class!(), Ending::new()), GFP_KERNEL)?,
            reaper <- new_irq_lock!(None),
        })
    }

    /// Says who drops links that have come to their end; [`None`] ends a circle of references.
    pub(crate) fn set_reaper(&self, reaper: Option<Arc<Worker<Driver>>>) {
        let before = core::mem::replace(&mut *self.reaper.lock(), reaper);
        // Not under the lock: it may be the last reference.
        drop(before);
    }

    /// A link has come to its end.
    ///
    /// Context: any.
    pub(crate) fn reap(&self) {
        if let Some(reaper) = &*self.reaper.lock() {
            reaper.kick();
        }
    }

    /// The domain this kernel runs in.
    pub(crate) fn own(&self) -> DomId {
        DomId::new(self.own.load(Relaxed)).unwrap_or(DomId::SELF)
    }

    /// Asks again who we are: a restored domain has another ID.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    pub(crate) fn ask_again(&self) -> Result {
        self.own
            .store(u32::from(store::own_domid()?.number()), Relaxed);
        Ok(())
    }

    /// The sizes of a connection's first segments, by [`Direction`](crate::link::wire::Direction):
    /// an idle connection shall not have more than 64 KiB and two pages, all that belongs to its
    /// sockets included, so that the one to the opener is smaller.
    pub(crate) fn first(&self) -> [Size; 2] {
        let forth = self.first_forth();
        [forth, forth.half().unwrap_or(forth)]
    }

    /// The size of the first segment that an opener writes to.
    pub(crate) fn first_forth(&self) -> Size {
        size(&self.first_order)
    }

    /// The size of the largest segment.
    pub(crate) fn last(&self) -> Size {
        size(&self.last_order)
    }

    /// Sets the size of the first segments of connections that come.
    ///
    /// # Errors
    ///
    /// `ERANGE` if it is larger than the largest, or than a connection may start with.
    pub(crate) fn set_first(&self, size: Size) -> Result {
        if size.order() > FIRST_ORDER_MAX || size > self.last() {
            return Err(ERANGE);
        }
        self.first_order.store(size.order().into(), Relaxed);
        Ok(())
    }

    /// Sets the size of the largest segment. Those that are larger stay.
    ///
    /// # Errors
    ///
    /// `ERANGE` if it is smaller than the first ones.
    pub(crate) fn set_last(&self, size: Size) -> Result {
        if size < self.first_forth() {
            return Err(ERANGE);
        }
        self.last_order.store(size.order().into(), Relaxed);
        Ok(())
    }

    /// How many connections there may be with one domain, whoever opened them.
    pub(crate) fn most_sockets(&self) -> u64 {
        self.most_sockets.load(Relaxed).into()
    }

    /// How much memory may be shared with one domain, in bytes, whoever granted it.
    pub(crate) fn most_memory(&self) -> u64 {
        self.most_memory_kib.load(Relaxed) * KIB
    }

    /// Sets how many connections there may be with one domain. Those beyond it stay.
    ///
    /// # Errors
    ///
    /// `ERANGE` if it is none, or more than a link has.
    pub(crate) fn set_most_sockets(&self, number: u64) -> Result {
        match u32::try_from(number) {
            Ok(number @ 1..=MOST_SOCKETS) => self.most_sockets.store(number, Relaxed),
            _ => return Err(ERANGE),
        }
        Ok(())
    }

    /// Sets how much memory may be shared with one domain. What is beyond it stays.
    ///
    /// # Errors
    ///
    /// `ERANGE` if a connection would not fit, or if it is beyond all memory.
    pub(crate) fn set_most_memory(&self, kib: u64) -> Result {
        if !(LEAST_MEMORY_KIB..=u64::MAX / KIB).contains(&kib) {
            return Err(ERANGE);
        }
        self.most_memory_kib.store(kib, Relaxed);
        Ok(())
    }

    /// How many events a link may have each second before they are put off; [`None`] if as many as
    /// come.
    pub(crate) fn most_events(&self) -> Option<u32> {
        Some(self.most_events.load(Relaxed)).filter(|most| *most > 0)
    }

    /// Sets how many events a link may have each second, or that there is no limit, by 0.
    ///
    /// # Errors
    ///
    /// `ERANGE` if that is more than [`MOST_EVENTS`].
    pub(crate) fn set_most_events(&self, per_second: u64) -> Result {
        match u32::try_from(per_second) {
            Ok(most @ 0..=MOST_EVENTS) => self.most_events.store(most, Relaxed),
            _ => return Err(ERANGE),
        }
        Ok(())
    }

    /// How long a program looks for data before it sleeps, in microseconds, at the most.
    pub(crate) fn busy_poll_us(&self) -> u32 {
        self.busy_poll_us.load(Relaxed)
    }

    /// Sets how long a program looks for data before it sleeps.
    ///
    /// # Errors
    ///
    /// `ERANGE` if that is longer than [`MOST_BUSY_US`].
    pub(crate) fn set_busy_poll_us(&self, us: u64) -> Result {
        self.busy_poll_us.store(patience_us(us)?, Relaxed);
        Ok(())
    }

    /// How long a program in the midst of a stream looks for more before it sleeps, in
    /// microseconds, at the most.
    pub(crate) fn bulk_poll_us(&self) -> u32 {
        self.bulk_poll_us.load(Relaxed)
    }

    /// Sets how long a program in the midst of a stream looks for more before it sleeps.
    ///
    /// # Errors
    ///
    /// `ERANGE` if that is longer than [`MOST_BUSY_US`].
    pub(crate) fn set_bulk_poll_us(&self, us: u64) -> Result {
        self.bulk_poll_us.store(patience_us(us)?, Relaxed);
        Ok(())
    }

    /// How long programs look for data before they sleep.
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            always_us: self.busy_poll_us(),
            bulk_us: self.bulk_poll_us(),
        }
    }

    /// What holds for connections to this domain about which there is no rule.
    pub(crate) fn default_verdict(&self) -> Verdict {
        if self.closed.load(Relaxed) {
            Verdict::Deny
        } else {
            Verdict::Allow
        }
    }

    /// Sets what holds where there is no rule.
    pub(crate) fn set_closed(&self, closed: bool) {
        self.closed.store(closed, Relaxed);
    }
}

fn patience_us(us: u64) -> Result<u32> {
    match u32::try_from(us) {
        Ok(us @ 0..=MOST_BUSY_US) => Ok(us),
        _ => Err(ERANGE),
    }
}

fn size(order: &Atomic<u32>) -> Size {
    Size::from_order(order.load(Relaxed) as u8).unwrap_or(Size::MIN)
}
