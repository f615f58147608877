// SPDX-License-Identifier: GPL-2.0
//! Programs that stop in the midst of a system call, with their socket locked: all others go on.

use super::{End, Ends, Started, wait_until};
use anyhow::Result;

const PROGRAM: &str = include_str!("stall.py");
const PLACE: &str = "/tmp/stall.py";
/// Ports of the one that receives, of the one that only listens, and of the one that is sent to.
const PORTS: [u32; 3] = [7001, 7002, 7003];

impl<'a> End<'a> {
    /// Starts a program that stalls.
    fn stall(&'a self, words: &[&str]) -> Result<Started<'a>> {
        self.machine.write(PLACE, PROGRAM)?;
        self.start(&[&["python3", PLACE], words].concat())
    }
}

impl Started<'_> {
    /// Waits until the program stays where it waits for memory.
    fn wait_for_stall(&self) -> Result<()> {
        let place = format!("/proc/{}/wchan", self.pid);
        wait_until(&format!("a stall ({:?})", self.output()?), || {
            Ok(self.machine.read(&place)?.contains("userfault"))
        })
    }
}

const GO: &str = "/tmp/stall-go";
const NOBODY: u32 = 7004;
const ECONNRESET: u32 = 104;

/// A socket is locked while its connection is to come about and the other domain is destroyed. When it is free
/// again its program hears of that.
pub fn stalled_end(ends: &Ends<'_>) -> Result<()> {
    let (bed, name) = (ends.bed, ends.server.machine.name());
    super::fate::reach_served(ends)?;
    let cid = ends.server_cid()?.to_string();
    // Nobody answers there.
    bed.dom0().run(&["xl", "pause", name])?.ok()?;
    let connecting = ends.client.stall(&["connect", &cid, &NOBODY.to_string()])?;
    connecting.wait_for_stall()?;
    let ended = ends.client.figure("links")?;
    bed.destroy(name)?;
    wait_until("the end of the link", || {
        Ok(ends.client.figure("links")? < ended)
    })?;
    connecting.wait_for_stall()?;
    ends.client.machine.write(GO, "")?;
    connecting.wait_for_word(&format!("error {ECONNRESET}."))?;
    bed.create(name)?;
    bed.wait_for_guest(name)?;
    ends.server.insmod()
}

/// One stalls while it receives and the ring is to grow, one while it sends, and one while it sets an option
/// of a socket that others connect to.
pub fn stalled(ends: &Ends<'_>) -> Result<()> {
    let (server, client) = (&ends.server, &ends.client);
    let cid = ends.server_cid()?;
    let _server = server.serve("vsock")?;
    let there = ends.there("vsock")?;

    let [receives, listens, waits] = PORTS.map(|port| port.to_string());
    let receiver = server.stall(&["receive", &receives])?;
    receiver.wait_for_word("listens")?;
    let address = format!("vsock:{cid}:{receives}");
    let _full = client.start_load("stream", &address, &["65536", "600000ms", "1"])?;
    receiver.wait_for_stall()?;
    let listener = server.stall(&["listen", &listens])?;
    listener.wait_for_stall()?;
    let _waiting = client.start_load("await", &format!("vsock:{cid}:{listens}"), &[])?;
    let listen = format!("VSOCK-LISTEN:{waits}");
    let _reader = server.listen(&["socat", &listen, "EXEC:cat"], PORTS[2])?;
    let sender = client.stall(&["send", &cid.to_string(), &waits])?;
    sender.wait_for_stall()?;

    for _ in 0..3 {
        client.load("connects", &there, &["3"])?;
        client.load("stream", &there, &["65536", "4MiB", "1"])?;
    }
    for stalled in [&receiver, &listener, &sender] {
        stalled.wait_for_stall()?;
    }
    Ok(())
}
