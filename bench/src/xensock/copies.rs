// SPDX-License-Identifier: GPL-2.0
//! How often each byte of a stream is copied on its way: between a program's memory and the kernel's at both ends, by
//! the programs themselves (libxenvchan), and by Xen from one domain to another (netback).
//!
//! xensock and libxenvchan count what they copy where they do. What TCP copies, probes count by what a call has sent
//! or received; the functions that copy cannot be probed.

use super::pair::{Pair, Way};
use super::streams::stream;
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use bed::Machine;

/// A count hardly varies.
const ROUNDS: usize = 1;
const SIZE: usize = 64 << 10;
const OWN: [&str; 2] = ["sent_bytes", "received_bytes"];
const TRACING: &str = "/sys/kernel/tracing";
const PROBES: [&str; 2] = ["tcp_sendmsg", "tcp_recvmsg"];
const SUM: &str = "hist:keys=common_pid:vals=bytes if bytes > 0";

pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    // What Xen copies is not known otherwise.
    let ways: &[Way] = match pair.counts_hypercalls() {
        true => &[Way::Netfront, Way::Vchan, Way::Ours],
        false => &[Way::Vchan, Way::Ours],
    };
    for machine in pair.ends(Way::Netfront)? {
        probe(&machine)?;
    }
    let runs = pair.alternate(
        ROUNDS,
        ways,
        |way| once(pair, way),
        |copies| format!("{copies:.4} copies/MiB"),
    )?;
    let name = pair.metric("copies-per-mib");
    Ok(runs.metrics(
        |copies| *copies,
        |peer, pairs| Metric::of_costs(&name, "copies/MiB", peer, pairs),
    ))
}

fn once(pair: &Pair, way: Way) -> Result<f64> {
    let before = copied(pair, way)?;
    let stream = stream(pair, way, SIZE, 1)?;
    let kernels = copied(pair, way)? - before;
    let xens = stream.calls.map_or(0, |calls| calls.copied());
    let all = (kernels + xens) as f64 + stream.copied;
    Ok(all / f64::from(1 << 20) / stream.mib)
}

/// Has the kernel sum up what TCP copies.
fn probe(machine: &Machine<'_>) -> Result<()> {
    let lines = PROBES.map(|name| format!("r:bed_{name} {name} bytes=$retval:s64\n"));
    machine.write(&format!("{TRACING}/kprobe_events"), &lines.concat())?;
    for name in PROBES {
        let path = format!("{TRACING}/events/kprobes/bed_{name}/trigger");
        machine.write(&path, SUM)?;
    }
    Ok(())
}

/// Bytes that the kernels at both ends have copied so far.
fn copied(pair: &Pair, way: Way) -> Result<u64> {
    let mut sum = 0;
    for machine in pair.ends(way)? {
        sum += match way {
            Way::Ours => own(&machine)?,
            Way::Netfront => probed(&machine)?,
            _ => 0,
        };
    }
    Ok(sum)
}

fn own(machine: &Machine<'_>) -> Result<u64> {
    let number = |name| machine.read_number(&format!("/sys/class/misc/xensock/info/{name}"));
    OWN.iter().map(number).sum()
}

fn probed(machine: &Machine<'_>) -> Result<u64> {
    let profile = machine.read(&format!("{TRACING}/kprobe_profile"))?;
    ensure!(none_missed(&profile), "calls were missed: {profile:?}");
    let bytes = |name| {
        let path = format!("{TRACING}/events/kprobes/bed_{name}/hist");
        bytes_in(&machine.read(&path)?).context(path)
    };
    PROBES.iter().map(bytes).sum()
}

/// A line has a probe's name, its hits, and those that were missed.
fn none_missed(profile: &str) -> bool {
    let mut lines = profile.lines();
    lines.all(|line| line.split_whitespace().nth(2) == Some("0"))
}

/// What a histogram has, all processes together.
fn bytes_in(text: &str) -> Result<u64> {
    let mut sum = 0;
    for line in text.lines() {
        if let Some((_, bytes)) = line.split_once(" bytes:") {
            sum += bytes.trim().parse::<u64>()?;
        }
    }
    ensure!(text.contains("Dropped: 0"), "not all was counted");
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_summed() {
        let text = "# event histogram\n#\n# trigger info: hist:keys=common_pid:vals=hitcount,bytes:sort=hitcount\n#\n\n\
             { common_pid:        312 } hitcount:          1  bytes:         16\n\
             { common_pid:        310 } hitcount:         17  bytes:      65536\n\n\
             Totals:\n    Hits: 18\n    Entries: 2\n    Dropped: 0\n";
        assert_eq!(bytes_in(text).unwrap(), 65552);
        assert!(bytes_in(&text.replace("Dropped: 0", "Dropped: 1")).is_err());
        assert!(bytes_in(&text.replace("65536", "many")).is_err());
    }

    #[test]
    fn what_was_missed_is_seen() {
        let profile = "  bed_tcp_sendmsg      512     0\n  bed_tcp_recvmsg  7   0\n";
        assert!(none_missed(profile));
        assert!(!none_missed(&profile.replace("7   0", "7   1")));
    }
}
