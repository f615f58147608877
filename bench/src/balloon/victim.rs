// SPDX-License-Identifier: GPL-2.0
//! What a program of the guest's own loses while the balloon works: it goes through 32 MiB again and again, on
//! a processor of its own, and notes how far it is (`tests/xen/agent/src/stream.rs`).
//!
//! A driver that does the same harm in a third of the time would look three times as bad if only the time in
//! which it works counted; one that takes long over little would look good. So both are judged by one and the
//! same window, from the order to the end of the slower one's work: how much longer a job takes that fills it.
//! The rest of the faster one's window goes as fast as the program was seen to go after its work, so that harm
//! that stays counts. What the program loses only while memory moves is told beside it.

use super::{Both, Driver, PEER, Trip};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const MOVE_KB: u64 = 512 << 10;
const PROGRAM: [&str; 4] = ["/init", "stream", "1", "32"];
const OUTPUT: &str = "/tmp/stream";
/// Before anything is measured.
const WARM: Duration = Duration::from_millis(500);
/// Time enough for notes to come, however slow the host.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);
/// How long it is watched before and after, to know its speed then.
const ALONE: Duration = Duration::from_secs(2);
const SIGTERM: i32 = 15;

/// The program's notes, and what was done meanwhile.
struct Run {
    /// Times in nanoseconds, and what was done by then.
    notes: Vec<(u64, f64)>,
    trip: Trip,
}

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let runs = both.alternate(
        ROUNDS,
        |driver| once(both, driver),
        |run| format!("{:.1} s", run.elapsed().as_secs_f64()),
    )?;
    let (mut all, mut moving) = (Vec::new(), Vec::new());
    for (ours, peer) in &runs {
        let window = ours.elapsed().max(peer.elapsed());
        all.push((ours.slowdown(window)?, peer.slowdown(window)?));
        moving.push((ours.slowdown_moving()?, peer.slowdown_moving()?));
    }
    let metric = |name: &str, pairs| Metric::of_costs(&both.metric(name), "times", PEER, pairs);
    Ok(vec![
        metric("victim-slowdown", &all),
        metric("victim-slowdown-while-moving", &moving),
    ])
}

fn once(both: &Both<'_>, driver: &Driver) -> Result<Run> {
    let pid = both.guest.spawn(&PROGRAM, OUTPUT)?;
    let known = |from_ns: Option<u64>, span: Duration| {
        wait_for_notes(|| parse(&both.guest.read(OUTPUT)?), from_ns, span)
    };
    let moved = known(None, WARM + ALONE).and_then(|_| both.there_and_back(driver, MOVE_KB));
    let run = moved.and_then(|trip| {
        let notes = known(Some(trip.give.end_ns()), ALONE)?;
        Ok(Run { notes, trip })
    });
    both.guest.kill(pid, SIGTERM)?;
    run
}

/// Waits until the notes reach so far behind a time, or behind the first of them, and returns them.
fn wait_for_notes(
    read: impl Fn() -> Result<Vec<(u64, f64)>>,
    from_ns: Option<u64>,
    span: Duration,
) -> Result<Vec<(u64, f64)>> {
    let start = Instant::now();
    loop {
        let notes = read()?;
        if let (Some(first), Some(last)) = (notes.first(), notes.last()) {
            if last.0 > from_ns.unwrap_or(first.0) + span.as_nanos() as u64 {
                return Ok(notes);
            }
        }
        ensure!(start.elapsed() < PATIENCE, "the program makes no progress");
        std::thread::sleep(POLL);
    }
}

impl Run {
    /// From the order to take to the end of the way back.
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.trip.give.end_ns() - self.trip.take.start_ns)
    }

    /// How much longer a job takes than undisturbed that fills a window from the order on.
    fn slowdown(&self, window: Duration) -> Result<f64> {
        let (start, end) = (self.trip.take.start_ns, self.trip.give.end_ns());
        let rest = window.saturating_sub(self.elapsed()).as_secs_f64();
        let done = self.done(start, end)? + self.rate_after()? * rest;
        Ok(self.rate_alone()? * window.as_secs_f64() / done)
    }

    /// The undisturbed rate by the rate while memory was taken and given.
    fn slowdown_moving(&self) -> Result<f64> {
        let Trip { take, give, .. } = self.trip;
        let done =
            self.done(take.start_ns, take.end_ns())? + self.done(give.start_ns, give.end_ns())?;
        let rate = done / (take.elapsed + give.elapsed).as_secs_f64();
        Ok(self.rate_alone()? / rate)
    }

    /// What is done in a second if nobody disturbs.
    fn rate_alone(&self) -> Result<f64> {
        let end = self.trip.take.start_ns;
        Ok(self.done(end - ALONE.as_nanos() as u64, end)? / ALONE.as_secs_f64())
    }

    /// What is done in a second when all is over.
    fn rate_after(&self) -> Result<f64> {
        let start = self.trip.give.end_ns();
        Ok(self.done(start, start + ALONE.as_nanos() as u64)? / ALONE.as_secs_f64())
    }

    fn done(&self, from_ns: u64, to_ns: u64) -> Result<f64> {
        Ok(done_by(&self.notes, to_ns)? - done_by(&self.notes, from_ns)?)
    }
}

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

    fn span(start_ms: u64, ms: u64) -> Span {
        Span {
            start_ns: start_ms * 1_000_000,
            elapsed: Duration::from_millis(ms),
        }
    }

    /// 100 a second until 3 s, 40 a second until 4 s, 100 until 4.5 s, 70 until 5 s, 100 from there.
    const NOTES: &str = "500000000 50\n3000000000 300\n4000000000 340\n4500000000 390\n\
                         5000000000 425\n9000000000 825\n45";

    fn run() -> Run {
        Run {
            notes: parse(NOTES).unwrap(),
            trip: Trip {
                kb: 1,
                take: span(3000, 1000),
                give: span(4500, 500),
            },
        }
    }

    #[test]
    fn notes_are_waited_for() {
        let known = parse(NOTES).unwrap();
        let seen = std::cell::Cell::new(1);
        let read = || {
            seen.set(seen.get() + 1);
            Ok(known[..seen.get()].to_vec())
        };
        let notes = wait_for_notes(read, Some(3_000_000_000), Duration::from_secs(1)).unwrap();
        assert_eq!(notes.len(), 4);
        seen.set(0);
        let notes = wait_for_notes(read, None, Duration::from_secs(2)).unwrap();
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn work_lost_while_memory_moves() {
        let found = run().slowdown_moving().unwrap();
        assert!((found - 100.0 / 50.0).abs() < 1e-9, "{found}");
        assert!(parse("nonsense\n1 2\n").is_err());
    }

    #[test]
    fn the_same_loss_counts_the_same_however_long_it_took() {
        let run = run();
        assert_eq!(run.elapsed(), Duration::from_secs(2));
        for (window, found) in [(4, 400.0 / 325.0), (70, 7000.0 / 6925.0)] {
            let slowdown = run.slowdown(Duration::from_secs(window)).unwrap();
            assert!((slowdown - found).abs() < 1e-9, "{slowdown}");
        }
    }
}
