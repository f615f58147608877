// SPDX-License-Identifier: GPL-2.0
//! What memory a connection takes, at both ends together, when it has carried one byte and then nothing.

use super::pair::{Pair, Way};
use crate::metric::Metric;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const SOCKETS: usize = 400;
/// Of libxenvchan every channel is as large as it was made.
const WAYS: [Way; 3] = [Way::Netfront, Way::Unix, Way::Ours];
const OUTPUT: &str = "/tmp/hold";
const SIGTERM: i32 = 15;
const SETTLE: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(50);
/// Until all are open: TCP through dom0 opens a few a second.
const LIMIT: Duration = Duration::from_secs(180);

pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    let runs = pair.alternate(
        ROUNDS,
        &WAYS,
        |way| once(pair, way),
        |kib| format!("{kib:.1} KiB"),
    )?;
    let name = pair.metric("idle-socket");
    Ok(runs.metrics(
        |kib| *kib,
        |peer, pairs| Metric::of_costs(&name, "KiB", peer, pairs),
    ))
}

fn once(pair: &Pair, way: Way) -> Result<f64> {
    let client = pair.client(way)?;
    // What the first socket of its kind makes and keeps is not counted.
    hold(pair, way, 1, || Ok(()))?;
    let before = free_kib(pair, way)?;
    let mut after = before;
    hold(pair, way, SOCKETS, || {
        after = free_kib(pair, way)?;
        Ok(())
    })
    .with_context(|| format!("{}: {SOCKETS} sockets", client.name()))?;
    Ok((before as f64 - after as f64) / SOCKETS as f64)
}

/// Does something while so many sockets are open.
fn hold(
    pair: &Pair,
    way: Way,
    count: usize,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<()> {
    let client = pair.client(way)?;
    let words = pair.words(way, "hold", &[count.to_string()])?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let pid = client.spawn(&words, OUTPUT)?;
    let held = (|| {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if client.read(OUTPUT)?.contains("held") {
                std::thread::sleep(SETTLE);
                return meanwhile();
            }
            std::thread::sleep(POLL);
        }
        anyhow::bail!("not held: {}", client.read(OUTPUT)?)
    })();
    // A client that could not hold them all has ended.
    let _ = client.kill(pid, SIGTERM);
    pair.load(way, "release", &[])?;
    std::thread::sleep(SETTLE);
    held
}

/// Free memory at all ends.
fn free_kib(pair: &Pair, way: Way) -> Result<u64> {
    let mut sum = 0;
    for machine in pair.ends(way)? {
        let text = machine.read("/proc/meminfo")?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemFree:"));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        sum += word.context("no MemFree")?.parse::<u64>()?;
    }
    Ok(sum)
}
