// SPDX-License-Identifier: GPL-2.0
//! How fast a stream goes in writes of 64 KiB, and how many events that takes at all ends together: in both guests,
//! and for netfront also in dom0.

use super::hypercalls::Calls;
use super::pair::{Pair, Way, number};
use crate::metric::Metric;
use anyhow::{Context, Result};

const ROUNDS: usize = 12;
const SIZE: usize = 64 << 10;
const WAYS: [Way; 4] = [Way::Netfront, Way::Vchan, Way::Unix, Way::Ours];

/// A stream that came to its end.
pub struct Stream {
    pub mib: f64,
    pub mib_per_s: f64,
    pub events_per_mib: f64,
    /// Meanwhile, where they are counted.
    pub calls: Option<Calls>,
    /// Bytes that the programs at both ends have copied themselves, beside the kernels.
    pub copied: f64,
}

impl Stream {
    fn told(&self) -> String {
        let Self {
            mib_per_s,
            events_per_mib,
            ..
        } = self;
        format!("{mib_per_s:.0} MiB/s {events_per_mib:.2} events/MiB")
    }
}

pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    let runs = pair.alternate(
        ROUNDS,
        &WAYS,
        |way| stream(pair, way, SIZE, 1),
        Stream::told,
    )?;
    let name = pair.metric("stream-64k");
    let mut metrics = runs.metrics(
        |run| run.mib_per_s,
        |peer, pairs| Metric::of_rates(&name, "MiB/s", peer, pairs),
    );
    let name = pair.metric("events-per-mib");
    let events = runs.metrics(
        |run| run.events_per_mib,
        |peer, pairs| Metric::of_costs(&name, "events/MiB", peer, pairs),
    );
    // Within a guest there are none.
    metrics.extend(
        events
            .into_iter()
            .filter(|metric| metric.peer_name != Way::Unix.name()),
    );
    metrics.extend(costs(pair)?);
    Ok(metrics)
}

/// What bounds any transport of the kernel's: a system call, and one that copies as much as a write does.
fn costs(pair: &Pair) -> Result<[Metric; 2]> {
    let answer = pair.costs()?;
    let us = |name, of| {
        let figure = number(&answer, of)? / 1e3;
        let name = pair.metric(name);
        Ok::<_, anyhow::Error>(Metric::alone(
            &name,
            "us",
            "of the guest itself",
            vec![figure],
        ))
    };
    Ok([us("system-call", "call_ns")?, us("copy-64k", "copy_ns")?])
}

/// Writes so many bytes at once for a second, over so many sockets.
pub fn stream(pair: &Pair, way: Way, size: usize, sockets: usize) -> Result<Stream> {
    let mut arguments = vec![size.to_string()];
    match way {
        Way::Vchan => arguments.push("1000".into()),
        _ => arguments.extend(["1000ms".into(), sockets.to_string()]),
    }
    let before = events(pair, way)?;
    let calls_before = pair.hypercalls(way)?;
    let answer = pair.load(way, "stream", &arguments)?;
    let calls = pair.hypercalls(way)?;
    let events = events(pair, way)? - before;
    let mib = number(&answer, "bytes")? / f64::from(1 << 20);
    Ok(Stream {
        mib,
        calls: calls
            .zip(calls_before)
            .map(|(calls, before)| calls.since(&before)),
        copied: answer["copied"].as_f64().unwrap_or(0.0),
        mib_per_s: mib / (number(&answer, "ns")? / 1e9),
        events_per_mib: events as f64 / mib,
    })
}

fn events(pair: &Pair, way: Way) -> Result<u64> {
    let mut sum = 0;
    for machine in pair.ends(way)? {
        // The bed's own.
        let others = |name: &str| !["hvc_console", "xenbus", "blkif"].contains(&name);
        sum += events_in(&machine.read("/proc/interrupts")?, others)?;
    }
    if way == Way::Netfront {
        let text = pair.dom0().read("/proc/interrupts")?;
        sum += events_in(&text, |name| name.starts_with("vif"))?;
    }
    Ok(sum)
}

/// How many events have come on dynamic event channels, of those whose names are wanted.
fn events_in(text: &str, wanted: impl Fn(&str) -> bool) -> Result<u64> {
    let head = text.lines().next().context("nothing there")?;
    let cpus = head.split_whitespace().count();
    let mut sum = 0;
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(counts) = words.get(1..=cpus) else {
            continue;
        };
        let rest = &words[cpus + 1..];
        let is_event = rest.first().is_some_and(|chip| chip.starts_with("xen-dyn"));
        if is_event && rest.last().is_some_and(|name| wanted(name)) {
            for count in counts {
                sum += count.parse::<u64>()?;
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_summed() {
        let text = "           CPU0       CPU1\n \
             0:         17          1   IO-APIC   2-edge      timer\n \
             48:       1000          1  xen-percpu    -virq      timer0\n \
             55:        300          2   xen-dyn    -event     hvc_console\n \
             56:         40          2   xen-dyn    -event     eth0-q0-tx\n \
             57:          5          0   xen-dyn-lateeoi    -event     xensock\n\
             NMI:          0          0   Non-maskable interrupts\n\
             ERR:          0\n";
        assert_eq!(events_in(text, |name| name != "hvc_console").unwrap(), 47);
        assert_eq!(events_in(text, |name| name.starts_with("eth")).unwrap(), 42);
    }
}
