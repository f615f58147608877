// SPDX-License-Identifier: GPL-2.0
//! What programs ask /dev/xensock for, by a program made from the module's own header, for 64 bits
//! and for 32.

use super::knobs::Knobs;
use super::{CID_HOST, DOM0, End, Ends};
use crate::scenarios::client::{BITS, Client, Refused};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

const ENOENT: u64 = 2;
const EINVAL: u64 = 22;
const PORT: u32 = 5300;
const SOCKETS: u64 = 3;
/// The calls, and how many 64-bit words each has reserved.
const CALLS: [(&str, u32); 4] = [("get", 6), ("next", 6), ("stats", 1), ("check", 2)];
/// Figures of `stats` that are files.
const INFO: [&str; 25] = [
    "links",
    "sockets",
    "sent_bytes",
    "received_bytes",
    "opened",
    "accepted",
    "refused_by_peer",
    "denied",
    "refused_rule",
    "refused_listener",
    "refused_queue",
    "refused_limit",
    "refused_memory",
    "over_sockets",
    "over_memory",
    "over_events",
    "reset",
    "rings_grown",
    "rings_shrunk",
    "datagrams_sent",
    "datagrams_received",
    "datagrams_lost",
    "broken_rings",
    "broken_links",
    "cid",
];
const LIMITS: [&str; 5] = [
    "first_ring_kb",
    "largest_ring_kb",
    "max_sockets_per_peer",
    "memory_per_peer_kb",
    "events_per_link_hz",
];

/// At each end that is a guest, while there are some connections.
pub fn ioctl(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let listen = format!("VSOCK-LISTEN:{PORT},fork");
    let _server = ends.server.listen(&["socat", &listen, "EXEC:cat"], PORT)?;
    let there = format!("VSOCK-CONNECT:{}:{PORT}", ends.server_cid()?);
    let line = format!("(echo hello; sleep 300) | socat - {there}");
    let start = || ends.client.start(&["sh", "-c", &line]);
    let held = (0..SOCKETS).map(|_| start()).collect::<Result<Vec<_>>>()?;
    ends.client.wait_for_figure("sockets", SOCKETS)?;
    for socket in &held {
        socket.wait_for_word("hello")?;
    }
    for (end, other) in [(&ends.client, &ends.server), (&ends.server, &ends.client)] {
        if end.machine.name() == DOM0 {
            continue;
        }
        let opened_here = end.machine.name() == ends.client.machine.name();
        for bits in BITS {
            let client = Client::new(&end.machine, "xensock", bits);
            refusals(&client)?;
            figures(end, &client)?;
            sockets(&client, ends.cid(other)?, opened_here)?;
            rules(end, &client, ends.cid(other)?)?;
        }
    }
    Ok(())
}

fn refusals(client: &Client<'_, '_>) -> Result<()> {
    client.refuses(&Refused {
        calls: &CALLS,
        padded: &["stats", "check"],
        answered: &["stats", "next"],
        // No such number, an argument of another size, and one in the other direction.
        numbers: &["0", "0xbe14", "0xc100be14", "0xc0a0be10", "0x8028be13"],
    })?;
    client.expect("get", ENOENT)?;
    for words in ["direction=2 cid=2", "cid=1", "cid=4294967295"] {
        client.expect(&format!("check {words}"), EINVAL)?;
    }
    Ok(())
}

fn figures(end: &End<'_>, client: &Client<'_, '_>) -> Result<()> {
    let answer = client.expect("-r stats sockets=7 closed=7", 0)?;
    for name in INFO {
        let (field, file) = (answer.get(name)?, end.figure(name)?);
        ensure!(field == file, "{name} is not {file}: {:?}", answer.0);
    }
    for name in LIMITS {
        let (field, file) = (answer.get(name)?, end.knob(name)?);
        ensure!(
            field.to_string() == file,
            "{name} is not {file}: {:?}",
            answer.0
        );
    }
    ensure!(answer.get("closed")? == 0, "{:?}", answer.0);
    Ok(())
}

/// All are found, each once, and each again by its ports.
fn sockets(client: &Client<'_, '_>, other: u32, opened_here: bool) -> Result<()> {
    let mut cursor = 0;
    let mut seen = BTreeSet::new();
    for _ in 0..SOCKETS {
        let one = client.expect(&format!("-r next cursor={cursor}"), 0)?;
        cursor = one.get("cursor")?;
        let (local, remote) = (one.get("local_port")?, one.get("remote_port")?);
        ensure!(seen.insert((local, remote)), "{:?} comes twice", one.0);
        let ours = if opened_here { remote } else { local };
        let (sends, receives) = if opened_here {
            (32768, 16384)
        } else {
            (16384, 32768)
        };
        for (name, value) in [
            ("remote_cid", other.into()),
            ("opened_here", opened_here.into()),
            ("type", 1),
            ("sent_bytes", 6),
            ("received_bytes", 6),
            ("send_ring_bytes", sends),
            ("receive_ring_bytes", receives),
            ("rings_grown", 0),
        ] {
            ensure!(
                one.get(name)? == value,
                "{name} is not {value}: {:?}",
                one.0
            );
        }
        ensure!(ours == u64::from(PORT), "{:?}", one.0);
        ensure!(one.get("wakeups_received")? > 0, "{:?}", one.0);
        ensure!(one.get("blocked_receiving")? > 0, "{:?}", one.0);
        let words = format!("get local_port={local} remote_cid={other} remote_port={remote}");
        let again = client.expect(&words, 0)?;
        let same = |name: &str| -> Result<bool> { Ok(again.get(name)? == one.get(name)?) };
        ensure!(
            same("cursor")? && same("sent_bytes")?,
            "{:?}, {:?}",
            one.0,
            again.0
        );
        let words = format!(
            "get local_port={local} remote_cid={} remote_port={remote}",
            other + 1
        );
        client.expect(&words, ENOENT)?;
    }
    client.expect(&format!("next cursor={cursor}"), ENOENT)?;
    client.expect("next cursor=18446744073709551615", ENOENT)?;
    Ok(())
}

fn rules(end: &End<'_>, client: &Client<'_, '_>, other: u32) -> Result<()> {
    let domid = other.checked_sub(CID_HOST).context("no CID")?;
    end.set("rules", &format!("deny {domid}, ports 7"))?;
    end.set("rules_out", &format!("deny {domid}, ports 8"))?;
    for (direction, port, allowed) in [(0, 7, 0), (0, 8, 1), (1, 7, 1), (1, 8, 0)] {
        let words = format!("-r check direction={direction} cid={other} port={port}");
        let found = client.expect(&words, 0)?.get("allowed")?;
        ensure!(found == allowed, "{words}: {found}");
    }
    end.set("default_policy", "closed")?;
    let found = client.expect(&format!("check cid={other} port=9"), 0)?;
    ensure!(found.get("allowed")? == 0, "{:?}", found.0);
    ensure!(client.expect("stats", 0)?.get("closed")? == 1);
    end.default_knobs()
}
