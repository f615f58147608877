// SPDX-License-Identifier: GPL-2.0

//! Instead of the driver's `link`: messages are not sent, or twice, or late, or nothing has led to them.

#[path = "../../../pageshare/link/mod.rs"]
mod honest;

pub(crate) use honest::{
    Letter,
    Lost, //
};

use crate::{
    area::{
        rendezvous::Rendezvous,
        wire::{
            Label,
            Message,
            Reason,
            RefList,
            RunList,
            MESSAGE_MAX,
            VERSION, //
        }, //
    },
    kept,
    linux::work::Task,
    mutate::{
        below,
        instead_of,
        strikes, //
    },
    wrong::{
        is_turn,
        Manner,
        What, //
    },
    xen::domain::DomId, //
};
use core::ops::Deref;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// As many messages may be sent once more.
const PAST: usize = 8;

/// Blocks of an invented message are below this, more or less.
const BLOCKS: u64 = 600;

/// An area that nobody may attach.
const SECRET: &[u8] = b"secret";

/// A message of before.
struct Said {
    kind: u16,
    payload: KVec<u8>,
}

/// As the driver's, but for what is said.
#[pin_data]
pub(crate) struct Link<T: Task + 'static> {
    honest: Arc<honest::Link<T>>,
    #[pin]
    past: Mutex<KVec<Said>>,
}

impl<T: Task> Deref for Link<T> {
    type Target = honest::Link<T>;

    fn deref(&self) -> &honest::Link<T> {
        &self.honest
    }
}

/// Whether this end waits for an answer, or the other one has asked for this: it is sent, as all would be
/// over otherwise until somebody is tired of waiting.
fn is_waited_for(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::Hello { .. }
            | Message::Attach { .. }
            | Message::Again { .. }
            | Message::Attached { .. }
            | Message::Refused { .. }
            | Message::Fetch { .. }
            | Message::Granted { .. }
            | Message::Offer { .. }
            | Message::Supply { .. }
    )
}

/// Returns a message of either side, with lists that have the same count.
fn invented<'a>(runs: &'a RunList, refs: &'a RefList) -> Option<Message<'a>> {
    let (tree, request) = (below(3) as u32, below(20) as u32);
    let (runs, refs) = (runs.runs()?, refs.refs()?);
    Some(match below(12) {
        0 => Message::Retire { tree },
        1 => Message::Withdrawn { request },
        2 => Message::Detach { tree },
        3 => Message::Granted { request, refs },
        4 => Message::Refused {
            request,
            reason: Reason::Retired,
        },
        5 => Message::Release { tree, runs },
        6 => Message::Fetch {
            tree,
            request,
            runs,
        },
        7 => Message::Hello {
            version: VERSION,
            pages: instead_of(128),
        },
        8 => Message::Attach {
            request,
            area: Label::new(SECRET)?,
            tree: Label::NONE,
        },
        _ => Message::Withdraw {
            tree,
            request,
            runs,
        },
    })
}

impl<T: Task> Link<T> {
    /// As the driver's.
    pub(crate) fn make(owner: DomId) -> Result<Arc<Self>> {
        Self::new(honest::Link::make(owner)?)
    }

    /// As the driver's.
    pub(crate) fn answer(member: DomId, call: Rendezvous) -> Result<Arc<Self>> {
        Self::new(honest::Link::answer(member, call)?)
    }

    fn new(honest: Arc<honest::Link<T>>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                honest,
                past <- new_mutex!(KVec::new()),
            }),
            GFP_KERNEL,
        )
    }

    /// As the driver's, which asks twice a second; who is mute says something that nobody waits for.
    pub(crate) fn is_up(&self) -> bool {
        if Manner::get() == Manner::Mute {
            let _ = self.honest.send(&Message::Retire { tree: u32::MAX });
        }
        self.honest.is_up()
    }

    /// Sends a message, or not, or others as well.
    pub(crate) fn send(&self, message: &Message<'_>) -> Result<(), Lost> {
        let is_grant = matches!(message, Message::Granted { .. });
        match Manner::get() {
            Manner::Mute if is_grant => return Ok(()),
            Manner::Cutting if is_grant && is_turn() => {
                return self.honest.send(&Message::Goodbye);
            }
            _ => kept::alter(),
        }
        // With no memory for that it is not sent again.
        let _ = self.remember(message);
        if is_waited_for(message) || !strikes(What::Unsaid) {
            self.honest.send(message)?;
        }
        if strikes(What::Again) {
            self.say_again()?;
        }
        if strikes(What::Invented) {
            self.invent()?;
        }
        let cut = match message {
            Message::Attached { .. } => What::CutAttached,
            _ => What::Cut,
        };
        match strikes(cut) {
            true => self.honest.send(&Message::Goodbye),
            false => Ok(()),
        }
    }

    /// Takes note of a message.
    fn remember(&self, message: &Message<'_>) -> Result {
        let mut letter = [0; MESSAGE_MAX];
        let mut payload = KVec::new();
        payload.extend_from_slice(message.encode(&mut letter), GFP_KERNEL)?;
        let said = Said {
            kind: message.kind(),
            payload,
        };
        let mut past = self.past.lock();
        if past.len() == PAST {
            let forgotten = past.remove(below(PAST as u64) as usize);
            drop(forgotten);
        }
        Ok(past.push(said, GFP_KERNEL)?)
    }

    /// Sends a message of before.
    fn say_again(&self) -> Result<(), Lost> {
        let past = self.past.lock();
        let Some(said) = past.get(below(past.len() as u64) as usize) else {
            return Ok(());
        };
        match Message::decode(said.kind, &said.payload) {
            Ok(message) => self.honest.send(&message),
            Err(_) => Ok(()),
        }
    }

    /// Sends a message that nothing has led to.
    fn invent(&self) -> Result<(), Lost> {
        let (mut runs, mut refs) = (RunList::new(), RefList::new());
        let first = below(BLOCKS) as u32;
        for block in first..=first + below(8) as u32 {
            runs.push(block);
            refs.push(Some(instead_of(block)));
        }
        let message = invented(&runs, &refs);
        message.map_or(Ok(()), |message| self.honest.send(&message))
    }

    /// As the driver's; what is granted may be mapped once more.
    pub(crate) fn receive<'a>(&self, letter: &'a mut Letter) -> Result<Option<Message<'a>>, Lost> {
        let message = self.honest.receive(letter)?;
        if let Some(Message::Granted { refs, .. }) = &message {
            // With no memory for that it is not.
            let _ = kept::map(self.domain(), *refs);
        }
        Ok(message)
    }
}
