// SPDX-License-Identifier: GPL-2.0
//! Packets that do not fit: their sender is told, or sleeps, whatever the other end does.

use super::knobs::Knobs;
use super::{DOM0, Ends};
use anyhow::{Context, Result, ensure};

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
