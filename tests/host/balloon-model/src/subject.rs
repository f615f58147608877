// SPDX-License-Identifier: GPL-2.0

//! What the model asks of an engine: the module's own answers, and so does each mutant.

use balloon_engine::engine::{Action, Engine, Limits, Outcome, Tuning, View};
use std::fmt::Debug;
use std::hash::Hash;

/// An engine that a guest of the model can run.
pub trait Subject: Copy + Debug + Eq + Hash + Send + Sync + 'static {
    /// Returns an engine at rest.
    fn new(limits: Limits, tuning: Tuning) -> Self;
    /// Decides what to do next.
    fn next(&mut self, view: &View) -> Action;
    /// Learns how the last action went.
    fn done(&mut self, outcome: Outcome) -> Option<u32>;
    /// Learns that something has changed.
    fn wake(&mut self);
    /// Learns that the guest is out of memory and needs `pages` pages; returns how many it may have.
    fn relieve(&mut self, view: &View, pages: u64) -> u64;
    /// Returns the size that a guest out of memory was to have, while that holds.
    fn relief(&self) -> Option<u64>;
    /// Returns the target that is in force.
    fn effective_target(&self, view: &View) -> u64;
}

impl Subject for Engine {
    fn new(limits: Limits, tuning: Tuning) -> Self {
        Engine::new(limits, tuning)
    }

    fn next(&mut self, view: &View) -> Action {
        Engine::next(self, view)
    }

    fn done(&mut self, outcome: Outcome) -> Option<u32> {
        Engine::done(self, outcome)
    }

    fn wake(&mut self) {
        Engine::wake(self);
    }

    fn relieve(&mut self, view: &View, pages: u64) -> u64 {
        Engine::relieve(self, view, pages, true)
    }

    fn relief(&self) -> Option<u64> {
        Engine::relief(self)
    }

    fn effective_target(&self, view: &View) -> u64 {
        Engine::effective_target(self, view)
    }
}

/// Implements [`Subject`] for the engine in the module `$engine`, a changed copy of the module's,
/// whose types are others by the same names.
macro_rules! adapt {
    ($engine:path) => {
        const _: () = {
            use $engine as copy;

            fn limits(l: real::Limits) -> copy::Limits {
                copy::Limits {
                    floor: l.floor,
                    reserve: l.reserve,
                    cushion: l.cushion,
                }
            }

            fn tuning(t: real::Tuning) -> copy::Tuning {
                copy::Tuning {
                    auto_return: t.auto_return,
                    relief: t.relief,
                    hold_off_ms: t.hold_off_ms,
                }
            }

            fn view(v: &real::View) -> copy::View {
                copy::View {
                    now_ms: v.now_ms,
                    target: v.target,
                    current: v.current,
                    held_huge: v.held_huge,
                    held_base: v.held_base,
                    reserve: v.reserve,
                    available: v.available,
                    free: v.free,
                }
            }

            fn unit(unit: copy::Unit) -> real::Unit {
                match unit {
                    copy::Unit::Base => real::Unit::Base,
                    copy::Unit::Huge => real::Unit::Huge,
                }
            }

            fn unit_back(unit: real::Unit) -> copy::Unit {
                match unit {
                    real::Unit::Base => copy::Unit::Base,
                    real::Unit::Huge => copy::Unit::Huge,
                }
            }

            fn action(action: copy::Action) -> real::Action {
                match action {
                    copy::Action::Take { unit: u, runs } => real::Action::Take {
                        unit: unit(u),
                        runs,
                    },
                    copy::Action::Give { unit: u, runs } => real::Action::Give {
                        unit: unit(u),
                        runs,
                    },
                    copy::Action::Split => real::Action::Split,
                    copy::Action::Borrow { pages, recheck_ms } => {
                        real::Action::Borrow { pages, recheck_ms }
                    }
                    copy::Action::Wait { delay_ms } => real::Action::Wait { delay_ms },
                    copy::Action::Watch { delay_ms } => real::Action::Watch { delay_ms },
                    copy::Action::Rest => real::Action::Rest,
                }
            }

            fn outcome(outcome: real::Outcome) -> copy::Outcome {
                match outcome {
                    real::Outcome::Took {
                        unit: u,
                        pages,
                        short,
                    } => copy::Outcome::Took {
                        unit: unit_back(u),
                        pages,
                        short,
                    },
                    real::Outcome::Gave {
                        unit: u,
                        pages,
                        short,
                    } => copy::Outcome::Gave {
                        unit: unit_back(u),
                        pages,
                        short,
                    },
                }
            }

            impl Subject for copy::Engine {
                fn new(l: real::Limits, t: real::Tuning) -> Self {
                    Self::new(limits(l), tuning(t))
                }

                fn next(&mut self, v: &real::View) -> real::Action {
                    action(Self::next(self, &view(v)))
                }

                fn done(&mut self, o: real::Outcome) -> Option<u32> {
                    Self::done(self, outcome(o))
                }

                fn wake(&mut self) {
                    Self::wake(self);
                }

                fn relieve(&mut self, v: &real::View, pages: u64) -> u64 {
                    Self::relieve(self, &view(v), pages, true)
                }

                fn relief(&self) -> Option<u64> {
                    Self::relief(self)
                }

                fn effective_target(&self, v: &real::View) -> u64 {
                    Self::effective_target(self, &view(v))
                }
            }
        };
    };
}
pub(crate) use adapt;
