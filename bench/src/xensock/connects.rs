// SPDX-License-Identifier: GPL-2.0
//! How many connections a second can be made, used for a byte and closed, one after the other.

use super::pair::{Pair, Way, number};
use crate::metric::Metric;
use anyhow::Result;

const ROUNDS: usize = 12;
const COUNT: usize = 200;
const WAYS: [Way; 4] = [Way::Netfront, Way::Vchan, Way::Unix, Way::Ours];

pub fn measure(pair: &Pair) -> Result<Vec<Metric>> {
    let runs = pair.alternate(
        ROUNDS,
        &WAYS,
        |way| {
            // These take long, dom0 having a part in each.
            let few = matches!(way, Way::Netfront | Way::Vchan);
            let count = if few { COUNT / 10 } else { COUNT };
            let answer = pair.load(way, "connects", &[count.to_string()])?;
            Ok(count as f64 / (number(&answer, "ns")? / 1e9))
        },
        |rate| format!("{rate:.0}/s"),
    )?;
    let name = pair.metric("connects");
    Ok(runs.metrics(
        |rate| *rate,
        |peer, pairs| Metric::of_rates(&name, "1/s", peer, pairs),
    ))
}
