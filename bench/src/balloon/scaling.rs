// SPDX-License-Identifier: GPL-2.0
//! What a GiB costs when less or more is moved at once.

use super::{Both, PEER, Trip, each};
use crate::metric::Metric;
use anyhow::Result;

const ROUNDS: usize = 1;
const SIZES_MIB: [u64; 4] = [256, 512, 1024, 1536];

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let take = |trip: &Trip| trip.ms_per_gib(trip.take);
    let give = |trip: &Trip| trip.ms_per_gib(trip.give);
    let mut metrics = Vec::new();
    for mib in SIZES_MIB {
        let pairs = both.alternate(
            ROUNDS,
            |driver| both.there_and_back(driver, mib << 10),
            |trip| {
                let (take, give) = (take(trip), give(trip));
                format!("{mib} MiB: take {take:.0}, give {give:.0} ms/GiB")
            },
        )?;
        for (what, pairs) in [("take", each(&pairs, take)), ("give", each(&pairs, give))] {
            let name = both.metric(&format!("{what}-ms-per-gib@{mib}"));
            metrics.push(Metric::of_costs(&name, "ms/GiB", PEER, &pairs));
        }
    }
    Ok(metrics)
}
