// SPDX-License-Identifier: GPL-2.0

//! What size to aim at: what is asked for, less what the guest does not use, more what it cannot do
//! without.

use super::{
    Limits,
    Unit,
    View, //
};
use core::cmp;

/// How often an idle guest's free memory is looked at, in milliseconds. What was free at two looks
/// in a row goes back to the host.
const LOOK_MS: u32 = 1000;

/// A relief raises the domain by no less than this, 8 MiB: whoever is out of memory will be again.
const RELIEF_MIN: u64 = 4 * Unit::Huge.pages();

/// What may be tuned while the engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// Whether memory that the guest leaves free goes back to the host by itself.
    pub auto_return: bool,
    /// Pages beyond the target that a guest out of memory may have; 0 for none.
    pub relief: u64,
    /// For how long what was given as relief stays, in milliseconds; a second at the least.
    pub hold_off_ms: u32,
}

/// Memory given to a guest that was out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Relief {
    /// The domain's size with it.
    size: u64,
    /// Not taken away before then.
    until_ms: u64,
}

/// A look at an idle guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Look {
    free: u64,
    at_ms: u64,
}

/// Decides what size to aim at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Goal {
    relief: Option<Relief>,
    /// Size at which an idle guest has its cushion and no more; [`None`] to begin with.
    idle: Option<u64>,
    last: Option<Look>,
}

impl Goal {
    pub(super) const fn new() -> Self {
        Self {
            relief: None,
            idle: None,
            last: None,
        }
    }

    /// Forgets what the guest did not use: somebody wants another size.
    pub(super) fn restart(&mut self) {
        self.idle = None;
        self.last = None;
    }

    /// Returns the size to aim at.
    pub(super) fn size(&mut self, view: &View, limits: &Limits, tuning: &Tuning) -> u64 {
        let ordered = ordered(view, limits);
        self.end_relief(view, limits, ordered);
        let size = if tuning.auto_return {
            self.look(view, limits, ordered);
            self.idle.map_or(ordered, |idle| {
                idle.clamp(cmp::min(limits.floor, ordered), ordered)
            })
        } else {
            self.restart();
            ordered
        };

        match self.relief {
            Some(relief) => cmp::max(size, relief.size.min(bound(view, tuning, ordered))),
            None => size,
        }
    }

    /// Raises the goal by `pages`, `beyond` the target as far as `tuning` allows, and returns the
    /// new one.
    pub(super) fn relieve(
        &mut self,
        view: &View,
        limits: &Limits,
        tuning: &Tuning,
        pages: u64,
        beyond: bool,
    ) -> u64 {
        let ordered = ordered(view, limits);
        let bound = bound(view, tuning, ordered);
        let most = if beyond { bound } else { ordered };
        let wanted = view.current + cmp::max(pages, RELIEF_MIN);
        let before = self.relief.map_or(0, |relief| relief.size);
        let size = cmp::max(wanted.min(most), before.min(bound));

        self.relief = Some(Relief {
            size,
            // Till it has been looked at once, or it would be gone before it is given.
            until_ms: view.now_ms + u64::from(cmp::max(tuning.hold_off_ms, LOOK_MS)),
        });
        self.last = None;
        if let Some(idle) = &mut self.idle {
            *idle = cmp::max(*idle, size);
        }
        size
    }

    /// Returns the size that a guest out of memory was to have, while that holds.
    pub(super) fn relief(&self) -> Option<u64> {
        self.relief.map(|relief| relief.size)
    }

    /// Returns when a goal that is reached may change by itself, in milliseconds from now.
    pub(super) fn recheck_ms(&self, tuning: &Tuning) -> Option<u32> {
        (tuning.auto_return || self.relief.is_some()).then_some(LOOK_MS)
    }

    /// Ends a relief that is no longer needed: its time is over, and the guest would keep twice its
    /// reserve without it. So the guest cannot run out at once again, and a relief is followed by
    /// no other unless the guest wants more.
    fn end_relief(&mut self, view: &View, limits: &Limits, ordered: u64) {
        let Some(relief) = self.relief else { return };
        let beyond = view.current.saturating_sub(ordered);
        let needed = beyond > 0 && view.available < beyond + 2 * limits.reserve;

        if view.now_ms >= relief.until_ms && !needed {
            self.relief = None;
        }
    }

    /// Looks at a guest whose unused memory is to go back.
    fn look(&mut self, view: &View, limits: &Limits, ordered: u64) {
        if view.free < limits.cushion / 2 {
            self.last = None;
            self.idle = Some(view.current + limits.cushion - view.free);
            return;
        }
        // While the domain is on its way, what is free says nothing.
        if view.current != self.idle.unwrap_or(ordered).min(ordered) {
            self.last = None;
            return;
        }
        let due = self
            .last
            .is_none_or(|last| view.now_ms >= last.at_ms + u64::from(LOOK_MS));
        if !due {
            return;
        }
        let before = self.last.map_or(0, |last| last.free);
        let surplus = cmp::min(before, view.free).saturating_sub(limits.cushion);
        if surplus >= slack(limits) {
            self.idle = Some(view.current - surplus);
        }
        self.last = Some(Look {
            free: view.free,
            at_ms: view.now_ms,
        });
    }
}

/// Returns the size asked for, within the limits and what there is.
pub(super) fn ordered(view: &View, limits: &Limits) -> u64 {
    cmp::min(view.target.max(limits.floor), view.most())
}

/// Returns the most that a guest out of memory may have when `ordered` is asked for.
fn bound(view: &View, tuning: &Tuning, ordered: u64) -> u64 {
    ordered.saturating_add(tuning.relief).min(view.most())
}

/// Returns how much more than its cushion an idle guest may have without it being worth a step.
fn slack(limits: &Limits) -> u64 {
    cmp::max(limits.cushion / 4, Unit::Huge.pages())
}
