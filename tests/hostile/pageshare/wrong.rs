// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a member or an owner of areas, and how often.

use crate::mutate::below;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// What can be wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// An index of a control ring, or what goes with it, until it is written the next time.
    Word = 0,
    /// Words for a moment, that are right again before anything else is done.
    Moment = 1,
    /// A word of a packet's header: its length, its kind.
    Header = 2,
    /// A word of a message: a tree, a request, blocks, grants, digests.
    Message = 3,
    /// A word of what a link's page says first: grants, the version.
    First = 4,
    /// A message that is not sent, or late.
    Unsaid = 5,
    /// One that was sent before is sent once more.
    Again = 6,
    /// One that nothing has led to.
    Invented = 7,
    /// The link ends behind a message.
    Cut = 8,
    /// The link ends behind the answer to who wants to attach.
    CutAttached = 9,
    /// An event that nobody has asked for.
    Event = 10,
    /// Grants are mapped once more, and stay so when they are given back.
    Keep = 11,
    /// A page has another content than its digest says.
    Content = 12,
    /// A page gets another content when it may have been checked already.
    Alter = 13,
}

/// By [`What`]: its name, and that it happens once in so many times.
pub(crate) const ALL: [(&str, u64); 14] = [
    ("words", 96),
    ("moments", 4),
    ("headers", 32),
    ("messages", 8),
    ("first_words", 256),
    ("unsaid", 4),
    ("again", 16),
    ("invented", 16),
    ("cuts", 64),
    ("cuts_attached", 4),
    ("events", STORM_ONE_IN),
    ("kept", 3),
    ("contents", 32),
    ("altered", 2),
];

/// How often there is a storm of events.
const STORM_ONE_IN: u64 = 64;

/// What kind of a peer this is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// All but [`What::Alter`] happens.
    Wild,
    /// Nothing but that.
    Altering,
    /// It ends the link instead of every other grant.
    Cutting,
    /// It grants nothing, but goes on talking.
    Mute,
    /// It sends events all the time.
    Storming,
}

static MANNER: Atomic<u32> = Atomic::new(0);
static TURNS: Atomic<u32> = Atomic::new(0);

impl Manner {
    /// Sets it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is none of that number.
    pub(crate) fn set(number: u32) -> Result {
        if number > Self::Storming as u32 {
            return Err(EINVAL);
        }
        MANNER.store(number, Relaxed);
        Ok(())
    }

    /// Returns it.
    pub(crate) fn get() -> Self {
        match MANNER.load(Relaxed) {
            0 => Self::Wild,
            1 => Self::Altering,
            2 => Self::Cutting,
            3 => Self::Mute,
            _ => Self::Storming,
        }
    }
}

/// Returns true every other time.
pub(crate) fn is_turn() -> bool {
    TURNS.fetch_add(1, Relaxed) % 2 == 0
}

/// Whether this does not happen with this kind of a peer.
pub(crate) fn waits(what: What) -> bool {
    match Manner::get() {
        Manner::Wild => what == What::Alter,
        Manner::Altering => what != What::Alter,
        Manner::Cutting | Manner::Mute | Manner::Storming => true,
    }
}

/// Whether there is a storm of events now.
pub(crate) fn is_storm() -> bool {
    match Manner::get() {
        Manner::Wild => below(STORM_ONE_IN) == 0,
        manner => manner == Manner::Storming,
    }
}
