// SPDX-License-Identifier: GPL-2.0

//! A domain, its allocator and its hypervisor, as far as the engine can tell.

use crate::engine::{Action, Engine, HUGE_PAGES, Limits, Outcome, Unit, View};

/// What the outside grants the domain at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// 2 MiB runs that the allocator can put together.
    pub free_huge: u64,
    /// Pages that the guest's programs use and do not give up.
    pub used: u64,
    /// Pages in caches, which it does.
    pub cached: u64,
    /// Whether the hypervisor has 2 MiB runs.
    pub host_huge: bool,
    /// Pages that the hypervisor lets the domain have.
    pub host_limit: u64,
}

/// The domain.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    /// Pages that it has.
    pub current: u64,
    /// 2 MiB runs held surrendered.
    pub held_huge: u64,
    /// Single pages held surrendered.
    pub held_base: u64,
    /// Pages that the built-in driver holds.
    pub reserve: u64,
    /// The outside.
    pub weather: Weather,
    /// Its clock, in milliseconds: delays are slept through, steps take no time.
    pub now_ms: u64,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// Go on at once.
    On,
    /// Go on after so many milliseconds.
    After(u32),
    /// Go on when something has changed.
    Rest,
}

impl Domain {
    /// Returns a domain of `current` pages with all of them there.
    pub fn new(current: u64, weather: Weather) -> Self {
        Self {
            current,
            held_huge: 0,
            held_base: 0,
            reserve: 0,
            weather,
            now_ms: 0,
        }
    }

    /// Returns all pages that there are, wherever they are.
    pub fn all(&self) -> u64 {
        self.current + self.held_huge * HUGE_PAGES + self.held_base + self.reserve
    }

    /// Returns what could be allocated.
    pub fn available(&self) -> u64 {
        self.current.saturating_sub(self.weather.used)
    }

    /// Returns what nobody uses.
    pub fn free(&self) -> u64 {
        self.available().saturating_sub(self.weather.cached)
    }

    /// Shows the domain to the engine.
    pub fn view(&self, target: u64) -> View {
        View {
            now_ms: self.now_ms,
            target,
            current: self.current,
            held_huge: self.held_huge,
            held_base: self.held_base,
            reserve: self.reserve,
            available: self.available(),
            free: self.free(),
        }
    }

    /// Asks the engine and does what it says.
    pub fn step(&mut self, engine: &mut Engine, target: u64) -> Stepped {
        let limits = engine.limits();
        let view = self.view(target);
        let answer = match engine.next(&view) {
            Action::Take { unit, runs } => {
                self.check_take(limits, unit, runs);
                engine.done(self.take(unit, runs))
            }
            Action::Give { unit, runs } => {
                let most = engine
                    .effective_target(&view)
                    .max(engine.relief().unwrap_or(0));
                assert!(self.current + runs * unit.pages() <= most);
                engine.done(self.give(unit, runs))
            }
            Action::Split => {
                assert!(self.held_huge > 0);
                self.held_huge -= 1;
                self.held_base += HUGE_PAGES;
                None
            }
            Action::Borrow { pages, recheck_ms } => {
                assert!(pages <= self.reserve);
                let room = self.weather.host_limit.saturating_sub(self.current);
                let pages = pages.min(room);
                self.reserve -= pages;
                self.current += pages;
                Some(recheck_ms)
            }
            Action::Wait { delay_ms } => Some(delay_ms),
            Action::Watch { delay_ms } => {
                self.now_ms += u64::from(delay_ms);
                return Stepped::Rest;
            }
            Action::Rest => return Stepped::Rest,
        };
        match answer {
            None => Stepped::On,
            Some(ms) => {
                self.now_ms += u64::from(ms);
                Stepped::After(ms)
            }
        }
    }

    /// No step may take the domain below its floor, or leave less than the reserve.
    fn check_take(&self, limits: Limits, unit: Unit, runs: u64) {
        let pages = runs * unit.pages();
        assert!(pages > 0);
        assert!(self.current - pages >= limits.floor);
        assert!(self.available() - pages >= limits.reserve);
    }

    fn take(&mut self, unit: Unit, runs: u64) -> Outcome {
        let done = match unit {
            Unit::Base => runs.min(self.available()),
            Unit::Huge => runs.min(self.weather.free_huge),
        };
        match unit {
            Unit::Base => self.held_base += done,
            Unit::Huge => {
                self.weather.free_huge -= done;
                self.held_huge += done;
            }
        }
        self.current -= done * unit.pages();
        Outcome::Took {
            unit,
            pages: done * unit.pages(),
            short: done < runs,
        }
    }

    fn give(&mut self, unit: Unit, runs: u64) -> Outcome {
        let room = self.weather.host_limit.saturating_sub(self.current) / unit.pages();
        let done = match unit {
            Unit::Base => {
                assert!(runs <= self.held_base);
                runs.min(room)
            }
            Unit::Huge => {
                assert!(runs <= self.held_huge);
                if self.weather.host_huge {
                    runs.min(room)
                } else {
                    0
                }
            }
        };
        match unit {
            Unit::Base => self.held_base -= done,
            Unit::Huge => self.held_huge -= done,
        }
        self.current += done * unit.pages();
        Outcome::Gave {
            unit,
            pages: done * unit.pages(),
            short: done < runs,
        }
    }
}
