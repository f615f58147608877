// SPDX-License-Identifier: GPL-2.0

//! When a direction deserves a larger segment, and when a smaller one will do.
//!
//! A producer that has to wait again and again within a short time is slowed down by its segment; one
//! that waits rarely, by its reader. So the waits of a window of time are counted, at the side that
//! may offer segments: each time that its producer waits, or that its consumer has to send an event
//! about space.

use super::segment::Size;

/// How long waits are counted together, in milliseconds.
pub const WINDOW_MS: u64 = 100;

/// Waits in a window that make a segment grow.
pub const WAITS: u32 = 4;

/// Binary logarithm of how much a segment grows each time.
const GROWTH_ORDER: u8 = 2;

/// First and longest time before a segment is offered again after the peer declined one, in
/// milliseconds.
const RETRY_MS: (u64, u64) = (1000, 64_000);

/// What an administrator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// No segment grows larger.
    pub max: Size,
    /// No segment shrinks smaller; a packet has to fit.
    pub min: Size,
    /// A segment through which nothing went for so long shrinks, in milliseconds.
    pub idle_ms: u64,
}

/// What is known of a direction's use. Times are in milliseconds since some point in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    window_end: u64,
    waits: u32,
    index: u32,
    idle_since: u64,
    retry_at: u64,
    retry_ms: u64,
}

impl Use {
    /// Returns what is known of a direction that is new at `now`.
    pub const fn new(now: u64) -> Self {
        Self {
            window_end: now.saturating_add(WINDOW_MS),
            waits: 0,
            index: 0,
            idle_since: now,
            retry_at: 0,
            retry_ms: RETRY_MS.0,
        }
    }

    /// Learns that the producer waits for space. Returns the size of the segment to offer instead
    /// of the one of `size`, if it is time for a larger one.
    pub fn waited(&mut self, tuning: &Tuning, size: Size, now: u64) -> Option<Size> {
        if now >= self.window_end {
            self.window_end = now.saturating_add(WINDOW_MS);
            self.waits = 0;
        }
        self.waits = self.waits.saturating_add(1);
        if self.waits < WAITS || size >= tuning.max || now < self.retry_at {
            return None;
        }
        self.waits = 0;
        let order = size.order().saturating_add(GROWTH_ORDER);
        Some(Size::from_order(order).map_or(tuning.max, |larger| larger.min(tuning.max)))
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

    /// Learns that a segment was exchanged.
    pub fn exchanged(&mut self, now: u64) {
        self.retry_ms = RETRY_MS.0;
        self.waits = 0;
        self.idle_since = now;
    }
}
