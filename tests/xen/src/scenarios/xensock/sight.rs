// SPDX-License-Identifier: GPL-2.0
//! What xensock tells of itself: figures, trace events, debugfs.

use super::knobs::Knobs;
use super::{CID_HOST, DOM0, End, Ends, Started, fate};
use crate::scenarios::number;
use anyhow::{Context, Result, ensure};

const PORT: u32 = 5200;
const NOBODY: u32 = 5201;
const BYTES: u64 = 1_000_000;
const EVENTS: &str = "/sys/kernel/tracing/events/xensock/enable";
const TRACE: &str = "/sys/kernel/tracing/trace";
const LINKS: &str = "/sys/kernel/debug/xensock/links";
const TRACING: &str = "/sys/kernel/tracing";
/// What every request to xenstore goes through.
const PROBE: &str = "p:kprobes/bed_xenstore xs_talkv\n";
/// The address of a domain that there is not.
const NO_DOMAIN: u32 = 10_000;

/// What answers on a port of the server, once all that it is sent is there: socat waits where it writes, so two that
/// write to each other would wait for ever when both rings are full.
pub fn answers<'a>(ends: &'a Ends<'_>, port: u32) -> Result<Started<'a>> {
    let listen = format!("VSOCK-LISTEN:{port},fork");
    let keep = "SYSTEM:cat >/tmp/kept-$$; cat /tmp/kept-$$; rm /tmp/kept-$$";
    let argv = ["socat", "-t", "60", &listen, keep];
    ends.server.listen(&argv, port)
}

/// A file goes to a port of the server, where `answers` is, and back.
pub fn echo(ends: &Ends<'_>, port: u32) -> Result<()> {
    let there = format!("VSOCK-CONNECT:{}:{port}", ends.server_cid()?);
    let line = format!(
        "head -c {BYTES} /dev/urandom >/tmp/sent; socat -t 20 - {there} </tmp/sent >/tmp/back; \
         cmp /tmp/sent /tmp/back"
    );
    ends.client.shell(&line).map(drop)
}

/// What is counted, at both ends, and the ring sizes that are set.
pub fn figures(ends: &Ends<'_>) -> Result<()> {
    const NAMES: [&str; 9] = [
        "opened",
        "accepted",
        "sent_bytes",
        "received_bytes",
        "rings_grown",
        "refused_by_peer",
        "refused_listener",
        "events_sent",
        "events_received",
    ];
    let _knobs = Knobs::new(ends)?;
    let _server = answers(ends, PORT)?;
    let all = || -> Result<[[u64; NAMES.len()]; 2]> {
        let mut found = [[0; NAMES.len()]; 2];
        for (end, row) in [&ends.client, &ends.server].into_iter().zip(&mut found) {
            for (name, to) in NAMES.iter().zip(row) {
                *to = end.figure(name)?;
            }
        }
        Ok(found)
    };
    let differ = |before: [[u64; NAMES.len()]; 2]| -> Result<[[u64; NAMES.len()]; 2]> {
        let mut now = all()?;
        for (row, before) in now.iter_mut().zip(before) {
            row.iter_mut().zip(before).for_each(|(to, was)| *to -= was);
        }
        Ok(now)
    };
    // Rings of one size do not grow.
    for end in [&ends.client, &ends.server] {
        end.set("first_ring_kb", "4")?;
        end.set("largest_ring_kb", "4")?;
    }
    let before = all()?;
    echo(ends, PORT)?;
    ends.server.wait_for_figure("sockets", 0)?;
    let [client, server] = differ(before)?;
    ensure!(client[..7] == [1, 0, BYTES, BYTES, 0, 0, 0], "{client:?}");
    ensure!(server[..7] == [0, 1, BYTES, BYTES, 0, 0, 0], "{server:?}");
    ensure!(client[7] > 0 && client[8] > 0, "{client:?}");
    ensure!(server[7] > 0 && server[8] > 0, "{server:?}");
    println!("# {ends}: {NAMES:?}: {client:?}, {server:?}");
    for end in [&ends.client, &ends.server] {
        end.set("largest_ring_kb", "64")?;
        end.set("first_ring_kb", "4")?;
    }
    let before = all()?;
    echo(ends, PORT)?;
    ends.socat_says(NOBODY, "Connection reset")?;
    ends.server.wait_for_figure("sockets", 0)?;
    let [client, server] = differ(before)?;
    ensure!(client[4] > 0 && server[4] > 0, "{client:?}, {server:?}");
    ensure!(
        client[..2] == [2, 0] && server[..2] == [0, 1],
        "{client:?}, {server:?}"
    );
    ensure!(client[5] == 1 && server[6] == 1, "{client:?}, {server:?}");
    println!("# {ends}: {NAMES:?}: {client:?}, {server:?}");
    Ok(())
}

/// What happens is traced at both ends, and debugfs shows a connection that is there.
pub fn traced(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _server = answers(ends, PORT)?;
    // dom0 has no tracefs.
    let seen = [&ends.client, &ends.server];
    let seen: Vec<_> = seen
        .into_iter()
        .filter(|end| end.machine.name() != DOM0)
        .collect();
    for end in &seen {
        end.machine.write(TRACE, "")?;
        end.machine.write(EVENTS, "1")?;
    }
    echo(ends, PORT)?;
    ends.socat_says(NOBODY, "Connection reset")?;
    let there = format!("VSOCK-CONNECT:{}:{PORT}", ends.server_cid()?);
    let held = ends
        .client
        .start(&["sh", "-c", &format!("sleep 300 | socat - {there}")])?;
    ends.server.wait_for_figure("sockets", 1)?;
    for end in &seen {
        end.machine.write(EVENTS, "0")?;
        let links = end.machine.read(LINKS)?;
        let other = if end.machine.name() == ends.client.machine.name() {
            &ends.server
        } else {
            &ends.client
        };
        let domid = ends.cid(other)? - CID_HOST;
        let wanted = [format!("link: domid={domid} "), format!("_port={PORT} ")];
        for words in &wanted {
            ensure!(links.contains(words), "no {words:?} in {links}");
        }
        ensure!(links.contains(" send: prod=0 cons=0 "), "{links}");
    }
    drop(held);
    let (client, server) = (ends.cid(&ends.client)?, ends.server_cid()?);
    for (end, words) in [
        (
            &ends.client,
            [
                "xensock_connect: local_port=".to_string(),
                format!("remote={server}:{PORT} seqpacket=0 ring_bytes=32768"),
                format!("remote={server}:{NOBODY} ours=0 reason=no_listener"),
                format!("remote={server}:{PORT} sending=1 before=32768 after="),
            ],
        ),
        (
            &ends.server,
            [
                format!("xensock_accept: local_port={PORT} remote={client}:"),
                "seqpacket=0 ring_bytes=32768".to_string(),
                format!("xensock_refuse: local_port={NOBODY} remote={client}:"),
                "ours=1 reason=no_listener".to_string(),
            ],
        ),
    ] {
        if end.machine.name() == DOM0 {
            continue;
        }
        let trace = end.machine.read(TRACE)?;
        for word in &words {
            ensure!(trace.contains(word), "no {word:?} in {trace}");
        }
    }
    Ok(())
}

/// A link is traced from its beginning to its end: the server goes, which takes it down.
pub fn link_traced(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let client = &ends.client;
    if client.machine.name() == DOM0 {
        return Ok(());
    }
    ends.server.rmmod()?;
    client.wait_for_figure("links", 0)?;
    client.machine.write(TRACE, "")?;
    client.machine.write(EVENTS, "1")?;
    ends.server.insmod()?;
    ends.socat_says(NOBODY, "Connection reset")?;
    ends.server.rmmod()?;
    client.wait_for_figure("links", 0)?;
    client.machine.write(EVENTS, "0")?;
    ends.server.insmod()?;
    let trace = client.machine.read(TRACE)?;
    let domid = ends.server_cid()? - CID_HOST;
    let at = |name: &str| {
        let words = format!("xensock_link_{name}: domid={domid} initiator=1");
        trace
            .find(&words)
            .with_context(|| format!("no {words:?} in {trace}"))
    };
    ensure!(at("up")? < at("down")?, "{trace}");
    Ok(())
}

/// After the first contact no connection asks xenstore for anything.
pub fn contact(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _server = ends.server.serve("vsock")?;
    fate::reach(ends)?;
    let traced = [&ends.client, &ends.server];
    let traced = traced.iter().filter(|end| end.machine.name() != DOM0);
    let traced: Vec<_> = traced.collect();
    let enable = |end: &End<'_>, on: &str| {
        let file = format!("{TRACING}/events/kprobes/enable");
        end.machine.write(&file, on)
    };
    for end in &traced {
        end.machine
            .write(&format!("{TRACING}/kprobe_events"), PROBE)?;
        enable(end, "1")?;
    }
    let asked = |end: &End<'_>| {
        let profile = format!("{TRACING}/kprobe_profile");
        number(&end.machine, &profile, "bed_xenstore ")
    };
    ends.client
        .load("connects", &ends.there("vsock")?, &["100"])?;
    for end in &traced {
        let (name, asked) = (end.machine.name(), asked(end)?);
        ensure!(asked == 0, "{name} has asked xenstore {asked} times");
    }
    if ends.client.machine.name() != DOM0 {
        let nobody = format!("VSOCK-CONNECT:{NO_DOMAIN}:{NOBODY}");
        let call = format!("! socat - {nobody} </dev/null 2>&1");
        ends.client.shell(&call)?;
        ensure!(asked(&ends.client)? > 0, "nothing is counted");
    }
    for end in &traced {
        enable(end, "0")?;
        end.machine.write(&format!("{TRACING}/kprobe_events"), "")?;
    }
    Ok(())
}
