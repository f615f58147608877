// SPDX-License-Identifier: GPL-2.0

//! What has to hold whenever no batch is half-way. Pure code; all sizes are in pages.

#![forbid(unsafe_code)]

use core::fmt;

/// The figures that have to fit one another.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// What others are told that we hold.
    pub published: u64,
    /// What our stacks count.
    pub counted: u64,
    /// What is found by going from run to run.
    pub walked: u64,
    /// Surrendered since the module was loaded.
    pub taken: u64,
    /// Populated since then.
    pub given: u64,
    /// Added to the kernel since then, with nothing behind it.
    pub added: u64,
    /// What the domain has.
    pub current: u64,
    /// What the built-in driver holds surrendered.
    pub reserve: u64,
    /// What it has lent to other drivers.
    pub lent: u64,
    /// What it says that the domain was started with or got by hotplug.
    pub total: u64,
    /// Whether hotplugged memory may be counted in `total` before it is online.
    pub hotplug: bool,
    /// Whether the built-in driver was at rest, so that its figures fit one another.
    pub at_rest: bool,
    /// What the hypervisor counts.
    pub xen: Option<u64>,
    /// What the hypervisor counted beyond `current` when that was first seen.
    pub unseen: Option<i64>,
    /// What the balloon aims at.
    pub target: u64,
    /// The domain is never made smaller.
    pub floor: u64,
    /// What the domain can have.
    pub most: u64,
}

/// Whether one of them holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not: left side and right side.
    Violated(i128, i128),
    /// The figures do not belong to one moment.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Holds => f.write_str("ok"),
            Verdict::Violated(left, right) => write!(f, "VIOLATED ({left}, {right})"),
            Verdict::Unknown => f.write_str("unknown (the built-in driver is moving)"),
        }
    }
}

fn equal(left: impl Into<i128>, right: impl Into<i128>) -> Verdict {
    let (left, right) = (left.into(), right.into());
    if left == right {
        Verdict::Holds
    } else {
        Verdict::Violated(left, right)
    }
}

fn at_most(left: u64, right: u64) -> Verdict {
    if left <= right {
        Verdict::Holds
    } else {
        equal(left, right)
    }
}

impl Facts {
    /// Judges all invariants, by name.
    pub fn judge(&self) -> [(&'static str, Verdict); 7] {
        [
            ("held_published", equal(self.published, self.counted)),
            ("held_walked", equal(self.walked, self.counted)),
            (
                "held_exchanged",
                equal(
                    i128::from(self.taken + self.added) - i128::from(self.given),
                    self.counted,
                ),
            ),
            ("guest_total", self.guest_total()),
            ("hypervisor_total", self.hypervisor_total()),
            // The domain may have come to less than the floor since the target was set.
            (
                "target_above_floor",
                at_most(self.floor.min(self.most), self.target),
            ),
            ("target_below_most", at_most(self.target, self.most)),
        ]
    }

    /// Every page is either in use, surrendered by one of the two drivers, or lent.
    fn guest_total(&self) -> Verdict {
        let sum = self.current + self.counted + self.reserve + self.lent;
        match (self.at_rest, self.hotplug) {
            (false, _) => Verdict::Unknown,
            (true, true) => at_most(sum, self.total),
            (true, false) => equal(sum, self.total),
        }
    }

    /// The hypervisor counts what the guest counts, and always the same number more.
    fn hypervisor_total(&self) -> Verdict {
        match (self.at_rest, self.xen, self.unseen) {
            (true, Some(xen), Some(unseen)) => {
                equal(xen, i128::from(self.current) + i128::from(unseen))
            }
            _ => Verdict::Unknown,
        }
    }

    /// Returns what the hypervisor counts beyond what the guest does, if that can be said.
    pub fn unseen_now(&self) -> Option<i64> {
        self.xen
            .filter(|_| self.at_rest)
            .map(|xen| xen as i64 - self.current as i64)
    }
}
