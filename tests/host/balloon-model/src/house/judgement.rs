// SPDX-License-Identifier: GPL-2.0

//! The laws that a decision may break.

use super::{Guest, Scene};
use crate::law::Law;
use crate::subject::Subject;
use balloon_engine::engine::{Action, Unit};

/// Returns the laws that this decision breaks.
pub(super) fn judge<E: Subject, const N: usize>(
    scene: &Scene<N>,
    guest: &Guest<E>,
    engine: &E,
    action: Action,
) -> u32 {
    let view = guest.view();
    let limits = &scene.limits;
    let ordered = guest.ordered(limits);
    let relieved = engine.relief().is_some();
    let aimed = engine.effective_target(&view);
    let mut broken = 0;
    let mut law = |law: Law, kept: bool| {
        if !kept {
            broken |= law.bit();
        }
    };

    law(
        Law::S9,
        (limits.floor.min(guest.all())..=guest.all()).contains(&aimed),
    );
    law(Law::S12, guest.asked == guest.target);
    match action {
        Action::Take { unit, runs } => {
            let pages = runs * unit.pages();
            law(
                Law::S5,
                guest.current >= limits.floor + pages && view.available >= limits.reserve + pages,
            );
            law(Law::L4, runs > 0);
            law(
                Law::S12,
                scene.tuning.auto_return || guest.current >= ordered + pages,
            );
        }
        Action::Give { unit, runs } => {
            let most = if relieved {
                ordered.saturating_add(scene.tuning.relief).min(guest.all())
            } else {
                ordered
            };
            law(Law::S3, guest.current + runs * unit.pages() <= most);
            law(Law::L4, runs > 0);
            let held = match unit {
                Unit::Huge => guest.held_huge,
                Unit::Base => guest.held_base,
            };
            law(Law::S4, runs <= held);
            law(Law::S12, relieved || guest.current < ordered);
        }
        Action::Split => law(Law::S4, guest.held_huge > 0),
        Action::Borrow { pages, recheck_ms } => {
            law(Law::S4, pages <= guest.reserve);
            law(Law::L4, recheck_ms <= 1000);
        }
        Action::Wait { delay_ms } => law(Law::L4, delay_ms <= 1000),
        Action::Watch { .. } | Action::Rest => law(
            Law::S12,
            relieved || scene.tuning.auto_return || guest.current == ordered,
        ),
    }
    broken
}
