// SPDX-License-Identifier: GPL-2.0
//! Datagrams: they keep their bounds and say who has sent them, are refused where they must be, and a flood of
//! them harms nobody else.

use super::knobs::Knobs;
use super::{End, Ends, Started};
use anyhow::{Result, ensure};

const PROGRAM: &str = include_str!("datagrams.py");
const PLACE: &str = "/tmp/datagrams.py";
const PORT: u32 = 5500;
const DEAF: u32 = 5501;
const NOBODY: u32 = 5502;
/// Of the flood, those whose port nobody has.
const FOR_NOBODY: u64 = 10;

impl<'a> End<'a> {
    fn bind(&'a self, what: &str, port: u32) -> Result<Started<'a>> {
        self.machine.write(PLACE, PROGRAM)?;
        let started = self.start(&["python3", PLACE, what, &port.to_string()])?;
        started.wait_for_word("bound")?;
        Ok(started)
    }
}

/// To the server, and what its rules and its figures say of that.
pub fn datagrams(ends: &Ends<'_>) -> Result<()> {
    let _knobs = Knobs::new(ends)?;
    super::fate::reach_served(ends)?;
    let (server, client) = (&ends.server, &ends.client);
    let _servers = [server.bind("echo", PORT)?, server.bind("deaf", DEAF)?];
    client.machine.write(PLACE, PROGRAM)?;
    let cid = ends.server_cid()?;
    let talk = format!("python3 {PLACE} talk {cid} {PORT} {DEAF} {NOBODY}");
    let before = [
        server.figure("datagrams_lost")?,
        server.figure("datagrams_received")?,
    ];
    let said = client.shell(&talk)?;
    ensure!(said.contains("all is well"), "{said}");
    let lost = server.figure("datagrams_lost")? - before[0];
    let received = server.figure("datagrams_received")? - before[1];
    println!("# {ends}: {received} datagrams received, {lost} lost");
    // The queue of the deaf one does not hold a thousand of the longest.
    ensure!(lost > FOR_NOBODY, "{lost} lost");

    let one = format!(
        "python3 -c 'import socket; s = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM); \
         s.settimeout(2); s.sendto(b\"x\", ({cid}, {PORT})); s.recv(1); print(\"back\")' 2>&1 || true"
    );
    ensure!(client.shell(&one)?.contains("back"), "nothing comes back");
    server.set("rules", &format!("deny *, ports {PORT}"))?;
    let said = client.shell(&one)?;
    ensure!(said.contains("timed out"), "{said}");
    server.set("rules", "\n")?;
    client.set("rules_out", &format!("deny *, ports {PORT}"))?;
    let said = client.shell(&one)?;
    ensure!(said.contains("Permission denied"), "{said}");
    client.set("rules_out", "\n")?;
    ensure!(
        client.shell(&one)?.contains("back"),
        "nothing comes back at last"
    );
    Ok(())
}
