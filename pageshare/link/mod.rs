// SPDX-License-Identifier: GPL-2.0

//! A link between a member and an owner: a ring of messages each way, and an event channel. It lies
//! in memory of the member.

mod packets;

pub(crate) use packets::{
    Letter,
    Lost, //
};

use crate::{
    area::{
        rendezvous::Rendezvous,
        wire::{
            self,
            Message,
            Side,
            CONTROL_REFS, //
        }, //
    },
    linux::{
        irqlock::IrqLock,
        random,
        work::{
            Task,
            Worker, //
        }, //
    },
    new_irq_lock,
    xen::{
        domain::DomId,
        event::{
            Channel,
            Handler,
            Seen,
            Status, //
        },
        grant::{
            Granted,
            Mapped,
            Region, //
        }, //
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
use packets::Packets;

/// Who is woken by events.
#[pin_data]
struct Bell<T: Task + 'static> {
    #[pin]
    worker: IrqLock<Option<Arc<Worker<T>>>>,
    /// An event has come since it was looked for messages.
    rung: Atomic<bool>,
    /// There was no message when it was looked for the last one's.
    in_vain: Atomic<bool>,
}

impl<T: Task> Bell<T> {
    /// Takes note of what was found. A peer that sends events for nothing is kept waiting.
    fn looked(&self, found: bool) {
        if self.rung.xchg(false, Relaxed) || found {
            self.in_vain.store(!found, Relaxed);
        }
    }
}

impl<T: Task> Handler for Arc<Bell<T>> {
    fn event(&self) -> Seen {
        match &*self.worker.lock() {
            Some(worker) => {
                self.rung.store(true, Relaxed);
                worker.kick();
                match self.in_vain.load(Relaxed) {
                    true => Seen::Nothing,
                    false => Seen::Work,
                }
            }
            None => Seen::Nothing,
        }
    }
}

/// A link, whose messages the worker of a `T` receives.
#[pin_data]
pub(crate) struct Link<T: Task + 'static> {
    domain: DomId,
    call: Rendezvous,
    bell: Arc<Bell<T>>,
    channel: Channel<Arc<Bell<T>>>,
    #[pin]
    packets: Packets,
}

impl<T: Task> Link<T> {
    /// Makes a link to `owner`, to be told by [`Link::call`].
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` (no event channel or grant is left).
    pub(crate) fn make(owner: DomId) -> Result<Arc<Self>> {
        let header = Granted::new(owner, 1, GFP_KERNEL)?;
        let control = Granted::new(owner, CONTROL_REFS, GFP_KERNEL)?;
        header.write(wire::MAGIC_OFFSET, &wire::MAGIC.to_le_bytes())?;
        header.write(wire::VERSION_OFFSET, &wire::VERSION.to_le_bytes())?;
        for (at, reference) in (0..).step_by(4).zip(control.refs()) {
            header.write(wire::CONTROL_REFS_OFFSET + at, &reference.to_le_bytes())?;
        }
        let page = header.refs().first().copied().ok_or(EINVAL)?;
        let bell = Self::bell()?;
        let channel = Channel::listen(owner, bell.clone())?;
        let call = Rendezvous {
            header: page,
            port: channel.port(),
            nonce: random::number(),
        };
        let header = Arc::new(Region::Own(header), GFP_KERNEL)?;
        let control = Arc::new(Region::Own(control), GFP_KERNEL)?;
        let packets = Packets::new(header, control, Side::Member);
        Self::new(owner, call, bell, channel, packets)
    }

    /// Takes the link that `member` has made, as it tells by `call`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` or `EACCES` if there is nothing behind the call, `ENOMEM`, `ENOSPC`.
    pub(crate) fn answer(member: DomId, call: Rendezvous) -> Result<Arc<Self>> {
        let header = Mapped::new(member, &[call.header])?;
        let mut words = [[0; 4]; 2];
        header.read(wire::MAGIC_OFFSET, words.as_flattened_mut())?;
        if words.map(u32::from_le_bytes) != [wire::MAGIC, wire::VERSION] {
            return Err(EINVAL);
        }
        let mut refs = [[0; 4]; CONTROL_REFS];
        header.read(wire::CONTROL_REFS_OFFSET, refs.as_flattened_mut())?;
        let control = Mapped::new(member, &refs.map(u32::from_le_bytes))?;
        let bell = Self::bell()?;
        let channel = Channel::connect(member, call.port, bell.clone())?;
        let header = Arc::new(Region::Peers(header), GFP_KERNEL)?;
        let control = Arc::new(Region::Peers(control), GFP_KERNEL)?;
        let packets = Packets::new(header, control, Side::Owner);
        Self::new(member, call, bell, channel, packets)
    }

    fn bell() -> Result<Arc<Bell<T>>> {
        Arc::pin_init(
            pin_init!(Bell {
                worker <- new_irq_lock!(None),
                rung: Atomic::new(false),
                in_vain: Atomic::new(false),
            }),
            GFP_KERNEL,
        )
    }

    fn new(
        domain: DomId,
        call: Rendezvous,
        bell: Arc<Bell<T>>,
        channel: Channel<Arc<Bell<T>>>,
        rings: impl PinInit<Packets>,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                domain,
                call,
                bell,
                channel,
                packets <- rings,
            }),
            GFP_KERNEL,
        )
    }

    /// The domain at the other end.
    pub(crate) fn domain(&self) -> DomId {
        self.domain
    }

    /// How the link is told of.
    pub(crate) fn call(&self) -> &Rendezvous {
        &self.call
    }

    /// Says who receives messages; [`None`] ends a circle of references.
    pub(crate) fn set_worker(&self, worker: Option<Arc<Worker<T>>>) {
        let before = core::mem::replace(&mut *self.bell.worker.lock(), worker);
        drop(before);
    }

    /// Whether the other end is there.
    pub(crate) fn is_up(&self) -> bool {
        self.channel.status() == Status::Interdomain
    }

    /// Sends a message.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn send(&self, message: &Message<'_>) -> Result<(), Lost> {
        if self.packets.send(message)? {
            self.channel.notify();
        }
        Ok(())
    }

    /// Sends what there was no room for, as far as there is now.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn flush(&self) -> Result<(), Lost> {
        if self.packets.flush()? {
            self.channel.notify();
        }
        Ok(())
    }

    /// Receives a message, which is put into `letter`. [`None`] if there is none: then the worker is
    /// woken when there is one.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn receive<'a>(&self, letter: &'a mut Letter) -> Result<Option<Message<'a>>, Lost> {
        let received = self.packets.receive(letter)?;
        self.bell.looked(received.is_some());
        let Some((kind, len, event)) = received else {
            return Ok(None);
        };
        if event {
            self.channel.notify();
        }
        let payload = letter.get(..len).ok_or(Lost)?;
        Message::decode(kind, payload).map(Some).map_err(|_| Lost)
    }
}
