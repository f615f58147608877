// SPDX-License-Identifier: GPL-2.0
//! While nothing goes over a link, nothing of the module runs.

use super::{DOM0, End, Ends};
use anyhow::{Result, ensure};
use std::time::Duration;

const EVENT: &str = "/sys/kernel/tracing/events/workqueue/workqueue_execute_start/enable";
const TRACE: &str = "/sys/kernel/tracing/trace";
/// Rings are small again, and whoever has something to look after has done so.
const SETTLE: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(5);

/// A socket is open, another one has made rings grow, and then nobody uses either.
pub fn idle(ends: &Ends<'_>) -> Result<()> {
    let _server = ends.server.serve("vsock")?;
    // Where nothing has connected yet, the first try may take too long.
    super::fate::reach(ends)?;
    let there = ends.there("vsock")?;
    let waiting = ends.client.start_load("await", &there, &[])?;
    waiting.wait_for_word("connected")?;
    // dom0 has no tracefs.
    let both = [&ends.client, &ends.server];
    let traced = both.iter().filter(|end| end.machine.name() != DOM0);
    let traced: Vec<_> = traced.collect();
    for end in &traced {
        end.machine.write(TRACE, "")?;
        end.machine.write(EVENT, "1")?;
    }
    let grown = ends.client.figure("rings_grown")?;
    ends.client
        .load("stream", &there, &["65536", "4MiB", "1", "0"])?;
    ensure!(
        ends.client.figure("rings_grown")? > grown,
        "no ring has grown"
    );
    for end in &traced {
        ensure!(work(end)?.0 > 0, "nothing of the module is traced");
    }
    std::thread::sleep(SETTLE);
    for end in &traced {
        end.machine.write(TRACE, "")?;
        let sent = end.figure("events_sent")?;
        std::thread::sleep(WATCHED);
        let (ours, all) = work(end)?;
        let sent = end.figure("events_sent")? - sent;
        end.machine.write(EVENT, "0")?;
        let name = end.machine.name();
        println!("# {name}: of {all} pieces of work {ours} were of idle links");
        ensure!(ours == 0 && sent == 0, "{ours} times, {sent} events");
    }
    Ok(())
}

/// How much work the kernel's queues have done for the module, and for all.
fn work(end: &End<'_>) -> Result<(usize, usize)> {
    let trace = end.machine.read(TRACE)?;
    let all = || trace.lines().filter(|line| line.contains("function"));
    let ours = all().filter(|line| line.contains("[xensock]"));
    Ok((ours.count(), all().count()))
}
