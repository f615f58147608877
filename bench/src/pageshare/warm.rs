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
        let ratio = ratio(guest, marks, rounds, what).with_context(|| name.to_string())?;
        Ok(Metric::alone(name, "ratio", PEER, vec![ratio]))
    };
    KINDS.iter().map(measure).collect()
}

/// Ours by the peer's.
fn ratio(
    guest: &Machine<'_>,
    marks: &Marks,
    rounds: usize,
    [what, how]: &[&str; 2],
) -> Result<f64> {
    let from = marks.count()?;
    let told = places::shell(
        guest,
        &format!("warm {what} {how} {rounds} /tools/data/{FILE} {MOUNT}/{FILE}"),
    )?;
    let told = told.trim().split_once(' ').context("not two numbers")?;
    let (pieces, parts): (f64, usize) = (told.0.parse()?, told.1.parse()?);
    let stretches = marks.stretches(from)?;
    let (count, expected) = (stretches.len(), 2 * rounds * parts);
    ensure!(count == expected, "{count} stretches, not {expected}");
    let sides: Vec<&[Stretch]> = stretches.chunks(parts).collect();
    // Of each part the median of all rounds: that in which the clock did not tick.
    let each = |of: usize, part: usize, figure: fn(&Stretch) -> u64| {
        let rounds = sides.iter().skip(of).step_by(2);
        median(rounds.map(|side| figure(&side[part]) as f64).collect())
    };
    let sum = |of: usize, parts: &[usize], figure: fn(&Stretch) -> u64| -> f64 {
        let parts = parts.iter().map(|&part| each(of, part, figure));
        parts.sum::<f64>() / pieces
    };
    let all: Vec<usize> = (0..parts).collect();
    let guests = |of| sum(of, &all, |stretch| stretch.guest);
    let (ours, peers) = (guests(1), guests(0));
    print!("{what} {how}: {ours:.0} instructions each beside {peers:.0}");
    if *what == "fault" {
        let middle = all.get(1..parts - 1).unwrap_or(&[]);
        let touched = |of| sum(of, middle, |stretch| stretch.guest);
        print!(
            "; without mmap and munmap {:.0} beside {:.0}",
            touched(1),
            touched(0)
        );
    }
    let xens = |of| sum(of, &all, |stretch| stretch.xen);
    println!("; Xen's {:.0} beside {:.0}", xens(1), xens(0));
    Ok(ours / peers)
}
