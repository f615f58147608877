// SPDX-License-Identifier: GPL-2.0

//! What is wrong with what a socket's peer writes, and how often.

use crate::mutate::{
    below,
    done,
    MOMENTS, //
};

/// What can be wrong.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// An index of a connection's rings, or what goes with it, until it is written the next time.
    Word = 0,
    /// Likewise of a link's control rings.
    LinkWord = 1,
    /// Words for a moment, that are right again before anything else is done.
    Moment = 2,
    /// A word of a control message.
    Message = 3,
    /// A word of a packet's header.
    Header = 4,
    /// A word of what a link's page says first, for a while: grants, the version.
    First = 5,
    /// Bells for connections that nothing has happened to, or that there are none of.
    Bell = 6,
    /// An event that nobody has asked for.
    Event = 7,
    /// Headers of packets that the victim may be reading, for a moment.
    HeaderMoment = 8,
}

/// By [`What`]: its name, and that it happens once in so many times.
pub(crate) const ALL: [(&str, u64); 9] = [
    ("words", 48),
    ("link_words", 1024),
    ("moments", 2),
    ("messages", 32),
    ("headers", 8),
    ("first_words", 64),
    ("bells", 16),
    ("events", 64),
    ("header_moments", 2),
];

/// For so many wrong words there is a wrong header, at least: what is wrong ends connections, and
/// most would never come to their first packet.
const WORDS_PER_HEADER: u64 = 256;

/// How often there is a storm of events.
const STORM_ONE_IN: u64 = 16384;

/// Whether it is the turn of headers to be wrong: indices and messages are right until one was.
fn is_turn_of_headers() -> bool {
    // One that is wrong for good ends its connection: it counts as many.
    let headers = done(What::Header as usize) * MOMENTS + done(What::HeaderMoment as usize);
    headers * WORDS_PER_HEADER < done(What::Moment as usize)
}

/// Whether it is not the turn of this.
pub(crate) fn waits(what: What) -> bool {
    match what {
        What::Word | What::LinkWord | What::Moment | What::Message | What::First => {
            is_turn_of_headers()
        }
        What::Header | What::HeaderMoment => !is_turn_of_headers(),
        What::Bell | What::Event => false,
    }
}

/// Whether there is a storm of events now.
pub(crate) fn is_storm() -> bool {
    below(STORM_ONE_IN) == 0
}
