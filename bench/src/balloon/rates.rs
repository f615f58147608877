// SPDX-License-Identifier: GPL-2.0
//! How fast half of a guest is taken and given back.

use super::{Both, PEER, Trip, each};
use crate::metric::Metric;
use anyhow::Result;

const ROUNDS: usize = 10;
const MOVE_KB: u64 = 256 << 10;

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let take = |trip: &Trip| trip.mib_per_s(trip.take);
    let give = |trip: &Trip| trip.mib_per_s(trip.give);
    let pairs = both.alternate(
        ROUNDS,
        |driver| both.there_and_back(driver, MOVE_KB),
        |trip| format!("take {:.0}, give {:.0} MiB/s", take(trip), give(trip)),
    )?;
    Ok(vec![
        Metric::of_rates(&both.metric("take"), "MiB/s", PEER, &each(&pairs, take)),
        Metric::of_rates(&both.metric("give"), "MiB/s", PEER, &each(&pairs, give)),
    ])
}
