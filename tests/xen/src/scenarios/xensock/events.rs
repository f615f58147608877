// SPDX-License-Identifier: GPL-2.0
//! A peer that sends more events than it may is heard later: nothing is lost.

use super::Ends;
use super::knobs::Knobs;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

const MOST_HZ: &str = "10";
/// The load goes there and back a tenth more often.
const COUNT: &str = "40";
/// After every second event that is too many the next one waits for a tick: Linux forgets by then that there were
/// others before (`xen_irq_lateeoi_worker`). This is half of that for each, where a tick is 4 ms.
const AT_LEAST: Duration = Duration::from_millis(1);

/// Round trips wait for events at the server.
pub fn events(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _server = ends.server.serve("vsock")?;
    super::fate::reach(ends)?;
    let there = ends.there("vsock")?;
    let run = || -> Result<(u64, Duration)> {
        let (before, start) = (ends.server.figure("over_events")?, Instant::now());
        ends.client.load("pingpong", &there, &["64", COUNT])?;
        Ok((ends.server.figure("over_events")? - before, start.elapsed()))
    };
    let (over, _) = run()?;
    ensure!(over == 0, "{over} events are too many, of any number");
    ends.server.set("events_per_link_hz", MOST_HZ)?;
    let (over, elapsed) = run()?;
    println!("# {ends}: {COUNT} round trips in {elapsed:?}, {over} events too many");
    ensure!(over > 0, "none was too many");
    ensure!(
        elapsed >= AT_LEAST * over as u32,
        "they were not put off: {elapsed:?}"
    );
    ends.server.set("events_per_link_hz", "0")?;
    let (over, _) = run()?;
    ensure!(over == 0, "{over} events are too many, of any number");
    Ok(())
}
