// SPDX-License-Identifier: GPL-2.0

//! When a direction deserves a larger segment, and when a smaller one will do.
//!
//! A producer that has to wait for space has too small a segment, up to a size that an administrator
//! sets. It gets its first size again when nothing has gone through for a while.

use super::segment::Size;

/// Binary logarithm of how much a segment grows each time.
const GROWTH_ORDER: u8 = 2;

/// First and longest time before a smaller segment is offered again after the peer declined one, in
/// milliseconds.
const RETRY_MS: (u64, u64) = (1000, 64_000);

/// Returns the size that a full segment of `size` shall have, at most `last`. [`None`] if it is
/// large enough.
pub fn larger(size: Size, last: Size) -> Option<Size> {
    let order = size.order().saturating_add(GROWTH_ORDER).min(last.order());
    Size::from_order(order).filter(|next| *next > size)
}

/// What an administrator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// No segment shrinks smaller.
    pub min: Size,
    /// A segment through which nothing went for so long shrinks, in milliseconds.
    pub idle_ms: u64,
}

/// What is known of a direction's use. Times are in milliseconds since some point in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    index: u32,
    idle_since: u64,
    retry_at: u64,
    retry_ms: u64,
}

impl Use {
    /// Returns what is known of a direction that is new at `now`.
    pub const fn new(now: u64) -> Self {
        Self {
            index: 0,
            idle_since: now,
            retry_at: 0,
            retry_ms: RETRY_MS.0,
        }
    }

    /// Looks from time to time whether the direction is idle. `index` is this end's own, `unread`
    /// how many bytes there are in the ring. Returns the size of the segment to offer instead of the
    /// one of `size`, if a smaller one will do.
    pub fn looked_at(
        &mut self,
        tuning: &Tuning,
        size: Size,
        now: u64,
        (index, unread): (u32, u32),
    ) -> Option<Size> {
        if index != self.index || unread != 0 {
            self.index = index;
            self.idle_since = now;
        }
        let idle = now.saturating_sub(self.idle_since) >= tuning.idle_ms;
        (idle && size > tuning.min && now >= self.retry_at).then_some(tuning.min)
    }

    /// Learns that the peer has declined a segment, or that there was no memory for one.
    pub fn declined(&mut self, now: u64) {
        self.retry_at = now.saturating_add(self.retry_ms);
        self.retry_ms = (self.retry_ms * 2).min(RETRY_MS.1);
    }

    /// Learns that the peer has taken a segment.
    pub fn exchanged(&mut self, now: u64) {
        self.retry_ms = RETRY_MS.0;
        self.idle_since = now;
    }
}
