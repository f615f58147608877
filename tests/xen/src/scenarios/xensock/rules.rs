// SPDX-License-Identifier: GPL-2.0
//! Who may connect, and how much one domain may have.

use super::knobs::Knobs;
use super::sight::{answers, echo};
use super::{CID_HOST, DOM0, Ends, Started, wait_until};
use anyhow::{Context, Result, ensure};

const E2BIG: u32 = 7;
const EINVAL: u32 = 22;
const ERANGE: u32 = 34;
const PORT: u32 = 5100;
const PRIVILEGED: u32 = 700;
const OPEN: &str = "connected";
const REFUSED: &str = "Connection refused";
const TOO_MUCH: &str = "No buffer space available";
/// What a link takes, and a connection that has done nothing.
const LINK_KIB: u64 = 36;
const CONNECTION_KIB: u64 = 4 + 32 + 16;
const MOST: usize = 4;
/// The addresses of domains that there are not: so many are asked for, and so many of them called.
const NOBODY: u32 = 10_000;
const ASKED: usize = 40;
const CALLED: usize = 32;
const ENOBUFS: &str = "105";
const PROGRAM: &str = "/tmp/nobody.py";
/// In a network namespace.
const HIDDEN: u32 = 5101;
/// Runs its second word in a network namespace whose mode is the first one.
const NAMESPACE: &str =
    "echo $0 > /proc/sys/net/vsock/child_ns_mode; exec unshare --net sh -c \"$1\"";
/// What nobody but root may do.
const BIND: &str = "import os, socket\n\
    os.setuid(65534)\n\
    end = socket.socket(socket.AF_VSOCK)\n\
    try: end.bind((socket.VMADDR_CID_ANY, 700))\n\
    except PermissionError: print('denied')";

/// By domain, by port, by default, and by UUID where it can be known.
pub fn rules(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _servers = [answers(ends, PORT)?, answers(ends, PRIVILEGED)?];
    let (server, client) = (&ends.server, ends.cid(&ends.client)? - CID_HOST);
    let says = |words: [&str; 2]| {
        ends.socat_says(PORT, words[0])?;
        ends.socat_says(PRIVILEGED, words[1])
    };
    says([OPEN, OPEN])?;
    let known = server.figure("refused_rule")?;
    server.set("rules", "deny *, ports 0-1023")?;
    says([OPEN, REFUSED])?;
    server.set("rules", &format!("allow {client}, ports {PORT}\ndeny *\n"))?;
    says([OPEN, REFUSED])?;
    let text = server.knob("rules")?;
    ensure!(
        text == format!("allow {client}, ports {PORT}-{PORT}\ndeny *"),
        "{text:?}"
    );
    server.set("rules", "\n")?;
    server.set("default_policy", "closed")?;
    says([REFUSED, REFUSED])?;
    server.set("rules", &format!("allow {}", client + 1000))?;
    says([REFUSED, REFUSED])?;
    server.set("rules", &format!("allow {client}"))?;
    says([OPEN, OPEN])?;
    let refused = server.figure("refused_rule")? - known;
    ensure!(refused == 6, "{refused} count as refused by the rules");
    let bound = server.run(&["python3", "-c", BIND])?;
    ensure!(bound.trim() == "denied", "a program has a privileged port");
    by_uuid(ends)?;
    what_is_no_rule(ends)
}

/// dom0 knows the UUIDs of all guests, and nobody else does.
fn by_uuid(ends: &Ends<'_>) -> Result<()> {
    let (server, client) = (&ends.server, ends.client.machine.name());
    if client == DOM0 {
        return Ok(());
    }
    let path = ends.bed.xenstore_read(client, "vm")?;
    let uuid = path.trim().strip_prefix("/vm/").context(path.clone())?;
    let knows = server.machine.name() == DOM0;
    let if_known = |known, other| if knows { known } else { other };
    let other = "00000000-0000-0000-0000-00000000002a";
    for (rule, words) in [
        (format!("allow uuid {uuid}"), if_known(OPEN, REFUSED)),
        (format!("allow uuid {other}"), REFUSED),
        (
            format!("deny uuid {other}\nallow *"),
            if_known(OPEN, REFUSED),
        ),
        (format!("deny uuid {uuid}\nallow *"), REFUSED),
    ] {
        server.set("rules", &rule)?;
        ends.socat_says(PORT, words).with_context(|| rule)?;
    }
    Ok(())
}

/// Such a list changes nothing.
fn what_is_no_rule(ends: &Ends<'_>) -> Result<()> {
    let server = &ends.server;
    server.set("rules", "deny 7\nallow *")?;
    for text in [
        "permit 7",
        "allow 7\nallow",
        "allow 7, ports 9-8",
        "deny 65536",
    ] {
        server.cannot_set("rules", text, EINVAL)?;
    }
    // As they were written, or as they would be read.
    for text in ["allow 1\n".repeat(513), "deny 1,ports 1\n".repeat(270)] {
        server.cannot_set("rules", &text, E2BIG)?;
    }
    server.cannot_set("default_policy", "ajar", EINVAL)?;
    ends.socat_says(PORT, OPEN)
}

/// What programs of a domain may connect to.
pub fn rules_out(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _servers = [answers(ends, PORT)?, answers(ends, PRIVILEGED)?];
    let (client, server) = (&ends.client, ends.server_cid()? - CID_HOST);
    let known = client.figure("denied")?;
    client.set("rules_out", &format!("deny {server}, ports {PORT}"))?;
    // What others may do is another matter.
    client.set("default_policy", "closed")?;
    ends.socat_says(PORT, "Permission denied")?;
    ends.socat_says(PRIVILEGED, OPEN)?;
    let denied = client.figure("denied")? - known;
    ensure!(denied == 1, "{denied} connections count as denied");
    Ok(())
}

/// Closed from the first moment on.
pub fn closed(ends: &Ends<'_>) -> Result<()> {
    let server = &ends.server.machine;
    ends.server.rmmod()?;
    let load = |value: &str| server.insmod("xensock", &[&format!("closed={value}")]);
    let refused = load("2").err().context("closed=2 is taken")?;
    ensure!(
        format!("{refused:#}").contains("os error 22"),
        "{refused:#}"
    );
    load("1")?;
    ensure!(ends.server.knob("default_policy")? == "closed");
    let _server = answers(ends, PORT)?;
    ends.socat_says(PORT, REFUSED)?;
    let _knobs = Knobs::new(ends)?;
    ends.socat_says(PORT, OPEN)
}

/// A socat that stays connected.
fn hold<'a>(ends: &'a Ends<'_>) -> Result<Started<'a>> {
    let there = format!("VSOCK-CONNECT:{}:{PORT}", ends.server_cid()?);
    let line = format!("sleep 300 | socat - {there}");
    ends.client.start(&["sh", "-c", &line])
}

/// As many as there may be, and one more.
fn fill(ends: &Ends<'_>, known: u64) -> Result<()> {
    let held: Vec<_> = (0..MOST).map(|_| hold(ends)).collect::<Result<_>>()?;
    ends.server
        .wait_for_figure("accepted", known + MOST as u64)?;
    ends.socat_says(PORT, TOO_MUCH)?;
    drop(held);
    ends.server.wait_for_figure("sockets", 0)?;
    ends.socat_says(PORT, OPEN)
}

/// Where there is no memory for larger rings, those that there are do.
fn rings_stay(ends: &Ends<'_>) -> Result<()> {
    for limited in [&ends.server, &ends.client] {
        let (grown, reached) = (
            limited.figure("rings_grown")?,
            limited.figure("over_memory")?,
        );
        limited.set(
            "memory_per_peer_kb",
            &(2 * LINK_KIB + CONNECTION_KIB).to_string(),
        )?;
        echo(ends, PORT)?;
        ensure!(limited.figure("rings_grown")? == grown, "a ring has grown");
        ensure!(
            limited.figure("over_memory")? > reached,
            "no ring wanted to grow"
        );
        limited.default_knobs()?;
    }
    Ok(())
}

/// Connections and memory, at either end.
pub fn limits(ends: &Ends<'_>) -> Result<()> {
    let knobs = Knobs::new(ends)?;
    let _server = answers(ends, PORT)?;
    ends.socat_says(PORT, OPEN)?;
    let most = MOST.to_string();
    let memory = (LINK_KIB + CONNECTION_KIB * (MOST as u64 + 1) - 1).to_string();
    for (name, value, over) in [
        ("max_sockets_per_peer", &most, "over_sockets"),
        ("memory_per_peer_kb", &memory, "over_memory"),
    ] {
        for limited in [&ends.server, &ends.client] {
            let refused = ends.server.figure("refused_limit")?;
            let reached = limited.figure(over)?;
            limited.set(name, value)?;
            fill(ends, ends.server.figure("accepted")?)
                .with_context(|| format!("{name} at {}", limited.machine.name()))?;
            ensure!(limited.figure(over)? > reached, "{over} stays at {reached}");
            let refused = ends.server.figure("refused_limit")? - refused;
            let expected = u64::from(std::ptr::eq(limited, &ends.server));
            ensure!(refused == expected, "{refused} are refused by a limit");
            limited.default_knobs()?;
        }
    }
    rings_stay(ends)?;
    drop(knobs);
    for (name, text) in [
        ("max_sockets_per_peer", "0"),
        ("max_sockets_per_peer", "2049"),
        ("memory_per_peer_kb", "63"),
        ("memory_per_peer_kb", "18446744073709551615"),
        ("events_per_link_hz", "1000001"),
        ("busy_poll_us", "10001"),
        ("bulk_poll_us", "10001"),
        ("first_ring_kb", "0"),
        ("first_ring_kb", "12"),
        ("first_ring_kb", "64"),
        ("largest_ring_kb", "8"),
        ("largest_ring_kb", "32768"),
    ] {
        ends.server.cannot_set(name, text, ERANGE)?;
    }
    ends.server.cannot_set("first_ring_kb", "four", EINVAL)
}

fn in_namespace<'a>(mode: &'a str, line: &'a str) -> [&'a str; 7] {
    ["unshare", "--net", "sh", "-ec", NAMESPACE, mode, line]
}

/// In a network namespace of mode "local" nobody else is to be reached, and nobody can be reached there; mode "global"
/// changes nothing.
pub fn namespaces(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let _server = answers(ends, PORT)?;
    ends.socat_says(PORT, OPEN)?;
    let there = format!("VSOCK-CONNECT:{}:{PORT}", ends.server_cid()?);
    let connect = format!("echo hello | socat -t 10 - {there} 2>&1 || true");
    for (mode, words) in [("global", "hello"), ("local", "Network is unreachable")] {
        let said = ends.client.run(&in_namespace(mode, &connect))?;
        ensure!(said.contains(words), "{mode}: {said:?}");
    }
    for (mode, words) in [("global", OPEN), ("local", "Connection reset")] {
        let listen = format!(
            "socat VSOCK-LISTEN:{HIDDEN},fork EXEC:cat &
             trap \"kill $!\" TERM
             until ss --vsock --listening --no-header | grep -q :{HIDDEN}; do sleep 0.1; done
             echo listens; wait"
        );
        let listener = ends.server.start(&in_namespace(mode, &listen))?;
        listener.wait_for_word("listens")?;
        let said = ends.socat_says(HIDDEN, words);
        said.with_context(|| format!("a listener where the mode is {mode}"))?;
    }
    Ok(())
}

/// Any program may connect to domains that there are not, but not to as many as it likes.
pub fn nobody(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    let client = &ends.client;
    let program = format!(
        "import socket\n\
         ends = [socket.socket(socket.AF_VSOCK) for _ in range({ASKED})]\n\
         for cid, end in enumerate(ends, {NOBODY}):\n    \
             end.setblocking(False)\n    \
             print(end.connect_ex((cid, {PORT})))\n"
    );
    client.machine.write(PROGRAM, &program)?;
    let said = client.shell(&format!("python3 {PROGRAM}"))?;
    let refused = said.lines().filter(|line| *line == ENOBUFS).count();
    println!("# {ends}: {refused} of {ASKED} are not called");
    ensure!(refused == ASKED - CALLED, "{refused} are refused: {said}");
    // Who is there can be reached all the same.
    super::fate::reach_served(ends)?;
    wait_until("the end of the calls", || Ok(client.figure("links")? <= 2))
}
