// SPDX-License-Identifier: GPL-2.0

//! How often a peer's events come. They are counted in parts of a second, so that a limit holds at
//! any time, and not over some long one only.

/// A part of a second, in milliseconds.
const PART_MS: u32 = 100;

/// Parts of a second.
const PARTS: u32 = 1000 / PART_MS;

/// The events of the part of a second that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    part: u32,
    events: u32,
}

impl Rate {
    /// Counts an event at `now_ms`, in milliseconds of any clock that goes forward and may wrap.
    /// Returns whether it is beyond `per_second`; one event in each part never is.
    pub fn is_over(&mut self, now_ms: u32, per_second: u32) -> bool {
        let part = now_ms / PART_MS;

        if part != self.part {
            *self = Self { part, events: 0 };
        }
        self.events = self.events.saturating_add(1);
        self.events > (per_second / PARTS).max(1)
    }
}
