// SPDX-License-Identifier: GPL-2.0
//! The time from the toolstack's write of `memory/target` to the first change of what the guest has.
//!
//! dom0 knows when it writes, the guest when it sees the change, each by a clock of its own. The bed compares
//! both clocks with its own right before and right after each sample (`bed::Offset`), and the guest looks every
//! 0.2 ms, on a processor that the balloon leaves free. So each sample is an interval, of which the middle
//! counts; what it may be off is told after the runs.
//!
//! While ours is loaded the built-in driver hears of the target too and may begin before it is stopped. The
//! first change counts, whoever made it: that is when the host sees memory move.

use super::{Both, Driver, LIMIT, PEER, POLL};
use crate::metric::Metric;
use anyhow::{Context, Result};
use bed::{Interval, Until};
use std::time::Duration;

/// Each gives a sample of the way down and one of the way up.
const ROUNDS: usize = 12;
/// Times that may be further off say nothing.
const WORST_MS: f64 = 5.0;
const MOVE_KB: u64 = 16 << 10;
const LOOK: Duration = Duration::from_micros(200);
/// For the guest to begin to look.
const SETTLE: Duration = Duration::from_millis(100);
/// Each narrows what is known of a clock, until nothing more is gained.
const QUESTIONS: usize = 8;

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let name = both.guest.name();
    let asked: u64 = both
        .bed
        .xenstore_read(name, "memory/target")?
        .trim()
        .parse()?;
    // What the toolstack counts and the guest does not.
    let unseen_kb = asked.checked_sub(both.big_kb).context("memory/target")?;
    let sample =
        |driver: &Driver, from_kb, to_kb| first_change(both, driver, from_kb, to_kb, unseen_kb);
    let (big, small) = (both.big_kb, both.big_kb - MOVE_KB);
    let pairs = both.alternate(
        ROUNDS,
        |driver| Ok([sample(driver, big, small)?, sample(driver, small, big)?]),
        |samples| {
            let [down, up] = samples.map(ms);
            format!("first change down {down:.1}, up {up:.1} ms")
        },
    )?;
    let pairs = pairs.iter();
    let pairs = pairs.flat_map(|(ours, peer)| ours.iter().copied().zip(peer.iter().copied()));
    let pairs: Vec<(Interval, Interval)> = pairs.collect();
    let errors = pairs
        .iter()
        .flat_map(|(ours, peer)| [ours.error(), peer.error()]);
    let worst = errors.max().unwrap_or_default() as f64 / 1e6;
    println!("{name}: times to the first change are right to {worst:.2} ms or better");
    if worst > WORST_MS {
        println!("{name}: that is no measurement: first-progress-p99 is left out");
        return Ok(Vec::new());
    }
    let pairs: Vec<_> = pairs
        .iter()
        .map(|&(ours, peer)| (ms(ours), ms(peer)))
        .collect();
    let metric = both.metric("first-progress-p99");
    Ok(vec![Metric::of_tail(&metric, "ms", PEER, 99.0, &pairs)])
}

fn ms(time: Interval) -> f64 {
    time.middle() as f64 / 1e6
}

fn first_change(
    both: &Both<'_>,
    driver: &Driver,
    from_kb: u64,
    to_kb: u64,
    unseen_kb: u64,
) -> Result<Interval> {
    let (guest, dom0) = (&both.guest, both.bed.dom0());
    let clocks = || -> Result<_> { Ok((guest.clock(QUESTIONS)?, dom0.clock(QUESTIONS)?)) };
    let before = clocks()?;
    let from = from_kb.to_string();
    let change = Until {
        path: &driver.current,
        equals: &from,
        poll: LOOK,
        limit: LIMIT,
    };
    let (wrote, seen) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| guest.wait_while(change));
        std::thread::sleep(SETTLE);
        let target = (to_kb + unseen_kb).to_string();
        let wrote = both
            .bed
            .xenstore_write(guest.name(), "memory/target", &target);
        let seen = watcher.join().unwrap_or_else(|_| unreachable!());
        Ok::<_, anyhow::Error>((wrote?, seen?))
    })?;
    let after = clocks()?;
    let seen = before.0.and(after.0).bed_time(seen.start_ns, seen.end_ns());
    let wrote = before.1.and(after.1).bed_time(wrote, wrote);
    guest.wait_for(Until {
        path: &driver.current,
        equals: &to_kb.to_string(),
        poll: POLL,
        limit: LIMIT,
    })?;
    Ok(seen - wrote)
}
