// SPDX-License-Identifier: GPL-2.0

//! Replays what a guest's tracepoints have recorded: the engine, shown the same, must do the same.
//!
//! A line is one event of the kernel's trace, with whatever stands before its name. All fields are
//! decimal numbers, but for `action`. VIEW stands for all fields of a [`View`], by their names.
//!
//! ```text
//! xenballoon_limits: floor=N reserve=N cushion=N
//! xenballoon_tuning: auto_return=0|1 relief=N hold_off_ms=N
//! xenballoon_wake: wanted=N
//! xenballoon_relieve: VIEW pages=N beyond=0|1 granted=N
//! xenballoon_decision: VIEW effective=N action=ACTION pages=N delay_ms=N
//! xenballoon_outcome: action=ACTION pages=N short=0|1 delay_ms=N
//! ```
//!
//! `xenballoon_batch` and `xenballoon_target` say nothing of the engine. A decision's pages are those of all runs asked for, or those that may be borrowed; its delay is that of `borrow`,
//! `wait` and `watch`. An outcome follows each decision to take or give; its delay is what the
//! engine answered to it, 0 if nothing.
//!
//! Limits and tuning come whenever they change and right before each wake. A recording may begin
//! at any time: what comes before the first wake without a relief (`wanted=0`) is passed over, for
//! from there on nothing depends on what was before.

use balloon_engine::engine::{Action, Engine, Limits, Outcome, Tuning, Unit, View};
use std::collections::HashMap;

/// What is wrong with a trace, and in which line of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
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
    pub outcomes: usize,
    /// Calls for relief that were granted the same.
    pub reliefs: usize,
    /// Times that something had changed.
    pub wakes: usize,
    /// Decisions to take that a relief under way did not carry out.
    pub left_out: usize,
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
    tuning: Option<Tuning>,
    /// [`None`] until it is known what it was shown.
    engine: Option<Engine>,
    /// What the last decision was, until its outcome is known.
    open: Option<Action>,
    replayed: Replayed,
}

impl Player {
    fn play(&mut self, event: &str, fields: &Fields<'_>) -> Result<(), String> {
        match (event, &mut self.engine) {
            ("limits", engine) => {
                let limits = fields.limits()?;
                self.limits = Some(limits);
                if let Some(engine) = engine {
                    engine.set_limits(limits);
                }
            }
            ("tuning", engine) => {
                let tuning = fields.tuning()?;
                self.tuning = Some(tuning);
                if let Some(engine) = engine {
                    engine.set_tuning(tuning);
                }
            }
            ("wake", Some(engine)) => {
                same(engine.relief().unwrap_or(0), fields.number("wanted")?)?;
                engine.wake();
                self.replayed.wakes += 1;
            }
            ("wake", None) => self.begin(fields)?,
            ("relieve", Some(engine)) => {
                let beyond = fields.flag("beyond")?;
                let granted = engine.relieve(&fields.view()?, fields.number("pages")?, beyond);
                same(granted, fields.number("granted")?)?;
                self.replayed.reliefs += 1;
            }
            ("decision", Some(_)) => self.decide(fields)?,
            ("outcome", Some(_)) => self.finish(fields)?,
            ("relieve" | "decision" | "outcome", None) | ("batch" | "target", _) => {}
            (other, _) => return Err(format!("no event xenballoon_{other}")),
        }
        Ok(())
    }

    fn begin(&mut self, fields: &Fields<'_>) -> Result<(), String> {
        let (Some(limits), Some(tuning)) = (self.limits, self.tuning) else {
            return Err("limits and tuning come before a wake".into());
        };
        if fields.number("wanted")? == 0 {
            self.engine = Some(Engine::new(limits, tuning));
            self.replayed.wakes += 1;
        }
        Ok(())
    }

    fn decide(&mut self, fields: &Fields<'_>) -> Result<(), String> {
        match self.open.take() {
            Some(Action::Take { .. }) if self.replayed.reliefs > 0 => self.replayed.left_out += 1,
            Some(_) => return Err("the last decision has no outcome".into()),
            None => {}
        }
        let Some(engine) = &mut self.engine else {
            return Ok(());
        };
        let view = fields.view()?;
        same(engine.effective_target(&view), fields.number("effective")?)?;
        let action = engine.next(&view);
        same(action, fields.action()?)?;
        self.open = match action {
            Action::Take { .. } | Action::Give { .. } => Some(action),
            _ => None,
        };
        self.replayed.decisions += 1;
        Ok(())
    }

    fn finish(&mut self, fields: &Fields<'_>) -> Result<(), String> {
        let Some(engine) = &mut self.engine else {
            return Ok(());
        };
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
        let delay = engine.done(outcome).unwrap_or(0);
        same(delay, fields.millis("delay_ms")?)?;
        self.replayed.outcomes += 1;
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

/// Whether the kernel says of its trace that not all of it is there: what the ring buffer had no
/// room for is written and no longer in it.
fn is_incomplete(line: &str) -> bool {
    let overrun = line
        .split_once("entries-in-buffer/entries-written:")
        .and_then(|(_, counts)| counts.split_whitespace().next()?.split_once('/'))
        .is_some_and(|(there, written)| there != written);

    overrun || (line.contains("LOST") && line.contains("EVENTS"))
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
        if is_incomplete(line) {
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
