// SPDX-License-Identifier: GPL-2.0
//! Bytes that tell where in a stream they belong: nothing that is lost, doubled or moved stays unseen.

use anyhow::{Result, ensure};

/// Prime, so that no size of a message or a ring divides it.
const PERIOD: usize = (1 << 20) - 3;

/// So many bytes of a stream can be had at once.
pub const MOST: usize = 1 << 20;

/// The bytes, from each place at once.
pub struct Pattern(Vec<u8>);

impl Pattern {
    pub fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        let mut bytes: Vec<u8> = (0..PERIOD).map(|_| next()).collect();
        bytes.extend_from_within(..MOST - PERIOD);
        bytes.extend_from_within(MOST - PERIOD..PERIOD);
        Self(bytes)
    }

    /// The bytes from `at` on, `MOST` at most.
    pub fn from(&self, at: u64, length: usize) -> &[u8] {
        let start = (at % PERIOD as u64) as usize;
        let end = (start + length.min(MOST)).min(self.0.len());
        &self.0[start..end]
    }

    /// Compares what has arrived.
    pub fn compare(&self, mut at: u64, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let wanted = self.from(at, bytes.len());
            let (part, rest) = bytes.split_at(wanted.len());
            let bad = part.iter().zip(wanted).position(|(got, want)| got != want);
            ensure!(
                part == wanted,
                "byte {} is wrong",
                at + bad.unwrap_or_default() as u64
            );
            (at, bytes) = (at + part.len() as u64, rest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_byte_is_seen() {
        let pattern = Pattern::new();
        for at in [0, 1, PERIOD as u64 - 1, 10 * PERIOD as u64 + 77] {
            let mut bytes = pattern.from(at, 5000).to_vec();
            assert!(!bytes.is_empty());
            pattern.compare(at, &bytes).unwrap();
            assert!(pattern.compare(at + 1, &bytes).is_err());
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            let error = pattern.compare(at, &bytes).unwrap_err().to_string();
            assert_eq!(error, format!("byte {} is wrong", at + last as u64));
        }
    }
}
