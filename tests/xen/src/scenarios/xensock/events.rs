// SPDX-License-Identifier: GPL-2.0
//! A peer that sends more events than it may is heard later: nothing is lost.

use super::knobs::Knobs;
use super::{Ends, fate, wait_until};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Limits that any machine goes beyond, and how often the load then goes there and back: for some seconds.
const ROUNDS: [(u32, &str); 3] = [(15, "90"), (10, "60"), (3, "20")];

/// What the server has counted.
struct Run {
    /// Events of all links: there is only one that does anything.
    events: u64,
    over: u64,
    /// That it took, at least.
    elapsed: Duration,
}

/// Round trips wait for events at the server.
pub fn events(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _server = ends.server.serve("vsock")?;
    fate::reach(ends)?;
    let Run { over, .. } = run(ends, ROUNDS[0].1)?;
    ensure!(over == 0, "{over} events are too many, of any number");
    for (limit, count) in ROUNDS {
        ends.server.set("events_per_link_hz", &limit.to_string())?;
        keeps(ends, limit, count)?;
    }
    ends.server.set("events_per_link_hz", "0")?;
    let Run { over, .. } = run(ends, ROUNDS[0].1)?;
    ensure!(over == 0, "{over} events are too many, of any number");
    Ok(())
}

/// The server is saved while it holds back what the client sends.
pub fn restored(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _server = ends.server.serve("vsock")?;
    fate::reach(ends)?;
    let there = ends.there("vsock")?;
    let _busy = ends
        .client
        .start_load("pingpong", &there, &["64", "1000000"])?;
    let before = ends.server.figure("over_events")?;
    ends.server.set("events_per_link_hz", "1")?;
    wait_until("events that are too many", || {
        Ok(ends.server.figure("over_events")? > before + 1)
    })?;
    fate::save_and_restore(ends, |save| save())?;
    ends.server.set("events_per_link_hz", "0")?;
    fate::reach_both_ways(ends)
}

/// Not more events come than the limit allows; each round trip is done.
fn keeps(ends: &Ends<'_>, limit: u32, count: &str) -> Result<()> {
    let run = run(ends, count)?;
    // A tenth of a second has its share at once, and one is too many.
    let most = run.elapsed.as_secs_f64() * f64::from(limit) + f64::from((limit / 10).max(1) + 1);
    println!(
        "# {ends}: {limit}/s: {count} round trips in {:?}, {} events, {} too many",
        run.elapsed, run.events, run.over
    );
    ensure!(run.over > 0, "none was too many");
    ensure!(
        run.events as f64 <= most,
        "{} events, and {most} may come",
        run.events
    );
    Ok(())
}

fn run(ends: &Ends<'_>, count: &str) -> Result<Run> {
    let start = Instant::now();
    let figure = |name| ends.server.figure(name);
    let (events, over) = (figure("events_received")?, figure("over_events")?);
    let there = ends.there("vsock")?;
    ends.client.load("pingpong", &there, &["64", count])?;
    Ok(Run {
        events: figure("events_received")? - events,
        over: figure("over_events")? - over,
        elapsed: start.elapsed(),
    })
}
