// SPDX-License-Identifier: GPL-2.0
//! Sockets between two guests, beside what else carries bytes there: TCP over dom0's bridge, libxenvchan; and
//! beside AF_UNIX within one guest. Every round runs each of them once, in the same boot. What is counted has a boot
//! of its own, as who counts takes time.

mod connects;
mod copies;
mod curves;
mod hypercalls;
mod idle;
mod latency;
mod pair;
mod perf;
mod picture;
mod streams;
mod turns;

use crate::metric::Metric;
use anyhow::{Context, Result};
use bed::{Guest, Kind};
use pair::{Pair, Way};

pub use picture::draw;

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// MiB/s in writes of 64 KiB, and events.
    Streams,
    /// Round trips of 64 bytes.
    Latency,
    /// Connections one after the other.
    Connects,
    /// Memory of sockets that nothing is done with.
    Idle,
    /// MiB/s by the size of writes and by the number of sockets.
    Curves,
    /// How many there are in a stream.
    Hypercalls,
    /// How often a byte is copied.
    Copies,
    /// MiB/s of the kernel tree's vsock_perf.
    Perf,
}

/// What to measure, and how.
pub struct Options {
    /// QEMU's accelerator.
    pub accel: String,
    /// Rounds, instead of each group's own number.
    pub rounds: Option<usize>,
    /// Only these, or all if there are none.
    pub only: Vec<Group>,
    /// Only pairs of such guests, or of each kind if there are none.
    pub pairs: Vec<Kind>,
    /// Without ours: its peers only.
    pub peers: bool,
}

type Measure = fn(&Pair) -> Result<Vec<Metric>>;

/// What shares a boot.
struct Boot {
    /// Whether hypercalls are counted, where they can be.
    counts: bool,
    /// Whether there are more programs.
    tools: bool,
    groups: &'static [(Group, Measure)],
}

const BOOTS: [Boot; 3] = [
    Boot {
        counts: false,
        tools: false,
        groups: &[
            (Group::Streams, streams::measure),
            (Group::Latency, latency::measure),
            (Group::Connects, connects::measure),
            (Group::Idle, idle::measure),
            (Group::Curves, curves::measure),
        ],
    },
    Boot {
        counts: true,
        tools: false,
        // Copies come last: the probes that count them stay.
        groups: &[
            (Group::Hypercalls, hypercalls::measure),
            (Group::Copies, copies::measure),
        ],
    },
    Boot {
        counts: false,
        tools: true,
        groups: &[(Group::Perf, perf::measure)],
    },
];

/// Boots pairs of PV guests, then such of PVH guests, and measures there.
pub fn run(options: &Options) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    let wanted = |kind: &Kind| options.pairs.is_empty() || options.pairs.contains(kind);
    for kind in [Kind::Pv, Kind::Pvh].into_iter().filter(wanted) {
        for boot in &BOOTS {
            metrics.extend(boot.measure(kind, options)?);
        }
    }
    Ok(metrics)
}

impl Boot {
    /// Gives a guest what it needs.
    fn equip(&self, guest: Guest) -> Guest {
        match self.tools {
            true => guest.tools(),
            false => guest,
        }
    }

    /// Boots, if there is anything to be measured that is wanted.
    fn measure(&self, kind: Kind, options: &Options) -> Result<Vec<Metric>> {
        let wanted = |group: &Group| options.only.is_empty() || options.only.contains(group);
        let mut metrics = Vec::new();
        if !self.groups.iter().any(|(group, _)| wanted(group)) {
            return Ok(metrics);
        }
        println!("{kind}: booting");
        let pair = Pair::boot(kind, options, self)?;
        for (group, measure) in self.groups.iter().filter(|(group, _)| wanted(group)) {
            let found = measure(&pair).with_context(|| format!("{kind}: {group:?}"))?;
            metrics.extend(found);
        }
        pair.power_off();
        Ok(metrics)
    }
}

/// Figures of each way, in rounds.
struct Runs<T> {
    ways: Vec<(Way, Vec<T>)>,
}

impl<T> Runs<T> {
    /// One metric for each peer that ours was run beside; without ours there are none.
    fn metrics(
        &self,
        figure: impl Fn(&T) -> f64,
        make: impl Fn(&str, &[(f64, f64)]) -> Metric,
    ) -> Vec<Metric> {
        let ours = self.ways.iter().find(|(way, _)| *way == Way::Ours);
        let Some((_, ours)) = ours else {
            return Vec::new();
        };
        let peers = self.ways.iter().filter(|(way, _)| *way != Way::Ours);
        let metrics = peers.map(|(way, theirs)| {
            let pairs = ours.iter().zip(theirs);
            let pairs: Vec<_> = pairs
                .map(|(ours, peer)| (figure(ours), figure(peer)))
                .collect();
            make(way.name(), &pairs)
        });
        metrics.collect()
    }
}
