// SPDX-License-Identifier: GPL-2.0

//! What is wrong on purpose: how often, and how often it was.

use kernel::{
    fmt,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
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
const ALL: [(&str, u64); 9] = [
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

/// Words or headers that are wrong one after the other, when some are for a moment.
const MOMENTS: u64 = 128;

/// For so many wrong words there is a wrong header, at least: what is wrong ends connections, and
/// most would never come to their first packet.
const WORDS_PER_HEADER: u64 = 256;

/// In a storm, and how often there is one.
const STORM_EVENTS: u64 = 2000;
const STORM_ONE_IN: u64 = 16384;

static STATE: Atomic<u64> = Atomic::new(0);
static DONE: [Atomic<u64>; ALL.len()] = [const { Atomic::new(0) }; ALL.len()];

/// All that comes depends on this number, and on when the threads of this domain run.
pub(crate) fn set_seed(seed: u64) {
    STATE.store(seed, Relaxed);
}

/// Returns a random number, by splitmix64.
fn random() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = STATE.fetch_add(STEP, Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns a number below `end`; 0 if there is none.
pub(crate) fn below(end: u64) -> u64 {
    random().checked_rem(end).unwrap_or(0)
}

/// Returns one of `all`, or `none` if there is none.
pub(crate) fn one_of<T: Copy>(all: &[T], none: T) -> T {
    let at = below(all.len() as u64) as usize;
    all.get(at).copied().unwrap_or(none)
}

/// Whether it is the turn of headers to be wrong: indices and messages are right until one was.
fn is_turn_of_headers() -> bool {
    let done = |what| DONE[what as usize].load(Relaxed);
    // One that is wrong for good ends its connection: it counts as many.
    let headers = done(What::Header) * MOMENTS + done(What::HeaderMoment);
    headers * WORDS_PER_HEADER < done(What::Moment)
}

/// Whether this goes wrong now; if so it counts.
pub(crate) fn strikes(what: What) -> bool {
    let waits = match what {
        What::Word | What::LinkWord | What::Moment | What::Message | What::First => {
            is_turn_of_headers()
        }
        What::Header | What::HeaderMoment => !is_turn_of_headers(),
        What::Bell | What::Event => false,
    };
    let strikes = !waits && below(ALL[what as usize].1) == 0;
    if strikes {
        DONE[what as usize].add(1, Relaxed);
    }
    strikes
}

/// Whether words or headers are wrong for a moment now: as often as is returned.
pub(crate) fn moments(what: What) -> u64 {
    if !strikes(what) {
        return 0;
    }
    // One has been counted.
    DONE[what as usize].add(MOMENTS - 1, Relaxed);
    MOMENTS
}

/// Returns something that may be there instead of `value`.
pub(crate) fn instead_of(value: u32) -> u32 {
    let random = random();
    let other = (random >> 32) as u32;
    match random % 8 {
        0 => other,
        1 => value ^ (1 << (other % 32)),
        2 => value.wrapping_add(1 + other % 4096),
        3 => value.wrapping_sub(1 + other % 4096),
        4 => value.wrapping_add(1 << 31),
        5 => other % 64,
        6 => u32::MAX,
        _ => 4096 << (other % 16),
    }
}

/// Writes something else to one of the words of `bytes`, perhaps; returns whether it has.
pub(crate) fn spoil(what: What, bytes: &mut [u8]) -> bool {
    if bytes.len() < 4 || !strikes(what) {
        return false;
    }
    replace(bytes);
    true
}

/// Writes something else to one of the words of `bytes`.
pub(crate) fn replace(bytes: &mut [u8]) {
    let at = 4 * below((bytes.len() / 4) as u64) as usize;
    if let Some(word) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *word = instead_of(u32::from_le_bytes(*word)).to_le_bytes();
    }
}

/// Returns how many events to send instead of one.
pub(crate) fn events() -> u64 {
    match below(STORM_ONE_IN) {
        0 => {
            DONE[What::Event as usize].add(STORM_EVENTS, Relaxed);
            STORM_EVENTS
        }
        _ => 1,
    }
}

/// Writes how often each has happened, a line for each.
pub(crate) fn tell(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for ((name, _), done) in ALL.iter().zip(&DONE) {
        writeln!(f, "{name} {}", done.load(Relaxed))?;
    }
    Ok(())
}
