// SPDX-License-Identifier: GPL-2.0
//! What a program of the guest's own loses while the balloon works: it goes through 32 MiB again and again, on
//! a processor of its own, and notes how far it is (`tests/xen/agent/src/stream.rs`).

use super::{Both, Driver, PEER, Trip, each};
use crate::metric::Metric;
use anyhow::{Context, Result};
use std::time::Duration;

const ROUNDS: usize = 6;
const MOVE_KB: u64 = 512 << 10;
const PROGRAM: [&str; 4] = ["/init", "stream", "1", "32"];
const OUTPUT: &str = "/tmp/stream";
/// Before anything is measured.
const WARM: Duration = Duration::from_millis(500);
/// How long it is left alone to know its undisturbed speed.
const ALONE: Duration = Duration::from_secs(1);
const SIGTERM: i32 = 15;

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let pairs = both.alternate(
        ROUNDS,
        |driver| once(both, driver),
        |slowdown| format!("slowdown {slowdown:.3}"),
    )?;
    let pairs = each(&pairs, |slowdown| *slowdown);
    let name = both.metric("victim-slowdown");
    Ok(vec![Metric::of_costs(&name, "times", PEER, &pairs)])
}

fn once(both: &Both<'_>, driver: &Driver) -> Result<f64> {
    let pid = both.guest.spawn(&PROGRAM, OUTPUT)?;
    std::thread::sleep(WARM + ALONE);
    let trip = both.there_and_back(driver, MOVE_KB);
    // The end of the way back may lie after the last note.
    std::thread::sleep(WARM / 5);
    both.guest.kill(pid, SIGTERM)?;
    slowdown(&both.guest.read(OUTPUT)?, &trip?)
}

/// The undisturbed rate by the rate while memory was taken and given.
fn slowdown(notes: &str, trip: &Trip) -> Result<f64> {
    let notes = parse(notes)?;
    let done = |from_ns: u64, to_ns: u64| -> Result<f64> {
        Ok(done_by(&notes, to_ns)? - done_by(&notes, from_ns)?)
    };
    let (take, give) = (trip.take, trip.give);
    let alone_ns = ALONE.as_nanos() as u64;
    let alone = done(take.start_ns - alone_ns, take.start_ns)? / ALONE.as_secs_f64();
    let moved = done(take.start_ns, take.end_ns())? + done(give.start_ns, give.end_ns())?;
    let moving = moved / (take.elapsed + give.elapsed).as_secs_f64();
    Ok(alone / moving)
}

/// Times in nanoseconds, and what was done by then.
fn parse(text: &str) -> Result<Vec<(u64, f64)>> {
    // The last line may be cut short.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let notes = whole.lines().map(|line| {
        let (time, done) = line.split_once(' ').context("no two words")?;
        Ok((time.parse()?, done.parse()?))
    });
    notes.collect()
}

/// What was done by a time: on a straight line between the notes around it.
fn done_by(notes: &[(u64, f64)], ns: u64) -> Result<f64> {
    let at = notes.partition_point(|note| note.0 < ns);
    let around = at.checked_sub(1).zip(notes.get(at));
    let (before, after) = around.context("nothing was noted at that time")?;
    let before = notes[before];
    let part = (ns - before.0) as f64 / (after.0 - before.0) as f64;
    Ok(before.1 + part * (after.1 - before.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bed::Span;

    #[test]
    fn work_lost_while_memory_moves() {
        let span = |start_ms: u64, ms: u64| Span {
            start_ns: start_ms * 1_000_000,
            elapsed: Duration::from_millis(ms),
        };
        let trip = Trip {
            kb: 1,
            take: span(2000, 1000),
            give: span(3500, 500),
        };
        // 100 a second until 2 s, 40 a second until 3 s, 100 until 3.5 s, 70 from there.
        let notes =
            "500000000 50\n2000000000 200\n3000000000 240\n3500000000 290\n4500000000 360\n45";
        let found = slowdown(notes, &trip).unwrap();
        assert!((found - 100.0 / 50.0).abs() < 1e-9, "{found}");
        assert!(slowdown("2500000000 1\n3000000000 2\n", &trip).is_err());
        assert!(slowdown("nonsense\n1 2\n", &trip).is_err());
    }
}
