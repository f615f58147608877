// SPDX-License-Identifier: GPL-2.0

//! The balloon's engine: decides what to do next, and does nothing itself.
//!
//! Pure code: no clock, no allocation, no kernel. Whoever drives it ([`worker`] in the module, the
//! tests on the host) shows it a [`View`] of the domain, carries out the [`Action`] it answers
//! with, tells the [`Outcome`], and asks again:
//!
//! ```text
//!            View                 Action
//!   domain ───────▶ Engine::next ───────▶ driver ──▶ hypervisor, allocator
//!                   Engine::done ◀─────── driver
//!                                 Outcome
//! ```
//!
//! All sizes are in pages of 4 KiB unless a name says otherwise.
//!
//! [`worker`]: ../worker/index.html

#![forbid(unsafe_code)]

mod goal;
pub mod policy;

use core::cmp;
use goal::Goal;
pub use goal::Tuning;

/// Pages in a 2 MiB run.
pub const HUGE_PAGES: u64 = 512;

/// How many pages one step takes or gives at the most: 80 MiB, fourteen steps for a GiB.
///
/// The hypervisor looks for interrupts between the extents of a call and starts it anew after them, and
/// the kernel preempts, so others run all the while. Who waits for the end of a step is who needs
/// the balloon: a guest out of memory, the shrinker, a new target.
const STEP_PAGES: u64 = 40 * HUGE_PAGES;

/// How many single pages one step takes or gives at the most: 16 MiB, as many as fit one hypercall.
const BASE_STEP_PAGES: u64 = 8 * HUGE_PAGES;

/// How many pages the first step takes at the most: 2 MiB. What is taken is cleared first, and the
/// host shall see soon that the domain is on its way.
const FIRST_STEP_PAGES: u64 = HUGE_PAGES;

/// After so many pages taken singly a 2 MiB run is tried again: by then the allocator may have put
/// one together.
const HUGE_RETRY_PAGES: u64 = 16 * HUGE_PAGES;

/// First delay after a step without progress, in milliseconds.
const DELAY_MIN_MS: u32 = 125;

/// Longest delay between two tries, in milliseconds: an unreachable target costs one wake-up a
/// second, and what becomes possible is noticed within one.
const DELAY_MAX_MS: u32 = 1000;

/// How soon to look whether the built-in driver has returned pages, in milliseconds.
pub const BORROW_POLL_MS: u32 = 10;

/// The size of the runs of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Single 4 KiB pages.
    Base,
    /// 2 MiB runs.
    Huge,
}

impl Unit {
    /// Returns the number of pages of one run.
    pub const fn pages(self) -> u64 {
        match self {
            Unit::Base => 1,
            Unit::Huge => HUGE_PAGES,
        }
    }
}

/// What the driver sees when it asks for the next action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Milliseconds since some point in the past.
    pub now_ms: u64,
    /// What the toolstack or the administrator asks for.
    pub target: u64,
    /// What the domain has now.
    pub current: u64,
    /// 2 MiB runs that we hold surrendered.
    pub held_huge: u64,
    /// Single pages that we hold surrendered.
    pub held_base: u64,
    /// Pages that the built-in driver holds surrendered.
    pub reserve: u64,
    /// Pages that could be allocated without swapping.
    pub available: u64,
    /// Pages that nobody uses, not even for caches.
    pub free: u64,
}

impl View {
    /// Returns the most that the domain can have: what it has and all that is surrendered.
    pub const fn most(&self) -> u64 {
        self.current + self.held_huge * HUGE_PAGES + self.held_base + self.reserve
    }
}

/// What the driver shall do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Allocate up to `runs` runs and surrender them.
    Take {
        /// Size of each run.
        unit: Unit,
        /// How many.
        runs: u64,
    },
    /// Populate up to `runs` of the runs held and free them.
    Give {
        /// Size of each run.
        unit: Unit,
        /// How many.
        runs: u64,
    },
    /// Break one of the 2 MiB runs held into single pages.
    Split,
    /// Let the built-in driver return up to `pages` pages of its reserve, and ask again after
    /// `recheck_ms` milliseconds.
    Borrow {
        /// How many pages.
        pages: u64,
        /// When to look again.
        recheck_ms: u32,
    },
    /// Nothing can be done now: ask again after `delay_ms` milliseconds, or when the view changes.
    Wait {
        /// When to ask again.
        delay_ms: u32,
    },
    /// All is as it should be, for now: ask again after `delay_ms` milliseconds, or when the view
    /// changes.
    Watch {
        /// When to ask again.
        delay_ms: u32,
    },
    /// The target is reached: ask again when the view changes.
    Rest,
}

/// How an action went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Of a [`Action::Take`]: `pages` pages were surrendered, of what may have been fewer runs
    /// than asked for.
    Took {
        /// Size of each run asked for.
        unit: Unit,
        /// Pages surrendered.
        pages: u64,
        /// Whether the allocator had fewer runs than asked for.
        short: bool,
    },
    /// Of a [`Action::Give`]: `pages` pages were populated.
    Gave {
        /// Size of each run asked for.
        unit: Unit,
        /// Pages populated.
        pages: u64,
        /// Whether the hypervisor did fewer runs than asked for.
        short: bool,
    },
}

/// The limits that the engine keeps, whatever it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// A domain is never made smaller than this.
    pub floor: u64,
    /// Nothing is taken that would leave less than this available.
    pub reserve: u64,
    /// What an idle guest keeps free when the rest goes back by itself.
    pub cushion: u64,
}

/// The engine's memory between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Engine {
    limits: Limits,
    tuning: Tuning,
    goal: Goal,
    /// Pages to take singly before 2 MiB runs are tried again; 0 if they may be tried.
    take_base_first: u64,
    /// The hypervisor had no 2 MiB run: give single pages until the target is reached.
    give_base: bool,
    /// The domain is on its way: a step has got somewhere.
    moving: bool,
    /// Delay after the next step without progress.
    delay_ms: u32,
    /// Pages from which on the step under way counts as progress.
    useful: u64,
    /// The domain's size when pages were last borrowed, to see whether that led anywhere.
    borrowed_at: Option<u64>,
}

impl Engine {
    /// Returns an engine at rest.
    pub const fn new(limits: Limits, tuning: Tuning) -> Self {
        Self {
            limits,
            tuning,
            goal: Goal::new(),
            take_base_first: 0,
            give_base: false,
            moving: false,
            delay_ms: DELAY_MIN_MS,
            useful: 0,
            borrowed_at: None,
        }
    }

    /// Returns the limits that are kept.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets the limits that are kept from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Sets the tuning that applies from now on.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        self.tuning = tuning;
    }

    /// Starts anew: something has changed, so what failed is worth trying again.
    pub fn wake(&mut self) {
        self.forget_failures();
        self.goal.restart();
    }

    /// Returns the target that is in force: the one asked for, within what the domain can have.
    pub fn effective_target(&self, view: &View) -> u64 {
        goal::ordered(view, &self.limits)
    }

    /// Returns the size that a guest out of memory was to have, while that holds.
    pub fn relief(&self) -> Option<u64> {
        self.goal.relief()
    }

    /// Learns that the guest needs `pages` pages at once, `beyond` its target if need be. Returns
    /// how many of what we hold it may have for now; [`Engine::next`] gives them.
    pub fn relieve(&mut self, view: &View, pages: u64, beyond: bool) -> u64 {
        let size = self
            .goal
            .relieve(view, &self.limits, &self.tuning, pages, beyond);
        let held = view.held_huge * HUGE_PAGES + view.held_base;

        self.forget_failures();
        size.saturating_sub(view.current).min(held)
    }

    /// Decides what to do next.
    pub fn next(&mut self, view: &View) -> Action {
        let size = self.goal.size(view, &self.limits, &self.tuning);
        self.useful = view.current.abs_diff(size).min(HUGE_PAGES);

        match view.current.cmp(&size) {
            cmp::Ordering::Greater => self.take(view, view.current - size),
            cmp::Ordering::Less => self.give(view, size - view.current),
            cmp::Ordering::Equal => {
                self.forget_failures();
                match self.goal.recheck_ms(&self.tuning) {
                    Some(delay_ms) => Action::Watch { delay_ms },
                    None => Action::Rest,
                }
            }
        }
    }

    /// Learns how the last action went. Answers with a delay if the next step should not follow
    /// at once.
    pub fn done(&mut self, outcome: Outcome) -> Option<u32> {
        let (pages, tried_other) = match outcome {
            Outcome::Took {
                unit: Unit::Huge,
                pages,
                short,
            } => {
                if short {
                    self.take_base_first = HUGE_RETRY_PAGES;
                }
                (pages, short)
            }
            Outcome::Took { pages, .. } => {
                self.take_base_first = self.take_base_first.saturating_sub(pages);
                (pages, false)
            }
            Outcome::Gave {
                unit: Unit::Huge,
                pages,
                short,
            } => {
                self.give_base |= short;
                (pages, short)
            }
            Outcome::Gave { pages, .. } => (pages, false),
        };

        if pages > 0 {
            self.moving = true;
            // Who gets a page now and then shall not look for it eight times a second.
            if pages >= self.useful {
                self.progress();
            }
            self.useful = 0;
            None
        } else if tried_other {
            // Nothing of the large size: the small one is worth trying at once.
            None
        } else {
            Some(self.no_progress())
        }
    }

    /// The domain is `need` pages too large.
    fn take(&mut self, view: &View, need: u64) -> Action {
        let spare = view.available.saturating_sub(self.limits.reserve);
        let most = if self.moving {
            STEP_PAGES
        } else {
            FIRST_STEP_PAGES
        };
        let pages = need.min(spare).min(most);
        self.borrowed_at = None;

        if pages == 0 {
            Action::Wait {
                delay_ms: self.no_progress(),
            }
        } else if pages >= HUGE_PAGES && self.take_base_first == 0 {
            Action::Take {
                unit: Unit::Huge,
                runs: pages / HUGE_PAGES,
            }
        } else {
            Action::Take {
                unit: Unit::Base,
                runs: cmp::min(pages, BASE_STEP_PAGES),
            }
        }
    }

    /// The domain is `need` pages too small.
    fn give(&mut self, view: &View, need: u64) -> Action {
        let singles = cmp::min(need, BASE_STEP_PAGES);

        if view.held_huge > 0 && need >= HUGE_PAGES && !self.give_base {
            Action::Give {
                unit: Unit::Huge,
                runs: cmp::min(cmp::min(need, STEP_PAGES) / HUGE_PAGES, view.held_huge),
            }
        } else if view.held_huge > 0 && view.held_base < singles {
            Action::Split
        } else if view.held_base > 0 {
            Action::Give {
                unit: Unit::Base,
                runs: cmp::min(singles, view.held_base),
            }
        } else {
            self.borrow(view, need)
        }
    }

    /// The domain is `need` pages too small, and we hold none: the built-in driver does.
    fn borrow(&mut self, view: &View, need: u64) -> Action {
        let stuck = self.borrowed_at == Some(view.current);
        self.borrowed_at = Some(view.current);

        let recheck_ms = if stuck {
            self.no_progress()
        } else {
            self.progress();
            BORROW_POLL_MS
        };
        Action::Borrow {
            pages: cmp::min(need, view.reserve),
            recheck_ms,
        }
    }

    /// Nothing that failed counts any more.
    fn forget_failures(&mut self) {
        self.progress();
        self.moving = false;
        self.take_base_first = 0;
        self.give_base = false;
        self.borrowed_at = None;
    }

    fn progress(&mut self) {
        self.delay_ms = DELAY_MIN_MS;
    }

    fn no_progress(&mut self) -> u32 {
        let delay = self.delay_ms;
        self.delay_ms = cmp::min(delay * 2, DELAY_MAX_MS);
        delay
    }
}
