// SPDX-License-Identifier: GPL-2.0

//! The engine, with all that it is told and all that it answers in the kernel's trace: what is
//! recorded there can be replayed (`tests/host/balloon-replay`).

use crate::{
    engine::{
        self,
        Action,
        Limits,
        Outcome,
        Tuning,
        Unit,
        View, //
    },
    trace, //
};

impl From<&View> for trace::View {
    fn from(view: &View) -> Self {
        Self {
            now_ms: view.now_ms,
            target: view.target,
            current_pages: view.current,
            held_huge: view.held_huge,
            held_base: view.held_base,
            reserve: view.reserve,
            available: view.available,
            free: view.free,
        }
    }
}

/// Names the taking of runs of this size.
pub(crate) fn taking(unit: Unit) -> trace::Action {
    match unit {
        Unit::Huge => trace::Action::TakeHuge,
        Unit::Base => trace::Action::TakeBase,
    }
}

/// Names the giving of runs of this size.
pub(crate) fn giving(unit: Unit) -> trace::Action {
    match unit {
        Unit::Huge => trace::Action::GiveHuge,
        Unit::Base => trace::Action::GiveBase,
    }
}

/// The balloon's engine. Each call is that of [`engine::Engine`] of the same name, and an event.
pub(crate) struct Engine {
    engine: engine::Engine,
    tuning: Tuning,
}

impl Engine {
    pub(crate) const fn new(limits: Limits, tuning: Tuning) -> Self {
        Self {
            engine: engine::Engine::new(limits, tuning),
            tuning,
        }
    }

    fn trace_limits(&self) {
        let limits = self.engine.limits();
        trace::limits(limits.floor, limits.reserve, limits.cushion);
    }

    fn trace_tuning(&self) {
        let Tuning {
            auto_return,
            relief,
            hold_off_ms,
        } = self.tuning;
        trace::tuning(auto_return, relief, hold_off_ms);
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        let before = self.engine.limits();
        self.engine.set_limits(limits);
        if limits != before {
            self.trace_limits();
        }
    }

    pub(crate) fn set_tuning(&mut self, tuning: Tuning) {
        let before = self.tuning;
        self.engine.set_tuning(tuning);
        self.tuning = tuning;
        if tuning != before {
            self.trace_tuning();
        }
    }

    /// Limits and tuning come with it, so that a recording may begin here.
    pub(crate) fn wake(&mut self) {
        self.trace_limits();
        self.trace_tuning();
        trace::wake(self.engine.relief().unwrap_or(0));
        self.engine.wake();
    }

    pub(crate) fn effective_target(&self, view: &View) -> u64 {
        self.engine.effective_target(view)
    }

    pub(crate) fn relief(&self) -> Option<u64> {
        self.engine.relief()
    }

    pub(crate) fn relieve(&mut self, view: &View, pages: u64, beyond: bool) -> u64 {
        let granted = self.engine.relieve(view, pages, beyond);
        trace::relieve(&view.into(), pages, beyond, granted);
        granted
    }

    pub(crate) fn next(&mut self, view: &View) -> Action {
        let action = self.engine.next(view);
        let (kind, pages, delay_ms) = match action {
            Action::Take { unit, runs } => (taking(unit), runs * unit.pages(), 0),
            Action::Give { unit, runs } => (giving(unit), runs * unit.pages(), 0),
            Action::Split => (trace::Action::Split, 0, 0),
            Action::Borrow { pages, recheck_ms } => (trace::Action::Borrow, pages, recheck_ms),
            Action::Wait { delay_ms } => (trace::Action::Wait, 0, delay_ms),
            Action::Watch { delay_ms } => (trace::Action::Watch, 0, delay_ms),
            Action::Rest => (trace::Action::Rest, 0, 0),
        };
        let effective = self.engine.effective_target(view);
        trace::decision(&view.into(), effective, kind, pages, delay_ms);
        action
    }

    pub(crate) fn done(&mut self, outcome: Outcome) -> Option<u32> {
        let delay_ms = self.engine.done(outcome);
        let (kind, pages, short) = match outcome {
            Outcome::Took { unit, pages, short } => (taking(unit), pages, short),
            Outcome::Gave { unit, pages, short } => (giving(unit), pages, short),
        };
        trace::outcome(kind, pages, short, delay_ms.unwrap_or(0));
        delay_ms
    }
}
