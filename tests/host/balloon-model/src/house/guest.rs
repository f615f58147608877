// SPDX-License-Identifier: GPL-2.0

//! A guest by itself.

use super::{Flight, Guest, Plan, Scene, UNSEEN};
use crate::subject::Subject;
use balloon_engine::engine::{HUGE_PAGES, Limits, View};

impl<E: Subject> Guest<E> {
    pub(super) fn new<const N: usize>(
        scene: &Scene<N>,
        (current, target, reserve): (u64, u64, u64),
    ) -> Self {
        let held = scene.most - current - reserve;
        Self {
            engine: Some(E::new(scene.limits, scene.tuning)),
            alive: true,
            suspended: false,
            hung: false,
            target,
            unheard: false,
            asked: target,
            told: false,
            max: target + scene.headroom + UNSEEN,
            total: current + UNSEEN,
            current,
            held_huge: held / HUGE_PAGES,
            held_base: held % HUGE_PAGES,
            reserve,
            lent: 0,
            refused: 0,
            used: scene.wants[0],
            want: scene.wants[0],
            need: 0,
            oom_at: None,
            scattered: false,
            now_ms: 0,
            plan: Plan::Ready,
            flight: Flight::None,
        }
    }

    /// Returns what is held.
    pub fn held(&self) -> u64 {
        self.held_huge * HUGE_PAGES + self.held_base
    }

    /// Returns all there is, whoever has it.
    pub fn all(&self) -> u64 {
        self.current + self.held() + self.reserve
    }

    /// Returns what could be allocated.
    pub fn available(&self) -> u64 {
        let taken = match self.flight {
            Flight::Take { unit, got, .. } => got * unit.pages(),
            _ => 0,
        };
        self.current.saturating_sub(self.used + taken)
    }

    /// Returns whether its worker can do anything.
    pub fn works(&self) -> bool {
        self.alive && !self.suspended && !self.hung && self.engine.is_some()
    }

    /// Returns the size that the target comes to, within `limits` and what there is. The engine's
    /// word is not taken for it.
    pub fn ordered(&self, limits: &Limits) -> u64 {
        self.asked.max(limits.floor).min(self.all())
    }

    /// Shows the guest to its engine. Caches are not modelled: what is available is free.
    pub fn view(&self) -> View {
        View {
            now_ms: self.now_ms,
            target: self.asked,
            current: self.current,
            held_huge: self.held_huge,
            held_base: self.held_base,
            reserve: self.reserve,
            available: self.available(),
            free: self.available(),
        }
    }

    /// Programs take what they want, as far as there is some, and give back what they do not.
    pub fn allocate(&mut self) {
        self.used = self.want.min(self.used + self.available());
    }

    /// A program is out of memory: it asks for relief, and is killed if that did not help.
    pub fn out_of_memory(&mut self, killed: u64) {
        if self.oom_at == Some(self.current) {
            self.want = killed;
            self.oom_at = None;
        } else {
            self.oom_at = Some(self.current);
            self.need = self.want - self.used;
            self.plan = Plan::Ready;
        }
    }

    pub(super) fn sleep(&mut self, delay: Option<u32>) {
        self.plan = delay.map_or(Plan::Ready, Plan::Asleep);
    }

    pub(super) fn wake(&mut self) {
        self.told = true;
        self.plan = Plan::Ready;
    }

    /// Sets the clock back where the engine remembers no time, and stops it where none that it can
    /// remember is later.
    pub(super) fn forget_time<const N: usize>(&mut self, scene: &Scene<N>) {
        let relieved = self.engine.is_some_and(|engine| engine.relief().is_some());
        if !relieved && !scene.tuning.auto_return {
            self.now_ms = 0;
        }
        self.now_ms = self.now_ms.min(scene.until_ms);
    }
}
