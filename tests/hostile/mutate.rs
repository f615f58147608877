// SPDX-License-Identifier: GPL-2.0

//! What is wrong on purpose: how often, and how often it was.

use crate::wrong::{
    self,
    What,
    ALL, //
};
use kernel::{
    fmt,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Words or headers that are wrong one after the other, when some are for a moment.
pub(crate) const MOMENTS: u64 = 128;

/// In a storm of events.
const STORM_EVENTS: u64 = 2000;

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

/// Returns how often something of [`ALL`] has happened.
pub(crate) fn done(at: usize) -> u64 {
    DONE.get(at).map_or(0, |done| done.load(Relaxed))
}

/// Whether this goes wrong now; if so it counts.
pub(crate) fn strikes(what: What) -> bool {
    let strikes = !wrong::waits(what) && below(ALL[what as usize].1) == 0;
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

/// Returns how many events to send for nothing.
pub(crate) fn storm() -> u64 {
    if !wrong::is_storm() {
        return 0;
    }
    DONE[What::Event as usize].add(STORM_EVENTS, Relaxed);
    STORM_EVENTS
}

/// Writes how often each has happened, a line for each.
pub(crate) fn tell(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, (name, _)) in ALL.iter().enumerate() {
        writeln!(f, "{name} {}", done(at))?;
    }
    Ok(())
}
