// SPDX-License-Identifier: GPL-2.0
//! Rings grow while much goes through them and shrink when nothing does, and all arrives as it was sent.

use super::knobs::Knobs;
use super::{DOM0, End, Ends, wait_until};
use anyhow::{Result, ensure};
use std::time::Duration;

const PORT: u32 = 5400;
const MOST_KIB: u64 = 4096;
/// Of what an opener writes, and of what it reads.
const FIRST_KIB: [u64; 2] = [32, 16];
/// In four parts.
const STREAM: &str = "48MiB";
/// Between those, longer than it takes a ring to shrink.
const PAUSE_MS: &str = "2500";
const BYTES: u64 = 8_000_000;
const EVENTS: &str = "/sys/kernel/tracing/events/xensock/xensock_grow/enable";
const TRACE: &str = "/sys/kernel/tracing/trace";
const LINKS: &str = "/sys/kernel/debug/xensock/links";
/// Of one end, where the other one has the default.
const SMALL_KIB: u64 = 64;
const MORE: Duration = Duration::from_secs(1);

/// How often rings have grown and shrunk at an end.
fn exchanged(end: &End<'_>) -> Result<[u64; 2]> {
    Ok([end.figure("rings_grown")?, end.figure("rings_shrunk")?])
}

/// Since then, so often at least.
fn since(end: &End<'_>, before: [u64; 2], least: [u64; 2]) -> Result<()> {
    let [grown, shrunk] = exchanged(end)?;
    let by = [grown - before[0], shrunk - before[1]];
    println!(
        "# {}: {} rings have grown, {} have shrunk",
        end.machine.name(),
        by[0],
        by[1]
    );
    ensure!(
        by.iter().zip(least).all(|(by, least)| *by >= least),
        "{by:?}, not {least:?}"
    );
    Ok(())
}

/// Both ways: from the end that has granted the rings, and to it.
pub fn rings(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let both = [&ends.client, &ends.server];
    for end in both {
        end.set("largest_ring_kb", &MOST_KIB.to_string())?;
        // dom0 has no tracefs.
        if end.machine.name() != DOM0 {
            end.machine.write(TRACE, "")?;
            end.machine.write(EVENTS, "1")?;
        }
    }
    let before = [exchanged(both[0])?, exchanged(both[1])?];
    forth(ends)?;
    for (end, before) in both.into_iter().zip(before) {
        since(end, before, [4, 3])?;
    }
    let before = [exchanged(both[0])?, exchanged(both[1])?];
    back(ends)?;
    for (end, before) in both.into_iter().zip(before) {
        since(end, before, [2, 2])?;
        if end.machine.name() == DOM0 {
            continue;
        }
        end.machine.write(EVENTS, "0")?;
        let (trace, most) = (end.machine.read(TRACE)?, MOST_KIB << 10);
        let shrunk = FIRST_KIB.map(|first| format!("before={most} after={}", first << 10));
        for words in shrunk.into_iter().chain([format!("after={most}")]) {
            ensure!(trace.contains(&words), "no {words:?} in {trace}");
        }
    }
    Ok(())
}

/// Every byte is looked at where it arrives.
fn forth(ends: &Ends<'_>) -> Result<()> {
    let _server = ends.server.serve("vsock")?;
    let there = ends.there("vsock")?;
    ends.client
        .load("stream", &there, &["65536", STREAM, "1", PAUSE_MS])
        .map(drop)
}

/// A file twice, and the ring is small again after each of them.
fn back(ends: &Ends<'_>) -> Result<()> {
    let make = format!("head -c {BYTES} /dev/urandom >/tmp/much");
    ends.server.shell(&make)?;
    let wanted = ends
        .server
        .shell("cat /tmp/much /tmp/much | sha256sum; rm -f /tmp/go")?;
    let listen = format!("VSOCK-LISTEN:{PORT}");
    let part = "cat /tmp/much; while ! [ -e /tmp/go ]; do sleep 0.1; done; rm /tmp/go";
    let system = format!("SYSTEM:{part}; {part}");
    let _server = ends.server.listen(&["socat", &listen, &system], PORT)?;
    let there = format!("VSOCK-CONNECT:{}:{PORT}", ends.server_cid()?);
    let shrunk = ends.server.figure("rings_shrunk")?;
    let line = format!("socat -u {there} - | sha256sum; echo done");
    let client = ends.client.start(&["sh", "-ec", &line])?;
    for times in 1..=2 {
        wait_until("a small ring", || {
            Ok(ends.server.figure("rings_shrunk")? >= shrunk + times)
        })?;
        ends.server.shell("touch /tmp/go")?;
    }
    client.wait_for_word("done")?;
    let output = client.output()?;
    ensure!(output.contains(wanted.trim()), "{output:?}, not {wanted:?}");
    Ok(())
}

/// The sizes of all rings that an end has, in KiB.
fn sizes(end: &End<'_>) -> Result<Vec<u64>> {
    let text = end.machine.read(LINKS)?;
    let words = text.split_whitespace();
    let sizes = words.filter_map(|word| word.strip_prefix("size=")?.parse::<u64>().ok());
    Ok(sizes.map(|bytes| bytes >> 10).collect())
}

/// The largest ring is the smaller one of both ends', whichever has opened the connection.
pub fn largest(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    super::fate::reach_served(ends)?;
    let _server = ends.server.serve("vsock")?;
    let there = ends.there("vsock")?;
    // Both ends list the rings, but dom0 has no debugfs.
    let seen = match ends.client.machine.name() {
        DOM0 => &ends.server,
        _ => &ends.client,
    };
    for limited in [&ends.server, &ends.client] {
        limited.set("largest_ring_kb", &SMALL_KIB.to_string())?;
        let stream = ends
            .client
            .start_load("stream", &there, &["65536", "600000ms", "1"])?;
        wait_until("a ring of the smaller size", || {
            Ok(sizes(seen)?.iter().any(|kib| *kib >= SMALL_KIB))
        })?;
        // It would grow again at once.
        std::thread::sleep(MORE);
        let most = sizes(seen)?.into_iter().max();
        ensure!(most == Some(SMALL_KIB), "{most:?} KiB");
        drop(stream);
        limited.default_knobs()?;
        ends.client.wait_for_figure("sockets", 0)?;
    }
    Ok(())
}
