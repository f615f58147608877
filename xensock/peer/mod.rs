// SPDX-License-Identifier: GPL-2.0

//! A link to another domain: how it comes about, what goes over it, and how it ends.

mod admission;
mod connections;
mod datagrams;
mod home;
mod later;
mod notes;
mod segments;
mod sight;
mod wants;
mod worker;

pub(crate) use home::Ending;
pub(crate) use sight::Found as FoundInLink;

use crate::{
    account::Account,
    bells::{
        Bells,
        CONTROL, //
    },
    control::{
        Control,
        Lost,
        Sent, //
    },
    link::{
        doorbell,
        policy::Uuid,
        segment::Size,
        slots::{
            Side,
            Slot, //
        },
        turn::Turn,
        wire::{
            self,
            Message,
            Rendezvous,
            CONTROL_REFS, //
        }, //
    },
    linux::{
        random,
        work::Worker, //
    },
    memory::{
        BellsAt,
        Shared, //
    },
    records::Records,
    rendezvous,
    settings::Settings,
    wishes::{
        Wish,
        Wishes, //
    },
    xen::{
        domain::DomId,
        event::Channel, //
    }, //
};
use home::Home;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex,
        SetOnce, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};
use later::Later;

/// How a link stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// We have called, and nobody has answered yet.
    Calling = 0,
    Up = 1,
    /// To be torn down.
    Ended = 2,
    /// Torn down, but a locked socket has still to be told.
    Down = 3,
    /// Nothing is left to be done.
    Over = 4,
}

/// A link to another domain.
#[pin_data]
pub(crate) struct Peer {
    settings: Arc<Settings>,
    account: Arc<Account>,
    domain: DomId,
    side: Side,
    call: Rendezvous,
    /// What has the control rings' lines.
    header: Arc<Shared>,
    /// That of the peer, once it has mattered; none if this domain may not know it.
    uuid: SetOnce<Option<Uuid>>,
    start: Instant<Monotonic>,
    phase: Atomic<u32>,
    /// When rings are looked after the next time, in milliseconds since the start.
    tend_at: Atomic<u64>,
    #[pin]
    home: Home,
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
    /// What waits for a socket that is locked.
    #[pin]
    later: Mutex<KVec<Later>>,
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
    /// `ENOMEM`, `ENOSPC` (no event channel or grant is left), `ENOBUFS` if it is more than the
    /// domain may have, what xenstored says.
    pub(crate) fn call(
        settings: Arc<Settings>,
        account: Arc<Account>,
        domain: DomId,
    ) -> Result<Arc<Worker<Self>>> {
        let header = Shared::grant(&account, domain, 1, GFP_KERNEL)?;
        let control = Shared::grant(&account, domain, CONTROL_REFS, GFP_KERNEL)?;
        header.write(wire::MAGIC_OFFSET, &wire::MAGIC.to_le_bytes())?;
        header.write(wire::VERSION_OFFSET, &wire::VERSION.to_le_bytes())?;
        for (at, reference) in (0..).step_by(4).zip(control.refs()) {
            header.write(wire::CONTROL_REFS_OFFSET + at, &reference.to_le_bytes())?;
        }
        let page = first(&header)?;

        let bells = Arc::pin_init(
            Bells::new(settings.clone(), header.clone(), Side::Initiator),
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
            control,
            bells,
            channel,
            call,
        };
        let link = Self::new(settings, account, domain, Side::Initiator, parts)?;
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
    /// `EINVAL` or `EACCES` if there is nothing behind the call, `ENOMEM`, `ENOSPC`; `ENOBUFS` if
    /// it is more than the domain may have.
    pub(crate) fn answer(
        settings: Arc<Settings>,
        account: Arc<Account>,
        domain: DomId,
        call: Rendezvous,
    ) -> Result<Arc<Worker<Self>>> {
        let header = Shared::map(&account, domain, &[call.header])?;
        let mut words = [[0; 4]; 2];
        header.read(wire::MAGIC_OFFSET, words.as_flattened_mut())?;
        if words.map(u32::from_le_bytes) != [wire::MAGIC, wire::VERSION] {
            return Err(EINVAL);
        }
        let mut refs = [[0; 4]; CONTROL_REFS];
        header.read(wire::CONTROL_REFS_OFFSET, refs.as_flattened_mut())?;
        let control = Shared::map(&account, domain, &refs.map(u32::from_le_bytes))?;

        let bells = Arc::pin_init(
            Bells::new(settings.clone(), header.clone(), Side::Acceptor),
            GFP_KERNEL,
        )?;
        let channel = Channel::connect(domain, call.port, bells.clone())?;
        let parts = Parts {
            header,
            control,
            bells,
            channel,
            call,
        };
        let link = Self::new(settings, account, domain, Side::Acceptor, parts)?;
        link.phase.store(Phase::Up as u32, Relaxed);
        link.note_up();
        link.kick();
        Ok(link)
    }

    fn new(
        settings: Arc<Settings>,
        account: Arc<Account>,
        domain: DomId,
        side: Side,
        parts: Parts,
    ) -> Result<Arc<Worker<Self>>> {
        let Parts {
            header: head,
            control,
            bells,
            channel,
            call,
        } = parts;
        let link = Arc::pin_init(
            Worker::new(
                c"xensock-link",
                kernel::static_lock_class!(),
                try_pin_init!(Self {
                    settings,
                    account,
                    domain,
                    side,
                    call,
                    header: head.clone(),
                    uuid: SetOnce::new(),
                    start: Instant::now(),
                    phase: Atomic::new(Phase::Calling as u32),
                    tend_at: Atomic::new(0),
                    home <- Home::new(),
                    idle: Atomic::new(0),
                    out: BellsAt::new(head.clone(), wire::bell(*side)),
                    bells,
                    channel,
                    wishes: Wishes::new()?,
                    control <- Control::new(head, control, *side),
                    records <- Records::new(),
                    later <- new_mutex!(KVec::new()),
                }? Error),
            ),
            GFP_KERNEL,
        )?;
        link.bells.set_worker(Some(link.clone()));
        link.settings.counters.links.up();
        Ok(link)
    }

    /// What the domain at the other end has.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The domain at the other end.
    pub(crate) fn domain(&self) -> DomId {
        self.domain
    }

    /// Whether it waits for the peer to answer.
    pub(crate) fn is_calling(&self) -> bool {
        self.phase.load(Relaxed) == Phase::Calling as u32
    }

    /// Whether it carries connections, or will.
    pub(crate) fn is_alive(&self) -> bool {
        self.phase.load(Relaxed) <= Phase::Up as u32
    }

    /// Whether it has been torn down, and all who had to be told were.
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

    /// Milliseconds since the link came about.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0)
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
            self.bells.tells();
            self.channel.notify();
        }
    }

    /// Wants something of the worker.
    ///
    /// Context: any.
    pub(crate) fn wish(&self, turn: Turn, wish: Wish) {
        if self.wishes.make(turn, wish) {
            self.bells.kick();
        }
    }

    /// The program has closed the connection `turn`.
    ///
    /// Context: process context.
    pub(crate) fn closed(&self, turn: Turn) {
        self.bells.forget(turn);
        self.wish(turn, Wish::CLOSED);
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
            Ok(Sent::Quietly) => {}
            Ok(Sent::Tell) => self.ring_control(),
            Ok(Sent::Kept) => self.bells.kick(),
            Err(Lost) => self.end(),
        }
    }
}

/// The first page's grant reference.
fn first(memory: &Shared) -> Result<u32> {
    memory.refs().first().copied().ok_or(EINVAL)
}
