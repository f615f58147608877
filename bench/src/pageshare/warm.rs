// SPDX-License-Identifier: GPL-2.0
//! What it costs to read, and to map and touch, what is there already: instructions beside those for the same
//! file in the page cache of ext4. Both take turns in one program.

use super::instructions::{Marks, Stretch};
use super::places::{self, MOUNT};
use crate::metric::{Metric, median};
use anyhow::{Context, Result, ensure};
use bed::Machine;

const ROUNDS: usize = 30;
const FILE: &str = "warm";
const PEER: &str = "instructions of the guest, ours by those for ext4's page cache";

/// A metric's name, and what the program is told.
const KINDS: [(&str, [&str; 2]); 4] = [
    ("warm-read-instructions", ["read", "4096"]),
    ("warm-read-instructions/64k", ["read", "65536"]),
    ("warm-fault-instructions", ["fault", "private"]),
    ("warm-fault-instructions/shared", ["fault", "shared"]),
];

pub fn measure(guest: &Machine<'_>, marks: &Marks, rounds: Option<usize>) -> Result<Vec<Metric>> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let measure = |(name, what): &(&str, [&str; 2])| {
        let ratios = ratios(guest, marks, rounds, what).with_context(|| name.to_string())?;
        Ok(Metric::alone(name, "ratio", PEER, ratios))
    };
    KINDS.iter().map(measure).collect()
}

/// Ours by the peer's, of each round.
fn ratios(
    guest: &Machine<'_>,
    marks: &Marks,
    rounds: usize,
    [what, how]: &[&str; 2],
) -> Result<Vec<f64>> {
    let from = marks.count()?;
    let told = places::shell(
        guest,
        &format!("warm {what} {how} {rounds} /tools/data/{FILE} {MOUNT}/{FILE}"),
    )?;
    let pieces: f64 = told.trim().parse().context("no number of pieces")?;
    let stretches = marks.stretches(from)?;
    let count = stretches.len();
    ensure!(count == 2 * rounds, "{count} stretches, not {}", 2 * rounds);
    let each = |of: usize, figure: fn(&Stretch) -> u64| {
        let runs = stretches.chunks(2);
        median(runs.map(|pair| figure(&pair[of]) as f64 / pieces).collect())
    };
    println!(
        "{what} {how}: {:.0} instructions each beside {:.0}; Xen's {:.0} beside {:.0}",
        each(1, |stretch| stretch.guest),
        each(0, |stretch| stretch.guest),
        each(1, |stretch| stretch.xen),
        each(0, |stretch| stretch.xen),
    );
    let ratio = |pair: &[Stretch]| pair[1].guest as f64 / pair[0].guest as f64;
    Ok(stretches.chunks(2).map(ratio).collect())
}
