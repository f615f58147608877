// SPDX-License-Identifier: GPL-2.0
//! Our balloon beside the driver built into the kernel: the same guest, the same moves, in turn.

use crate::metric::Metric;
use anyhow::{Context, Result};
use bed::balloon::{BUILTIN, SYSFS};
use bed::{Bed, Guest, Host, Machine, Until, Write};
use std::time::Duration;

const PAIRS: usize = 5;
const BIG_MIB: u64 = 512;
const SMALL_MIB: u64 = 256;
const POLL: Duration = Duration::from_millis(2);
const LIMIT: Duration = Duration::from_secs(120);
const PEER: &str = "drivers/xen/balloon.c";

/// A driver's files in a guest.
struct Driver {
    target: String,
    current: String,
}

impl Driver {
    fn at(folder: &str) -> Self {
        Self {
            target: format!("{folder}/target_kb"),
            current: format!("{folder}/info/current_kb"),
        }
    }

    /// Moves to a target; answers MiB/s, by the guest's clock.
    fn go(&self, guest: &Machine<'_>, from_kb: u64, to_kb: u64) -> Result<f64> {
        let text = to_kb.to_string();
        let write = Write {
            path: &self.target,
            text: &text,
        };
        let until = Until {
            path: &self.current,
            equals: &text,
            poll: POLL,
            limit: LIMIT,
        };
        let elapsed = guest.write_then_wait(write, until)?;
        Ok(from_kb.abs_diff(to_kb) as f64 / 1024.0 / elapsed.as_secs_f64())
    }
}

/// Take and give, MiB/s.
type Run = (f64, f64);

/// Boots a guest of each kind in turn and measures there.
pub fn run(accel: &str) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for guest in [Guest::pv("pv"), Guest::pvh("pvh")] {
        let name = guest.name().to_string();
        let guest = guest.memory_mib(BIG_MIB as u32).module("xenballoon");
        let host = Host::new(&format!("bench-{name}")).limit(Duration::from_secs(600));
        println!("{name}: booting");
        let bed = Bed::boot(host.accel(accel).guest(guest))?;
        let pairs = measure(&bed, &name)?;
        let part = |which: fn(&Run) -> f64| -> Vec<(f64, f64)> {
            pairs
                .iter()
                .map(|(ours, peer)| (which(ours), which(peer)))
                .collect()
        };
        let (take, give) = (part(|run| run.0), part(|run| run.1));
        metrics.push(Metric::of_rates(
            &format!("{name}/take"),
            "MiB/s",
            PEER,
            &take,
        ));
        metrics.push(Metric::of_rates(
            &format!("{name}/give"),
            "MiB/s",
            PEER,
            &give,
        ));
        bed.power_off();
    }
    Ok(metrics)
}

fn measure(bed: &Bed, name: &str) -> Result<Vec<(Run, Run)>> {
    let guest = bed.guest(name)?;
    let (ours, peer) = (Driver::at(SYSFS), Driver::at(BUILTIN));
    let big = guest.read_number(&peer.current)?;
    let small = big - (BIG_MIB - SMALL_MIB) * 1024;
    let both = |driver: &Driver| -> Result<Run> {
        Ok((
            driver.go(&guest, big, small)?,
            driver.go(&guest, small, big)?,
        ))
    };
    // The first time round the guest's memory is touched for the first time: not counted.
    both(&peer)?;
    let mut pairs = Vec::new();
    for round in 1..=PAIRS {
        let peer = both(&peer).context(PEER)?;
        guest.insmod("xenballoon", &[])?;
        let ours = both(&ours).context("xenballoon")?;
        guest.rmmod("xenballoon")?;
        println!(
            "{name} {round}/{PAIRS}: take {:.0} beside {:.0}, give {:.0} beside {:.0} MiB/s",
            ours.0, peer.0, ours.1, peer.1
        );
        pairs.push((ours, peer));
    }
    Ok(pairs)
}
