// SPDX-License-Identifier: GPL-2.0
//! The kernel tree's own load, `tools/testing/vsock/vsock_perf`, between two guests, and within one over the kernel's
//! loopback.

use super::pair::{PORT, Pair, Way};
use crate::metric::Metric;
use anyhow::{Context, Result, bail};
use bed::{Machine, tools};
use std::time::Duration;

const ROUNDS: usize = 12;
const WAYS: [Way; 2] = [Way::Loopback, Way::Ours];
const BYTES: &str = "--bytes=512M";
const AT_ONCE: &str = "--buf-size=64K";
const OUTPUT: &str = "/tmp/perf";
/// What a receiver says in the end, and then how many Gbit it had in a second.
const TOLD: &str = "rx performance: ";
const MIB_OF_GBIT: f64 = 1e9 / 8.0 / 1_048_576.0;
/// How often the sender is tried, as nothing tells when the receiver listens, and how often it is looked for its end.
const TRIES: u32 = 200;
const POLL: Duration = Duration::from_millis(50);
const RUN: Duration = Duration::from_secs(60);
const SIGTERM: i32 = 15;

pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    let runs = pair.alternate(
        ROUNDS,
        &WAYS,
        |way| received(pair, way),
        |mib_per_s| format!("{mib_per_s:.0} MiB/s"),
    )?;
    let name = pair.metric("vsock-perf-64k");
    let figure = |mib_per_s: &f64| *mib_per_s;
    Ok(runs.metrics(figure, |peer, pairs| {
        Metric::of_rates(&name, "MiB/s", peer, pairs)
    }))
}

/// Runs it at both ends; answers what the receiver had, in MiB/s.
fn received(pair: &Pair, way: Way) -> Result<f64> {
    let server = pair.server(way)?;
    let port = format!("--port={}", PORT + 1);
    let receiver = tools::command(&["vsock_perf", &port, AT_ONCE]);
    let pid = server.spawn(&receiver, OUTPUT)?;
    let sent = send(pair, way, &port);
    let told = sent.and_then(|()| told(&server));
    if told.is_err() {
        server.kill(pid, SIGTERM)?;
    }
    told
}

fn send(pair: &Pair, way: Way, port: &str) -> Result<()> {
    let client = pair.client(way)?;
    let cid = format!("--sender={}", pair.cid(way)?);
    let sender = tools::command(&["vsock_perf", &cid, port, BYTES, AT_ONCE]);
    for _ in 0..TRIES {
        let output = client.run_within(&sender, RUN)?;
        if output.status == 0 {
            return Ok(());
        }
        if !output.stderr.contains("Connection re") {
            bail!("{output:?}");
        }
        std::thread::sleep(POLL);
    }
    bail!("nobody listens")
}

fn told(server: &Machine<'_>) -> Result<f64> {
    for _ in 0..TRIES {
        let text = server.read(OUTPUT)?;
        let mut lines = text.lines();
        if let Some(line) = lines.find_map(|line| line.strip_prefix(TOLD)) {
            let word = line.split(' ').next().context("no number")?;
            let gbit: f64 = word.parse().with_context(|| text.clone())?;
            return Ok(gbit * MIB_OF_GBIT);
        }
        std::thread::sleep(POLL);
    }
    bail!("the receiver does not end: {}", server.read(OUTPUT)?)
}
