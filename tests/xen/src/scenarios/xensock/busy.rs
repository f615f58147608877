// SPDX-License-Identifier: GPL-2.0
//! Busy polling saves events, where each end has a processor for itself.

use super::Ends;
use super::knobs::Knobs;
use anyhow::{Context, Result, ensure};

const MOST_US: &str = "10000";
const COUNT: &str = "200";
/// Of a stream.
const WRITE: &str = "65536";
const AMOUNT: &str = "64MiB";

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
    let stream = || -> Result<u64> {
        let figures = || -> Result<u64> {
            let (client, server) = (&ends.client, &ends.server);
            Ok(client.figure("events_received")? + server.figure("events_received")?)
        };
        let before = figures()?;
        ends.client
            .load("stream", &there, &[WRITE, AMOUNT, "1", "0"])?;
        Ok(figures()? - before)
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

    let streamed = |us: &str| -> Result<u64> {
        for end in [&ends.client, &ends.server] {
            end.default_knobs()?;
            end.set("bulk_poll_us", us)?;
        }
        stream()
    };
    let (without, with) = (streamed("0")?, streamed(MOST_US)?);
    println!("# {ends}: {AMOUNT}: {without} events without, {with} with");
    ensure!(!apart || with < without, "not fewer events");
    Ok(())
}
