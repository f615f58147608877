// SPDX-License-Identifier: GPL-2.0

//! What is wrong with each mutant, and the law that it breaks.

/// An engine with one thing wrong.
pub struct Mutant {
    /// Its name, that of a module in [`super`] too.
    pub name: &'static str,
    /// What is wrong.
    pub wrong: &'static str,
    /// The law that it must be found to break.
    pub law: &'static str,
    /// A file of the engine, a text that must be in it once, and what stands there instead.
    pub edits: &'static [(&'static str, &'static str, &'static str)],
}

/// The mutants.
pub const MUTANTS: [Mutant; 23] = [
    Mutant {
        name: "one_hour",
        wrong: "sleeps an hour after four failures, as the built-in driver does",
        law: "L2",
        edits: &[(
            "mod.rs",
            "self.delay_ms = cmp::min(delay * 2, DELAY_MAX_MS);",
            "self.delay_ms = if delay < DELAY_MAX_MS { delay * 2 } else { 3_600_000 };",
        )],
    },
    Mutant {
        name: "no_retry",
        wrong: "rests when nothing can be taken",
        law: "L2",
        edits: &[(
            "mod.rs",
            "Action::Wait {
                delay_ms: self.no_progress(),
            }",
            "Action::Rest",
        )],
    },
    Mutant {
        name: "short_take_is_full",
        wrong: "does not hear that the allocator had fewer runs",
        law: "L4",
        edits: &[(
            "mod.rs",
            "self.take_base_first = HUGE_RETRY_PAGES;",
            "self.take_base_first = 0;",
        )],
    },
    Mutant {
        name: "short_give_is_full",
        wrong: "does not hear that the hypervisor had fewer runs",
        law: "L4",
        edits: &[(
            "mod.rs",
            "self.give_base |= short;",
            "self.give_base |= false;",
        )],
    },
    Mutant {
        name: "no_delay",
        wrong: "tries again at once, for ever",
        law: "L4",
        edits: &[(
            "mod.rs",
            "const DELAY_MIN_MS: u32 = 125;",
            "const DELAY_MIN_MS: u32 = 0;",
        )],
    },
    Mutant {
        name: "borrow_in_a_hurry",
        wrong: "asks every 10 ms for pages that the host has not got",
        law: "L4",
        edits: &[(
            "mod.rs",
            "let stuck = self.borrowed_at == Some(view.current);",
            "let stuck = false;",
        )],
    },
    Mutant {
        name: "no_floor",
        wrong: "has no floor",
        law: "S5",
        edits: &[("goal.rs", "view.target.max(limits.floor)", "view.target")],
    },
    Mutant {
        name: "no_reserve",
        wrong: "takes the last page available",
        law: "S5",
        edits: &[(
            "mod.rs",
            "let spare = view.available.saturating_sub(self.limits.reserve);",
            "let spare = view.available;",
        )],
    },
    Mutant {
        name: "auto_return_below_the_floor",
        wrong: "returns what an idle guest has below its floor",
        law: "S5",
        edits: &[(
            "goal.rs",
            "idle.clamp(cmp::min(limits.floor, ordered), ordered)",
            "idle.min(ordered)",
        )],
    },
    Mutant {
        name: "take_beyond_the_target",
        wrong: "takes a whole 2 MiB run for the last odd pages",
        law: "S12",
        edits: &[(
            "mod.rs",
            "runs: pages / HUGE_PAGES,",
            "runs: pages.div_ceil(HUGE_PAGES),",
        )],
    },
    Mutant {
        name: "newest_target_ignored",
        wrong: "keeps to the first target it was shown",
        law: "S12",
        edits: &[
            (
                "mod.rs",
                "borrowed_at: Option<u64>,\n}",
                "borrowed_at: Option<u64>,\n    first: Option<u64>,\n}",
            ),
            (
                "mod.rs",
                "borrowed_at: None,\n        }",
                "borrowed_at: None,\n            first: None,\n        }",
            ),
            (
                "mod.rs",
                "let size = self.goal.size(view, &self.limits, &self.tuning);",
                "let target = *self.first.get_or_insert(view.target);
                 let size = self.goal.size(&View { target, ..*view }, &self.limits, &self.tuning);",
            ),
        ],
    },
    Mutant {
        name: "rests_a_run_short",
        wrong: "does not give less than a 2 MiB run",
        law: "S12",
        edits: &[(
            "mod.rs",
            "match view.current.cmp(&size) {",
            "let size = if view.current < size && size - view.current < HUGE_PAGES {
                 view.current
             } else {
                 size
             };
             match view.current.cmp(&size) {",
        )],
    },
    Mutant {
        name: "give_beyond_the_target",
        wrong: "gives a whole 2 MiB run for the last odd pages",
        law: "S3",
        edits: &[(
            "mod.rs",
            "runs: cmp::min(cmp::min(need, STEP_PAGES) / HUGE_PAGES, view.held_huge),",
            "runs: cmp::min(cmp::min(need, STEP_PAGES).div_ceil(HUGE_PAGES), view.held_huge),",
        )],
    },
    Mutant {
        name: "relief_without_bound",
        wrong: "gives a guest out of memory all there is, whatever the bound",
        law: "S3",
        edits: &[(
            "goal.rs",
            ".saturating_add(tuning.relief)",
            ".saturating_add(u64::MAX)",
        )],
    },
    Mutant {
        name: "relief_of_an_old_target",
        wrong: "keeps a relief to the bound of the target at the time",
        law: "S3",
        edits: &[(
            "goal.rs",
            "relief.size.min(bound(view, tuning, ordered))",
            "relief.size",
        )],
    },
    Mutant {
        name: "borrow_counted_twice",
        wrong: "counts the built-in driver's reserve twice",
        law: "S9",
        edits: &[(
            "mod.rs",
            "+ self.held_base + self.reserve",
            "+ self.held_base + 2 * self.reserve",
        )],
    },
    Mutant {
        name: "no_split",
        wrong: "breaks no 2 MiB run for the last odd pages",
        law: "L1",
        edits: &[(
            "mod.rs",
            "Action::Split\n",
            "Action::Wait { delay_ms: self.no_progress() }\n",
        )],
    },
    Mutant {
        name: "no_borrow",
        wrong: "does not ask the built-in driver for its reserve",
        law: "L1",
        edits: &[(
            "mod.rs",
            "pages: cmp::min(need, view.reserve),",
            "pages: 0,",
        )],
    },
    Mutant {
        name: "relief_for_ever",
        wrong: "never ends a relief",
        law: "L1",
        edits: &[(
            "goal.rs",
            "let needed = beyond > 0 && view.available < beyond + 2 * limits.reserve;",
            "let needed = true;",
        )],
    },
    Mutant {
        name: "relief_dropped_at_once",
        wrong: "ends a relief before it has been given",
        law: "L5",
        edits: &[(
            "goal.rs",
            "if view.now_ms >= relief.until_ms && !needed {",
            "if !needed {",
        )],
    },
    Mutant {
        name: "hold_off_ignored",
        wrong: "lets a relief last no time",
        law: "L5",
        edits: &[(
            "goal.rs",
            "view.now_ms + u64::from(cmp::max(tuning.hold_off_ms, LOOK_MS))",
            "view.now_ms",
        )],
    },
    Mutant {
        name: "relief_taken_though_needed",
        wrong: "takes a relief away after its time though the guest would be short again",
        law: "L3",
        edits: &[(
            "goal.rs",
            "if view.now_ms >= relief.until_ms && !needed {",
            "if view.now_ms >= relief.until_ms {",
        )],
    },
    Mutant {
        name: "no_cushion",
        wrong: "returns all that an idle guest has free",
        law: "L3",
        edits: &[(
            "goal.rs",
            "cmp::min(before, view.free).saturating_sub(limits.cushion)",
            "cmp::min(before, view.free)",
        )],
    },
];
