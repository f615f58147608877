// SPDX-License-Identifier: GPL-2.0
//! Busy polling saves events, where each end has a processor for itself.

use super::Ends;
use super::knobs::Knobs;
use anyhow::{Context, Result, ensure};

const MOST_US: &str = "10000";
const COUNT: &str = "200";

/// Round trips with it and without.
pub fn busy(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _server = ends.server.serve("vsock")?;
    super::fate::reach(ends)?;
    let there = ends.there("vsock")?;
    let run = || -> Result<(u64, u64)> {
        let before = ends.client.figure("events_received")?;
        let answer = ends.client.load("pingpong", &there, &["64", COUNT])?;
        let p50 = answer["p50"].as_u64().context("no p50")?;
        Ok((ends.client.figure("events_received")? - before, p50 / 1000))
    };
    let without = run()?;
    for end in [&ends.client, &ends.server] {
        end.set("busy_poll_us", MOST_US)?;
    }
    let with = run()?;
    println!(
        "# {ends}: {COUNT} round trips: {} events and {} us each without, {} and {} with",
        without.0, without.1, with.0, with.1
    );
    let apart = [&ends.client, &ends.server]
        .iter()
        .all(|end| end.machine.name().starts_with("pvh"));
    ensure!(!apart || with.0 < without.0 / 2, "not half as many events");
    Ok(())
}
