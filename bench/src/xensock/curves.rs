// SPDX-License-Identifier: GPL-2.0
//! How fast streams go by the size of writes, and by the number of sockets with writes of 64 KiB.

use super::pair::{Pair, Way};
use super::streams::stream;
use crate::metric::Metric;
use anyhow::Result;

const ROUNDS: usize = 3;
const SIZES: [usize; 8] = [
    64,
    256,
    1 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
];
const SOCKETS: [usize; 4] = [1, 2, 4, 8];
const SIZE: usize = 64 << 10;

pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    let mut metrics = Vec::new();
    for size in SIZES {
        let ways = [Way::Netfront, Way::Vchan, Way::Unix, Way::Ours];
        metrics.extend(point(
            pair,
            &ways,
            &format!("stream-by-size@{size}"),
            size,
            1,
        )?);
    }
    for sockets in SOCKETS {
        // A channel of libxenvchan is one.
        let ways = [Way::Netfront, Way::Unix, Way::Ours];
        metrics.extend(point(
            pair,
            &ways,
            &format!("stream-by-sockets@{sockets}"),
            SIZE,
            sockets,
        )?);
    }
    Ok(metrics)
}

fn point(
    pair: &Pair,
    ways: &[Way],
    name: &str,
    size: usize,
    sockets: usize,
) -> Result<Vec<Metric>> {
    let runs = pair.alternate(
        ROUNDS,
        ways,
        |way| Ok(stream(pair, way, size, sockets)?.mib_per_s),
        |rate| format!("{rate:.1} MiB/s ({name})"),
    )?;
    let name = pair.metric(name);
    Ok(runs.metrics(
        |rate| *rate,
        |peer, pairs| Metric::of_rates(&name, "MiB/s", peer, pairs),
    ))
}
