// SPDX-License-Identifier: GPL-2.0

//! Which connections an event is about: one bit for each slot, and a summary of the words that
//! have bits, so that one event channel serves all connections of two domains.
//!
//! The ringer sets the slot's bit, then the word's bit in the summary; the answerer takes the
//! summary, then the words that it names. Whoever finds the summary empty sends the event, for all
//! that ring before it is answered.

use super::slots::Slot;

/// Words of a doorbell, each of 64 bits.
pub const WORDS: usize = 64;

/// Bytes from a doorbell's start to its words; the summary is at its start.
pub const WORDS_OFFSET: usize = 128;

/// Bytes of a doorbell.
pub const BELLS: usize = WORDS_OFFSET + 8 * WORDS;

/// The shared words of one direction's doorbell, little-endian.
///
/// Each operation is atomic, and fully ordered: nothing before it in the program happens after it,
/// nor the other way round.
pub trait Bits {
    /// Sets bits in the summary. Returns what it was before.
    fn set_summary(&self, bits: u64) -> u64;

    /// Clears the summary. Returns what it was before.
    fn take_summary(&self) -> u64;

    /// Sets bits in a word. `word` is below [`WORDS`].
    fn set(&self, word: usize, bits: u64);

    /// Clears a word. Returns what it was before. `word` is below [`WORDS`].
    fn take(&self, word: usize) -> u64;
}

/// Rings for a slot. Returns whether an event is needed.
pub fn ring<B: Bits>(bits: &B, slot: Slot) -> bool {
    let word = slot.index() / 64;

    bits.set(word, 1 << (slot.index() % 64));
    bits.set_summary(1 << word) == 0
}

/// Answers: calls `visit` for each slot that was rung for since the last time, and returns how many
/// those were. To be called on every event, by one at a time.
///
/// The peer may ring for any slot, also such as are not in use.
pub fn answer<B: Bits>(bits: &B, mut visit: impl FnMut(Slot)) -> u32 {
    let mut rung = 0;

    for word in ones(bits.take_summary()) {
        for bit in ones(bits.take(word)) {
            if let Some(slot) = Slot::new((word * 64 + bit) as u32) {
                visit(slot);
                rung += 1;
            }
        }
    }
    rung
}

/// Returns the numbers of the bits that are set.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lowest = bits.trailing_zeros();
        bits = bits.checked_sub(1)? & bits;
        Some(lowest as usize)
    })
}
