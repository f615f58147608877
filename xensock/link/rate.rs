// SPDX-License-Identifier: GPL-2.0

//! How often a peer's events may come: so many each second, of which those of a tenth of a second may
//! come at once. In any `t` seconds there are no more than `t` times the limit, a tenth of the limit (or
//! one, if that is more), and one.

const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;

/// A tenth of a second, in nanoseconds.
const TENTH_NS: u64 = NS_PER_S / 10;

/// How much of its time a link has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// When the next event would be due if they were spread evenly.
    due_ns: u64,
}

impl Rate {
    /// Counts an event at `now_ns`, in nanoseconds of any clock that goes forward. If it is one more
    /// than the tenth of a second has, of `per_second`, or than the time that one takes where that is
    /// longer, returns for how many milliseconds no other may come.
    pub fn wait_ms(&mut self, now_ns: u64, per_second: u32) -> Option<u32> {
        let each_ns = NS_PER_S.div_ceil(u64::from(per_second.max(1)));
        let before_ns = self.due_ns.max(now_ns) - now_ns;
        let ahead_ns = before_ns.saturating_add(each_ns);

        self.due_ns = now_ns.saturating_add(ahead_ns);
        // What is too many is the first of the time that comes then.
        (ahead_ns > each_ns.max(TENTH_NS))
            .then(|| u32::try_from(before_ns.div_ceil(NS_PER_MS)).unwrap_or(u32::MAX))
    }
}
