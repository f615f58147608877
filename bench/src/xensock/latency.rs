// SPDX-License-Identifier: GPL-2.0
//! How long 64 bytes take there and back, by the clock of the guest that sends them.

use super::pair::{Pair, Way, number};
use crate::metric::Metric;
use anyhow::Result;

const ROUNDS: usize = 12;
const SIZE: usize = 64;
const COUNT: usize = 500;
const WAYS: [Way; 4] = [Way::Netfront, Way::Vchan, Way::Unix, Way::Ours];
/// Beside whom ours is run where it looks for data before it sleeps.
const BUSY_WAYS: [Way; 2] = [Way::Vchan, Way::Ours];
/// Longer than anybody here takes to answer.
const BUSY_US: u32 = 2000;

pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    let mut metrics = round_trips(pair, &WAYS, "")?;
    if pair.has_ours() {
        pair.busy_poll(BUSY_US)?;
        metrics.extend(round_trips(pair, &BUSY_WAYS, "/busy-poll")?);
        pair.busy_poll(0)?;
    }
    Ok(metrics)
}

fn round_trips(pair: &Pair, ways: &[Way], how: &str) -> Result<Vec<Metric>> {
    let runs = pair.alternate(
        ROUNDS,
        ways,
        |way| {
            let arguments = [SIZE.to_string(), COUNT.to_string()];
            let answer = pair.load(way, "pingpong", &arguments)?;
            let us = |name| Ok::<_, anyhow::Error>(number(&answer, name)? / 1000.0);
            Ok((us("p50")?, us("p99")?))
        },
        |(p50, p99)| format!("{p50:.0} and {p99:.0} us"),
    )?;
    let make = |name: &str, figure: fn(&(f64, f64)) -> f64| {
        let name = pair.metric(&format!("{name}{how}"));
        runs.metrics(figure, |peer, pairs| {
            Metric::of_costs(&name, "us", peer, pairs)
        })
    };
    let (p50, p99) = (
        make("rtt-64-p50", |run| run.0),
        make("rtt-64-p99", |run| run.1),
    );
    Ok([p50, p99].concat())
}
