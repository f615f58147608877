// SPDX-License-Identifier: GPL-2.0
//! The time from the toolstack's write of `memory/target` to the first change of what the guest has.
//!
//! A program in dom0 makes the write and asks Xen for the guest's page count until it changes
//! (`bed::pages`): one clock, no guess. It asks every 0.2 ms, and the later end of the interval counts.
//!
//! While ours is loaded the built-in driver hears of the target too and may begin before it is stopped. The
//! first change counts, whoever made it: that is when the host sees memory move.

use super::{Both, Driver, LIMIT, PEER, POLL};
use crate::metric::{Metric, percentile};
use anyhow::{Context, Result};
use bed::Until;

const ROUNDS: usize = 4;
/// Ways down and up again in each run; each way is a sample.
const TRIPS: usize = 8;
const MOVE_KB: u64 = 64 << 10;
const PAGE_KB: u64 = 4;
const PERCENT: f64 = 99.0;

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let name = both.guest.name();
    let asked: u64 = both
        .bed
        .xenstore_read(name, "memory/target")?
        .trim()
        .parse()?;
    // What the toolstack counts and the guest does not.
    let unseen_kb = asked.checked_sub(both.big_kb).context("memory/target")?;
    let (big, small) = (both.big_kb, both.big_kb - MOVE_KB);
    let runs = both.alternate(
        ROUNDS,
        |driver| {
            let ways = [small, big].into_iter().cycle().take(2 * TRIPS);
            let samples = ways.map(|to_kb| first_change(both, driver, to_kb, unseen_kb));
            samples.collect::<Result<Vec<_>>>()
        },
        |samples| {
            let longest = percentile(samples.clone(), 100.0);
            let middle = percentile(samples.clone(), 50.0);
            format!("first change after {middle:.1} ms, {longest:.1} at the latest")
        },
    )?;
    let pairs: Vec<_> = runs
        .into_iter()
        .flat_map(|(ours, peer)| ours.into_iter().zip(peer))
        .collect();
    let metric = both.metric("first-progress-p99");
    Ok(vec![Metric::of_tail(&metric, "ms", PEER, PERCENT, &pairs)])
}

/// In milliseconds.
fn first_change(both: &Both<'_>, driver: &Driver, to_kb: u64, unseen_kb: u64) -> Result<f64> {
    let target = (to_kb + unseen_kb).to_string();
    let write = Some(("memory/target", target.as_str()));
    let name = both.guest.name();
    let change = both.bed.follow_pages(name, PAGE_KB, LIMIT, write)?;
    both.guest.wait_for(Until {
        path: &driver.current,
        equals: &to_kb.to_string(),
        poll: POLL,
        limit: LIMIT,
    })?;
    Ok(change.by.as_secs_f64() * 1000.0)
}
