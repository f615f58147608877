// SPDX-License-Identifier: GPL-2.0

//! What a fuzzer makes up, taken piece by piece.

/// The bytes that are left.
#[derive(Debug)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// Returns all of them.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether none are left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next one; zero if none is left.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// Takes a word.
    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes([(); 4].map(|()| self.byte()))
    }

    /// Takes a word that is like `near`, or anything at all: most words that are quite wrong are
    /// found out at once, those that are nearly right lead further.
    pub fn like(&mut self, near: u32) -> u32 {
        match self.byte() {
            0..=99 => near,
            100..=139 => near.wrapping_add(self.byte().into()),
            140..=149 => near.wrapping_sub(self.byte().into()),
            150..=179 => near.wrapping_add(u32::from(self.byte()) << 8),
            180..=199 => near.wrapping_add(1 << (self.byte() % 32)),
            200..=209 => near.wrapping_sub(1 << (self.byte() % 32)),
            _ => self.word(),
        }
    }

    /// Takes up to `len` bytes.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
