// SPDX-License-Identifier: GPL-2.0

//! Replays what a guest's tracepoints have recorded: the engine, shown the same, must do the same.
//!
//! A line is one event of the kernel's trace, with whatever stands before its name. All fields are
//! decimal numbers, but for `action`. VIEW stands for all fields of a [`View`], by their names.
//!
//! ```text
//! xenballoon_limits: floor=N reserve=N cushion=N
//! xenballoon_tuning: auto_return=0|1 relief=N hold_off_ms=N
//! xenballoon_wake:
//! xenballoon_relieve: VIEW pages=N beyond=0|1 granted=N
//! xenballoon_decision: VIEW action=ACTION pages=N delay_ms=N
//! xenballoon_batch: action=ACTION pages=N short=0|1 delay_ms=N
//! ```
//!
//! Limits and tuning come first, and again when they are changed. A decision's pages are those of
//! all runs asked for, or those that may be borrowed; its delay is that of `borrow`, `wait` and
//! `watch`. A batch follows each decision to take or give; its delay is what the engine answered
//! to the outcome, 0 if nothing.

use balloon_engine::engine::{Action, Engine, Limits, Outcome, Tuning, Unit, View};
use std::collections::HashMap;

/// What is wrong with a trace, and in which line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// What a replay has come across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Decisions that were the same.
    pub decisions: usize,
    /// Outcomes that got the same answer.
    pub batches: usize,
    /// Calls for relief that were granted the same.
    pub reliefs: usize,
}

/// The fields of a line.
struct Fields<'a>(HashMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Self {
        Self(
            text.split_whitespace()
                .filter_map(|field| field.split_once('='))
                .collect(),
        )
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        self.0.get(name).copied().ok_or(format!("no {name}"))
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        let text = self.text(name)?;
        text.parse()
            .map_err(|_| format!("{name}={text} is no number"))
    }

    fn millis(&self, name: &str) -> Result<u32, String> {
        self.number(name)?
            .try_into()
            .map_err(|_| format!("{name} is too long"))
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        Ok(self.number(name)? != 0)
    }

    fn limits(&self) -> Result<Limits, String> {
        Ok(Limits {
            floor: self.number("floor")?,
            reserve: self.number("reserve")?,
            cushion: self.number("cushion")?,
        })
    }

    fn tuning(&self) -> Result<Tuning, String> {
        Ok(Tuning {
            auto_return: self.flag("auto_return")?,
            relief: self.number("relief")?,
            hold_off_ms: self.millis("hold_off_ms")?,
        })
    }

    fn view(&self) -> Result<View, String> {
        Ok(View {
            now_ms: self.number("now_ms")?,
            target: self.number("target")?,
            current: self.number("current")?,
            held_huge: self.number("held_huge")?,
            held_base: self.number("held_base")?,
            reserve: self.number("reserve")?,
            available: self.number("available")?,
            free: self.number("free")?,
        })
    }

    fn action(&self) -> Result<Action, String> {
        let pages = self.number("pages")?;
        let delay_ms = self.millis("delay_ms")?;
        let runs = |unit: Unit| (unit, pages / unit.pages());

        Ok(match self.text("action")? {
            "take_huge" | "take_base" => {
                let (unit, runs) = runs(self.unit()?);
                Action::Take { unit, runs }
            }
            "give_huge" | "give_base" => {
                let (unit, runs) = runs(self.unit()?);
                Action::Give { unit, runs }
            }
            "split" => Action::Split,
            "borrow" => Action::Borrow {
                pages,
                recheck_ms: delay_ms,
            },
            "wait" => Action::Wait { delay_ms },
            "watch" => Action::Watch { delay_ms },
            "rest" => Action::Rest,
            other => return Err(format!("no action {other}")),
        })
    }

    fn unit(&self) -> Result<Unit, String> {
        match self.text("action")?.split_once('_') {
            Some((_, "huge")) => Ok(Unit::Huge),
            Some((_, "base")) => Ok(Unit::Base),
            _ => Err("no unit".into()),
        }
    }

    fn outcome(&self) -> Result<Outcome, String> {
        let (unit, pages, short) = (self.unit()?, self.number("pages")?, self.flag("short")?);

        match self.text("action")? {
            "take_huge" | "take_base" => Ok(Outcome::Took { unit, pages, short }),
            "give_huge" | "give_base" => Ok(Outcome::Gave { unit, pages, short }),
            other => Err(format!("{other} has no outcome")),
        }
    }
}

/// The engine of a trace, as far as it has come.
#[derive(Default)]
struct Player {
    limits: Option<Limits>,
    engine: Option<Engine>,
    /// What the last decision was, until its outcome is known.
    open: Option<Action>,
    replayed: Replayed,
}

impl Player {
    fn engine(&mut self) -> Result<&mut Engine, String> {
        self.engine
            .as_mut()
            .ok_or("limits and tuning come first".into())
    }

    fn play(&mut self, event: &str, fields: &Fields<'_>) -> Result<(), String> {
        match event {
            "limits" => {
                let limits = fields.limits()?;
                self.limits = Some(limits);
                if let Some(engine) = &mut self.engine {
                    engine.set_limits(limits);
                }
            }
            "tuning" => self.tune(fields.tuning()?)?,
            "wake" => self.engine()?.wake(),
            "relieve" => {
                let beyond = fields.number("beyond")? != 0;
                let granted =
                    self.engine()?
                        .relieve(&fields.view()?, fields.number("pages")?, beyond);
                same(granted, fields.number("granted")?)?;
                self.replayed.reliefs += 1;
            }
            "decision" => self.decide(fields)?,
            "batch" => self.finish(fields)?,
            other => return Err(format!("no event xenballoon_{other}")),
        }
        Ok(())
    }

    fn tune(&mut self, tuning: Tuning) -> Result<(), String> {
        let limits = self.limits.ok_or("limits come before tuning")?;
        match &mut self.engine {
            Some(engine) => engine.set_tuning(tuning),
            None => self.engine = Some(Engine::new(limits, tuning)),
        }
        Ok(())
    }

    fn decide(&mut self, fields: &Fields<'_>) -> Result<(), String> {
        if self.open.is_some() {
            return Err("the last decision has no outcome".into());
        }
        let action = self.engine()?.next(&fields.view()?);
        same(action, fields.action()?)?;
        self.open = match action {
            Action::Take { .. } | Action::Give { .. } => Some(action),
            _ => None,
        };
        self.replayed.decisions += 1;
        Ok(())
    }

    fn finish(&mut self, fields: &Fields<'_>) -> Result<(), String> {
        let outcome = fields.outcome()?;
        let (pages, most) = match (self.open.take(), outcome) {
            (Some(Action::Take { unit: asked, runs }), Outcome::Took { unit, pages, .. })
            | (Some(Action::Give { unit: asked, runs }), Outcome::Gave { unit, pages, .. })
                if asked == unit =>
            {
                (pages, runs * unit.pages())
            }
            _ => return Err("the outcome of another decision".into()),
        };
        if pages > most {
            return Err(format!("{pages} pages done of {most} asked for"));
        }
        let delay = self.engine()?.done(outcome).unwrap_or(0);
        same(delay, fields.millis("delay_ms")?)?;
        self.replayed.batches += 1;
        Ok(())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(engine: T, guest: T) -> Result<(), String> {
    if engine == guest {
        Ok(())
    } else {
        Err(format!(
            "the engine says {engine:?}, the guest did {guest:?}"
        ))
    }
}

/// Replays a trace. Lines without an event of ours are passed over.
///
/// # Errors
///
/// The first line that cannot be read, or where the engine does something else.
pub fn replay(text: &str) -> Result<Replayed, Wrong> {
    let mut player = Player::default();

    for (number, line) in text.lines().enumerate() {
        let wrong = |what| Wrong {
            line: number + 1,
            what,
        };
        if line.contains("LOST") && line.contains("EVENTS") {
            return Err(wrong("events are lost".into()));
        }
        if line.starts_with('#') {
            continue;
        }
        let Some((_, ours)) = line.split_once("xenballoon_") else {
            continue;
        };
        let Some((event, fields)) = ours.split_once(':') else {
            return Err(wrong("no fields".into()));
        };
        player.play(event, &Fields::parse(fields)).map_err(wrong)?;
    }
    Ok(player.replayed)
}
