// SPDX-License-Identifier: GPL-2.0
//! Memory that the guest does not use any more and that goes back to the host by itself: how soon, and what it
//! costs to look for it.

use super::{Both, LIMIT, POLL};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use bed::balloon::SYSFS;
use std::time::{Duration, Instant};

const ROUNDS: usize = 2;
const FREED_KB: u64 = 1 << 20;
/// Stays in use, or the guest's floor would keep some of what is freed.
const USED_KB: u64 = 256 << 10;
/// What of it has to be back.
const BACK_KB: u64 = FREED_KB * 9 / 10;
const FILL_LIMIT: Duration = Duration::from_secs(120);
/// For the program in dom0 to be at work.
const SETTLE: Duration = Duration::from_millis(500);
/// Nothing has moved for so long: it has come to rest.
const QUIET: Duration = Duration::from_secs(4);
/// How long the cost of looking is watched.
const WATCHED_S: u64 = 15;
const WHY_ALONE: &str = "drivers/xen/balloon.c: has nothing like it";

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let (mut times, mut shares) = (Vec::new(), Vec::new());
    let rounds = both.rounds.unwrap_or(ROUNDS);
    for round in 1..=rounds {
        both.guest.insmod("xenballoon", &[])?;
        let (time, share) = (back(both)?, idle_share(both)?);
        both.guest.rmmod("xenballoon")?;
        println!(
            "{} {round}/{rounds}: 90 % of 1 GiB is back after {time:.2} s, looking takes {share:.5} of a processor",
            both.guest.name()
        );
        times.push(time);
        shares.push(share);
    }
    let metric = |name: &str, unit: &str, runs: Vec<f64>| {
        Metric::alone(&both.metric(name), unit, WHY_ALONE, runs)
    };
    Ok(vec![
        metric("auto-return-1gib", "s", times),
        metric("auto-return-idle-cpu", "share", shares),
    ])
}

/// Fills so much memory with what cannot be reclaimed, until `folder` is unmounted.
fn fill(both: &Both<'_>, folder: &str, kb: u64) -> Result<()> {
    let line = format!(
        "mkdir -p {folder} && mount -t tmpfs -o size=2g none {folder} && \
         dd if=/dev/zero of={folder}/zeroes bs=64k count={}",
        kb / 64
    );
    let output = both.guest.run_within(&["sh", "-c", &line], FILL_LIMIT)?;
    output.ok().map(drop)
}

fn empty(both: &Both<'_>, folder: &str) -> Result<()> {
    let output = both.guest.run_within(&["umount", folder], FILL_LIMIT)?;
    output.ok().map(drop)
}

/// Frees a GiB; answers the seconds until Xen counts nine tenths of it less. Leaves the return switched on.
fn back(both: &Both<'_>) -> Result<f64> {
    let name = both.guest.name();
    fill(both, "/used", USED_KB)?;
    fill(both, "/freed", FREED_KB)?;
    switch(both, true)?;
    come_to_rest(both)?;
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            both.bed.follow_pages(name, BACK_KB, LIMIT, None)?;
            anyhow::Ok(Instant::now())
        });
        std::thread::sleep(SETTLE);
        let freed = Instant::now();
        let gone = empty(both, "/freed");
        let back = watcher.join().unwrap_or_else(|_| unreachable!());
        gone?;
        Ok(back?.duration_since(freed).as_secs_f64())
    })
}

/// The share of a processor that the guest uses more with the return switched on than without, at rest.
fn idle_share(both: &Both<'_>) -> Result<f64> {
    come_to_rest(both)?;
    let with = busy(both)?;
    switch(both, false)?;
    both.guest.wait_for(bed::Until {
        path: &both.ours.current,
        equals: &both.big_kb.to_string(),
        poll: POLL,
        limit: LIMIT,
    })?;
    come_to_rest(both)?;
    let without = busy(both)?;
    empty(both, "/used")?;
    Ok(with - without)
}

fn switch(both: &Both<'_>, on: bool) -> Result<()> {
    let value = u8::from(on).to_string();
    both.guest.write(&format!("{SYSFS}/auto_return"), &value)
}

/// Waits until the guest has kept its size for a while.
fn come_to_rest(both: &Both<'_>) -> Result<()> {
    let end = Instant::now() + LIMIT;
    let (mut last, mut since) = (0, Instant::now());
    while since.elapsed() < QUIET {
        ensure!(Instant::now() < end, "the guest does not come to rest");
        let now = both.guest.read_number(&both.ours.current)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        std::thread::sleep(QUIET / 8);
    }
    Ok(())
}

/// The share of time that a processor of the guest has run tasks.
fn busy(both: &Both<'_>) -> Result<f64> {
    let line = format!("cat /proc/schedstat; sleep {WATCHED_S}; cat /proc/schedstat");
    let limit = Duration::from_secs(WATCHED_S) + FILL_LIMIT;
    let output = both.guest.run_within(&["sh", "-c", &line], limit)?.ok()?;
    let times = run_times(&output.stdout)?;
    let [before, after] = times[..] else {
        anyhow::bail!("{} processors in {}", times.len(), output.stdout);
    };
    Ok((after - before) as f64 / 1e9 / WATCHED_S as f64)
}

/// Nanoseconds in which tasks ran, of each processor in `/proc/schedstat`.
fn run_times(text: &str) -> Result<Vec<u64>> {
    let lines = text.lines().filter(|line| line.starts_with("cpu"));
    lines
        .map(|line| {
            let time = line.split_whitespace().nth(7);
            Ok(time.context("schedstat is too short")?.parse()?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_processors() {
        let text = "version 17\ntimestamp 1\ncpu0 0 0 0 0 0 0 12345 6 7\ndomain0 1\n";
        assert_eq!(run_times(text).unwrap(), [12345]);
        assert!(run_times("cpu0 1 2\n").is_err());
    }
}
