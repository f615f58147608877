// SPDX-License-Identifier: GPL-2.0
//! Packets that do not fit: their sender is told, or sleeps, whatever the other end does.

use super::knobs::Knobs;
use super::{DOM0, Ends};
use anyhow::{Context, Result, bail, ensure};

const PROGRAM: &str = include_str!("packets.py");
const PLACE: &str = "/tmp/packets.py";
const GO: &str = "/tmp/packets-go";
const PORT: u32 = 5700;
const LARGEST_KIB: u32 = 32;
/// Longer than the largest ring.
const LENGTH: u32 = 40 << 10;
/// Nobody who sleeps needs as much, not even on an emulated processor, in milliseconds.
const SLEEP_CPU_MS: u64 = 1500;
const EAGAIN: u32 = 11;
const EMSGSIZE: u32 = 90;

const BUFFERS: &str = include_str!("buffers.py");
const BUFFERS_PLACE: &str = "/tmp/buffers.py";
const BUFFER: u64 = 8192;

/// What a program wants to be buffered holds whether it says so before it connects or later.
pub fn buffers(ends: &Ends<'_>) -> Result<()> {
    super::fate::reach_served(ends)?;
    let (server, client) = (&ends.server, &ends.client);
    for end in [server, client] {
        end.machine.write(BUFFERS_PLACE, BUFFERS)?;
    }
    let (port, cid) = (PORT.to_string(), ends.server_cid()?.to_string());
    let listener = server.start(&["python3", BUFFERS_PLACE, "listen", &port])?;
    listener.wait_for_word("listens")?;
    let size = BUFFER.to_string();
    let said = client.run(&["python3", BUFFERS_PLACE, "fill", &cid, &port, &size])?;
    let totals: Vec<u64> = said.split_whitespace().flat_map(str::parse).collect();
    let [before, after, never] = totals[..] else {
        bail!("{said}");
    };
    println!("# {ends}: {before}, {after} and {never} bytes on their way");
    ensure!(
        [before, after] == [BUFFER; 2] && never > 2 * BUFFER,
        "{totals:?}"
    );
    Ok(())
}

/// The server sends. Its client, whose memory the rings are, makes none so large; at last it says nothing at all.
pub fn too_long(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    super::fate::reach_served(ends)?;
    let (server, client) = (&ends.server, &ends.client);
    client.set("largest_ring_kb", &LARGEST_KIB.to_string())?;
    for end in [server, client] {
        end.machine.write(PLACE, PROGRAM)?;
    }
    let (port, length) = (PORT.to_string(), LENGTH.to_string());
    let sender = server.start(&["python3", PLACE, "send", &port, GO, &length])?;
    sender.wait_for_word("listens")?;
    let cid = ends.server_cid()?.to_string();
    let hold = || client.start(&["python3", PLACE, "hold", &cid, &port]);

    let told = hold()?;
    told.wait_for_word("connected")?;
    server.machine.write(GO, "")?;
    sender.wait_for_word(&format!("errno {EMSGSIZE} "))?;
    drop(told);
    if client.machine.name() == DOM0 {
        return Ok(());
    }

    let silent = hold()?;
    silent.wait_for_word("connected")?;
    let xl = |what| ends.bed.dom0().run(&["xl", what, client.machine.name()]);
    xl("pause")?.ok()?;
    let waited = (|| {
        server.machine.write(GO, "")?;
        sender.wait_for_word(&format!("errno {EAGAIN} "))
    })();
    xl("unpause")?.ok()?;
    waited?;
    let output = sender.output()?;
    let (_, rest) = output.rsplit_once("cpu_ms=").context("no time")?;
    let cpu_ms: u64 = rest.trim().trim_end_matches('.').parse()?;
    println!("# {ends}: {cpu_ms} ms of a processor while waiting for a larger ring");
    ensure!(cpu_ms <= SLEEP_CPU_MS, "{cpu_ms} ms: it does not sleep");
    Ok(())
}
