// SPDX-License-Identifier: GPL-2.0

//! The model as a text in CSP#, the language of PAT, which the paper used too: for those who read
//! processes rather than Rust. Its figures, events and properties come from the model's tables.

use crate::house::{Scene, UNSEEN};
use crate::law::{LAWS, Law, Place};
use crate::scenes::THREE;
use balloon_engine::engine::HUGE_PAGES;
use std::fmt::Write as _;

/// The processes. `//` comments of CSP# say which transition of the model each one is.
const PROCESSES: &str = include_str!("processes.csp");

/// The text counts in units of so many pages, so that a run is four: each single page is an event
/// there.
const SCALE: u64 = 128;

/// How a law is put in CSP#; those that are missing need frames or a clock. A name in braces is
/// said of each guest.
const ASSERTIONS: [(Law, &str, &str, &str); 9] = [
    (
        Law::S1,
        "constant",
        "free{ + total[i]} == ALL",
        "System() |= [] constant;",
    ),
    (
        Law::S3,
        "within_max",
        "true{ && total[i] <= maximum[i]}",
        "System() |= [] within_max;",
    ),
    (
        Law::S4,
        "all_there",
        "true{ && (alive[i] == 0 || (total[i] == current[i] + UNSEEN && MOST == current[i] \
         + HUGE * held_huge[i] + held_base[i] + lendable[i]))}",
        "System() |= [] all_there;",
    ),
    (Law::S5, "kept", "low == 0", "System() |= [] kept;"),
    (
        Law::S8,
        "promised",
        "free >= SLUSH + reserved",
        "System() |= [] promised;",
    ),
    (
        Law::S9,
        "in_range",
        "true{ && target[i] >= DYNAMIC_MIN && target[i] <= DYNAMIC_MAX}",
        "System() |= [] in_range;",
    ),
    (
        Law::S11,
        "nothing_held",
        "true{ && (loaded[i] == 1 || held_huge[i] + held_base[i] == 0)}",
        "System() |= [] nothing_held;",
    ),
    (
        Law::L1,
        "reached",
        "true{ && (alive[i] * loaded[i] * (1 - hung[i]) == 0 || used[i] + 2 * RESERVE > size[i] \
         || current[i] == size[i])}",
        "System() |= [] (calm -> <> reached);",
    ),
    (
        Law::L4,
        "calm",
        "events == 0 && faults == 0",
        "System() deadlockfree;",
    ),
];

/// Returns the model in CSP#.
pub fn render() -> String {
    let mut text = String::from(
        "// SPDX-License-Identifier: GPL-2.0\n\
         // xenballoon.csp - Xen, a toolstack and guests with balloons, in CSP# for PAT.\n\
         // Written by tests/host/balloon-model/src/csp.rs: change that, not this.\n\n",
    );
    // A string takes all that is written to it.
    let _ = constants(&mut text, &THREE);
    text.extend(PROCESSES.split_inclusive('\n').skip(1));
    let _ = properties(&mut text);
    text
}

fn constants<const N: usize>(text: &mut String, scene: &Scene<N>) -> std::fmt::Result {
    // Each guest in whole units: its size, its target, what the built-in driver holds, the rest.
    let most = scene.most / SCALE;
    let start = scene.start.map(|(current, target, lendable)| {
        let (current, lendable) = (current / SCALE, lendable.div_ceil(SCALE));
        (current, target / SCALE, lendable, most - current - lendable)
    });
    let list = |each: fn((u64, u64, u64, u64)) -> u64| {
        let values = start.iter().map(|start| each(*start).to_string());
        values.collect::<Vec<_>>().join(", ")
    };
    let growth = |(current, target, _): &(u64, u64, u64)| target + scene.headroom - current;
    let free = scene.slush + scene.spare + scene.start.iter().map(growth).sum::<u64>();
    // In whole units each, as the totals are.
    let rounded = |pages: u64| pages / SCALE * SCALE;
    let totals = scene.start.iter().map(|start| rounded(start.0 + UNSEEN));
    let all = rounded(free) + totals.sum::<u64>();
    let targets: Vec<_> = scene
        .targets
        .iter()
        .map(|t| (t / SCALE).to_string())
        .collect();

    writeln!(text, "// Sizes are in units of {SCALE} pages.")?;
    for (name, pages) in [
        ("HUGE", HUGE_PAGES),
        ("MOST", scene.most),
        ("UNSEEN", UNSEEN),
        ("FLOOR", scene.limits.floor),
        ("RESERVE", scene.limits.reserve),
        ("RELIEF", scene.tuning.relief),
        ("HEADROOM", scene.headroom),
        ("SLUSH", scene.slush),
        ("DYNAMIC_MIN", scene.dynamic.0),
        ("DYNAMIC_MAX", scene.dynamic.1),
        ("LITTLE", scene.wants[0]),
        ("MUCH", scene.wants[1]),
        ("FREE", free),
        ("ALL", all),
    ] {
        writeln!(text, "#define {name} {};", pages / SCALE)?;
    }
    for (name, value) in [
        ("GUESTS", N),
        ("TARGETS", scene.targets.len()),
        ("EVENTS", scene.events.into()),
        ("FAULTS", scene.faults.into()),
    ] {
        writeln!(text, "#define {name} {value};")?;
    }
    writeln!(text, "var targets[TARGETS] = [{}];", targets.join(", "))?;
    for (name, values) in [
        ("current", list(|(current, ..)| current)),
        ("total", list(|(current, ..)| current + UNSEEN / SCALE)),
        ("target", list(|(_, target, ..)| target)),
        ("asked", list(|(_, target, ..)| target)),
        (
            "maximum",
            list(|(_, target, ..)| target + (THREE.headroom + UNSEEN) / SCALE),
        ),
        ("held_huge", list(|(.., held)| held * SCALE / HUGE_PAGES)),
        ("held_base", list(|(.., held)| held % (HUGE_PAGES / SCALE))),
        ("lendable", list(|(_, _, lendable, _)| lendable)),
        ("used", list(|_| THREE.wants[0] / SCALE)),
    ] {
        writeln!(text, "var {name}[GUESTS] = [{values}];")?;
    }
    Ok(())
}

fn properties(text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\n// Properties: what each says, and where the model checks it."
    )?;
    writeln!(
        text,
        "#define unpromised ({});",
        of_each(
            "free - SLUSH - reserved{ - maximum[i] + total[i]}",
            THREE.start.len()
        )
    )?;
    for (_, name, condition, _) in ASSERTIONS {
        writeln!(
            text,
            "#define {name} ({});",
            of_each(condition, THREE.start.len())
        )?;
    }
    for (law, name, place, says) in LAWS {
        let place = match place {
            Place::House => "in every state",
            Place::Calm => "from every state",
            Place::Frames => "in the model of page frames",
        };
        writeln!(text, "// {name} ({place}): {says}")?;
        match ASSERTIONS.iter().find(|assertion| assertion.0 == law) {
            Some((.., assertion)) => writeln!(text, "#assert {assertion}")?,
            None => writeln!(
                text,
                "//    not in CSP#: needs a clock, frames, or the engine itself"
            )?,
        }
    }
    Ok(())
}

/// Says what is in braces of each of `n` guests.
fn of_each(condition: &str, n: usize) -> String {
    let Some((before, rest)) = condition.split_once('{') else {
        return condition.to_string();
    };
    let (each, after) = rest.split_once('}').unwrap_or((rest, ""));
    let guests = (0..n).map(|i| each.replace("[i]", &format!("[{i}]")));
    before.to_string() + &guests.collect::<String>() + after
}
