// SPDX-License-Identifier: GPL-2.0
//! Memory that the guest does not use any more and that goes back to the host by itself: how soon, and what it
//! costs to look for it.

use super::{Both, LIMIT, POLL};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use bed::Until;
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
/// How long the cost of being loaded is watched.
const WATCHED_S: u64 = 40;
/// For what the last command has set off to end.
const SETTLE_S: u64 = 5;
const WHY_ALONE: &str = "drivers/xen/balloon.c: has nothing like it";

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let (mut times, mut costs) = (Vec::new(), Vec::new());
    let rounds = both.rounds.unwrap_or(ROUNDS);
    for round in 1..=rounds {
        both.guest.insmod("xenballoon", &[])?;
        let time = back(both)?;
        unload(both)?;
        empty(both, "/used")?;
        let cost = idle_cost(both)?;
        println!(
            "{} {round}/{rounds}: 90 % of 1 GiB is back after {time:.2} s, at rest it takes {:.5} of a processor \
             and wakes workers {:.1} times a minute; noise {:.5}",
            both.guest.name(),
            cost.share,
            cost.wakes,
            cost.noise,
        );
        times.push(time);
        costs.push(cost);
    }
    let metric = |name: &str, unit: &str, runs: Vec<f64>| {
        Metric::alone(&both.metric(name), unit, WHY_ALONE, runs)
    };
    let each = |figure: fn(&Cost) -> f64| costs.iter().map(figure).collect();
    Ok(vec![
        metric("auto-return-1gib", "s", times),
        metric("idle-cpu", "share", each(|cost| cost.share)),
        metric("idle-cpu-noise", "share", each(|cost| cost.noise)),
        metric("idle-wakes", "1/min", each(|cost| cost.wakes)),
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

/// What the module takes of a guest in which nothing happens.
struct Cost {
    /// Of a processor's time.
    share: f64,
    /// How often a minute a worker is woken.
    wakes: f64,
    /// How far two measurements without the module are apart.
    noise: f64,
}

/// Measures with the module and the return switched on, between two measurements without the module.
fn idle_cost(both: &Both<'_>) -> Result<Cost> {
    let before = watch(both)?;
    both.guest.insmod("xenballoon", &["auto_return=1"])?;
    come_to_rest(both)?;
    let with = watch(both)?;
    unload(both)?;
    let after = watch(both)?;
    let minute = 60.0 / WATCHED_S as f64;
    Ok(Cost {
        share: with.share - (before.share + after.share) / 2.0,
        wakes: (with.wakes - (before.wakes + after.wakes) / 2.0) * minute,
        noise: (before.share - after.share).abs(),
    })
}

/// Unloads the module when it has given all back.
fn unload(both: &Both<'_>) -> Result<()> {
    switch(both, false)?;
    both.guest.wait_for(Until {
        path: &both.ours.current,
        equals: &both.big_kb.to_string(),
        poll: POLL,
        limit: LIMIT,
    })?;
    both.guest.rmmod("xenballoon")
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

/// What the kernel's workers have done meanwhile: they run all that the module does when it is asked nothing.
struct Work {
    share: f64,
    wakes: f64,
}

/// Watches the workers of a guest in which nothing else runs.
fn watch(both: &Both<'_>) -> Result<Work> {
    let line = format!(
        "sleep {SETTLE_S}; workers=$(grep -l ^kworker /proc/[0-9]*/comm)
         look() {{ for worker in $workers; do cat ${{worker%comm}}schedstat; done; echo; }}
         before=$(look); sleep {WATCHED_S}; after=$(look); echo \"$before\"; echo; echo \"$after\""
    );
    let limit = Duration::from_secs(WATCHED_S) + FILL_LIMIT;
    let output = both.guest.run_within(&["sh", "-c", &line], limit)?.ok()?;
    let (before, after) = output.stdout.split_once("\n\n").context(line)?;
    let (before, after) = (totals(before)?, totals(after)?);
    Ok(Work {
        share: (after.0 - before.0) as f64 / 1e9 / WATCHED_S as f64,
        wakes: (after.1 - before.1) as f64,
    })
}

/// Nanoseconds that tasks ran, and how often, from their `/proc/<pid>/schedstat`.
fn totals(text: &str) -> Result<(u64, u64)> {
    let (mut time, mut times) = (0, 0);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [ran, _, turns] = words[..] else {
            anyhow::bail!("no schedstat: {line:?}");
        };
        time += ran.parse::<u64>()?;
        times += turns.parse::<u64>()?;
    }
    Ok((time, times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_summed_up() {
        assert_eq!(totals("100 7 3\n20 0 1\n").unwrap(), (120, 4));
        assert!(totals("100 7\n").is_err());
    }
}
