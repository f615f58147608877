// SPDX-License-Identifier: GPL-2.0
//! Hypercalls of domains during streams, counted by a plugin of QEMU's (`tests/xen/emulator/hypercalls.c`).

use super::Runs;
use super::pair::{Pair, Way};
use super::streams::stream;
use crate::metric::Metric;
use crate::plugin::Plugin;
use anyhow::{Context, Result};

const ROUNDS: usize = 12;
const SIZE: usize = 64 << 10;
const WAYS: [Way; 4] = [Way::Netfront, Way::Vchan, Way::Unix, Way::Ours];

/// Hypercalls by their number, and then the bytes that Xen copies by grants, for each processor.
const NUMBERS: usize = 64;
const COUNTS: usize = NUMBERS + 1;

/// What a transport asks for itself (`include/xen/interface/xen.h`): `memory_op`, `grant_table_op`,
/// `event_channel_op`.
const OWN: [usize; 3] = [12, 20, 32];

/// Names of those that are seen, from the same header.
const NAMES: [(usize, &str); 15] = [
    (1, "mmu_update"),
    (3, "stack_switch"),
    (5, "fpu_taskswitch"),
    (12, "memory_op"),
    (13, "multicall"),
    (14, "update_va_mapping"),
    (17, "xen_version"),
    (18, "console_io"),
    (20, "grant_table_op"),
    (23, "iret"),
    (24, "vcpu_op"),
    (25, "set_segment_base"),
    (26, "mmuext_op"),
    (29, "sched_op"),
    (32, "event_channel_op"),
];

/// The plugin.
pub struct Counter(Plugin);

/// What was counted until some moment, or between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls([u64; COUNTS]);

impl Counter {
    /// Compiles the plugin.
    pub fn prepare() -> Result<Self> {
        Ok(Self(Plugin::prepare("hypercalls")?))
    }

    /// For QEMU's command line.
    pub fn words(&self) -> Vec<String> {
        self.0.words()
    }

    /// What was counted until now, on all processors from number `first` on.
    pub fn read(&self, first: usize) -> Result<Calls> {
        let path = &self.0.out;
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Ok(Calls::of(&bytes, first))
    }
}

impl Calls {
    fn of(bytes: &[u8], first: usize) -> Self {
        let mut counts = [0; COUNTS];
        let words = bytes.chunks_exact(8).enumerate();
        for (at, word) in words.skip(first * COUNTS) {
            let word = word.try_into().map_or(0, u64::from_le_bytes);
            counts[at % COUNTS] += word;
        }
        Self(counts)
    }

    /// What has been counted since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let mut counts = self.0;
        for (count, before) in counts.iter_mut().zip(before.0) {
            *count -= before;
        }
        Self(counts)
    }

    /// All hypercalls.
    pub fn all(&self) -> u64 {
        self.0[..NUMBERS].iter().sum()
    }

    /// Those that a transport makes for itself: events, grants and memory.
    pub fn own(&self) -> u64 {
        OWN.iter().map(|number| self.0[*number]).sum()
    }

    /// How many there are of each for a MiB, those first that are most.
    pub fn told(&self, mib: f64) -> String {
        let mut names = NAMES.map(|(number, name)| (self.0[number], name));
        names.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let named = names.iter().filter(|(count, _)| *count > 0);
        let each = named.map(|(count, name)| format!("{name} {:.3}", *count as f64 / mib));
        each.collect::<Vec<_>>().join(", ")
    }

    /// Bytes that Xen has copied from one domain to another.
    pub fn copied(&self) -> u64 {
        self.0[NUMBERS]
    }
}

/// In a stream.
struct Counted {
    calls: Calls,
    mib: f64,
}

impl Counted {
    fn per_mib(&self, which: fn(&Calls) -> u64) -> f64 {
        which(&self.calls) as f64 / self.mib
    }
}

/// All of them, and those that the transport makes for itself. Within a guest there are none of these.
pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    if !pair.counts_hypercalls() {
        println!("hypercalls are counted under TCG only");
        return Ok(Vec::new());
    }
    let once = |way| {
        let stream = stream(pair, way, SIZE, 1)?;
        Ok(Counted {
            calls: stream.calls.context("hypercalls were not counted")?,
            mib: stream.mib,
        })
    };
    let tell = |run: &Counted| format!("{:.2} hypercalls/MiB", run.per_mib(Calls::all));
    let runs = pair.alternate(ROUNDS, &WAYS, once, tell)?;
    let name = pair.metric("hypercalls-per-mib");
    for (way, runs) in &runs.ways {
        if let Some(last) = runs.last() {
            println!("{name} {}: {}", way.name(), last.calls.told(last.mib));
        }
    }
    let own = metrics(&format!("{name}/own"), &runs, Calls::own);
    let own = own
        .into_iter()
        .filter(|metric| metric.peer_name != Way::Unix.name());
    let all = metrics(&name, &runs, Calls::all);
    Ok(all.into_iter().chain(own).collect())
}

fn metrics(name: &str, runs: &Runs<Counted>, which: fn(&Calls) -> u64) -> Vec<Metric> {
    runs.metrics(
        |run| run.per_mib(which),
        |peer, pairs| Metric::of_costs(name, "hypercalls/MiB", peer, pairs),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_summed() {
        let mut words = [0_u64; 2 * COUNTS];
        words[20] = 3;
        words[23] = 100;
        words[COUNTS + 32] = 5;
        words[COUNTS + NUMBERS] = 4096;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let calls = Calls::of(&bytes, 0);
        assert_eq!((calls.all(), calls.own(), calls.copied()), (108, 8, 4096));
        assert_eq!(
            calls.told(2.0),
            "iret 50.000, event_channel_op 2.500, grant_table_op 1.500"
        );
        words[23] = 90;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let since = calls.since(&Calls::of(&bytes, 0));
        assert_eq!((since.all(), since.own(), since.copied()), (10, 0, 0));
        let second = Calls::of(&bytes, 1);
        assert_eq!((second.all(), second.own()), (5, 5));
    }
}
