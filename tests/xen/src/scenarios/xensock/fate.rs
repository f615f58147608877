// SPDX-License-Identifier: GPL-2.0
//! What can happen to a peer: it is destroyed, paused, saved and restored.

use super::{Ends, wait_until};
use anyhow::{Context, Result, ensure};
use bed::Bed;
use serde_json::Value;
use std::time::{Duration, Instant};

const ECONNRESET: u64 = 104;
/// A socket whose peer has gone ends within that time.
const END: Duration = Duration::from_secs(1);
/// And its domain within that.
const ZOMBIE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(3);
/// The first contact with a domain comes about within that, on a host that is busy with other things.
const CONTACT: Duration = Duration::from_secs(20);

/// A socket waits at the client while something ends the server; answers how long after that it ended.
fn ended_by(ends: &Ends<'_>, act: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let waiting = ends
        .client
        .start_load("await", &ends.there("vsock")?, &[])?;
    waiting.wait_for_word("connected")?;
    act()?;
    let start = Instant::now();
    waiting.wait_for_word("errno")?;
    let elapsed = start.elapsed();
    let text = waiting.output()?;
    let last = text.lines().last().unwrap_or_default();
    let answer: Value = serde_json::from_str(last).with_context(|| text.clone())?;
    let errno = answer["errno"].as_u64().with_context(|| text.clone())?;
    ensure!(
        [0, ECONNRESET].contains(&errno),
        "it ended with errno {errno}"
    );
    ensure!(elapsed <= END, "it ended after {elapsed:?}");
    Ok(elapsed)
}

/// The server's domain is destroyed while a socket is idle and another is full.
pub fn destroyed(ends: &Ends<'_>) -> Result<()> {
    let (bed, name) = (ends.bed, ends.server.machine.name());
    let domid = bed.domid(name)?;
    // The server ends with its domain.
    std::mem::forget(ends.server.serve("vsock")?);
    let there = ends.there("vsock")?;
    let full = ends
        .client
        .start_load("stream", &there, &["65536", "60000ms", "1"])?;
    let elapsed = ended_by(ends, || bed.destroy(name))?;
    println!("# {ends}: a socket ended {elapsed:?} after its peer");
    full.wait_for_word("load: write")?;
    let start = Instant::now();
    loop {
        let list = bed.dom0().run(&["xl", "list"])?.ok()?.stdout;
        let zombie = list.lines().find(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some("(null)") || words.next() == Some(&domid.to_string())
        });
        let Some(zombie) = zombie else { break };
        ensure!(start.elapsed() < ZOMBIE, "still there: {zombie}");
    }
    let grants = grants_with(bed, domid)?;
    ensure!(grants.is_empty(), "grants: {grants:?}");
    bed.create(name)?;
    bed.wait_for_guest(name)?;
    ends.server.insmod()?;
    let _server = ends.server.serve("vsock")?;
    reach(ends)
}

/// Connections come about again. The first one may take longer than `connect` waits, where all processors are
/// emulated ones.
pub fn reach(ends: &Ends<'_>) -> Result<()> {
    let there = ends.there("vsock")?;
    let connects = |count| ends.client.load("connects", &there, &[count]);
    let start = Instant::now();
    wait_until("first contact", || Ok(connects("1").is_ok()))?;
    let elapsed = start.elapsed();
    println!("# {ends}: first contact after {elapsed:?}");
    ensure!(
        elapsed <= CONTACT,
        "the first contact took longer than {CONTACT:?}"
    );
    connects("3").map(drop)
}

/// As `reach`, of a server that is not there yet.
pub fn reach_served(ends: &Ends<'_>) -> Result<()> {
    let _server = ends.server.serve("vsock")?;
    reach(ends)
}

/// Xen's list of grants in use, those with a domain at either end.
pub fn grants_with(bed: &Bed, domid: u32) -> Result<Vec<String>> {
    let known = bed.xen_log().len();
    bed.dom0().run(&["xl", "debug-keys", "g"])?.ok()?;
    let told = || bed.xen_log().get(known..).unwrap_or_default().to_string();
    wait_until("Xen's list of grants", || Ok(told().contains("] done")))?;
    Ok(grants_in(&told(), domid))
}

fn grants_in(log: &str, domid: u32) -> Vec<String> {
    let mut granter = None;
    let mut found = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("grant-table for remote d") {
            granter = rest
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
        }
        let Some((_, entry)) = line.split_once("[0x") else {
            continue;
        };
        let mapper = entry
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok());
        if granter == Some(domid) || mapper == Some(domid) {
            found.push(line.to_string());
        }
    }
    found
}

/// The server stands still for a while in the midst of a stream.
pub fn paused(ends: &Ends<'_>) -> Result<()> {
    let name = ends.server.machine.name();
    let _server = ends.server.serve("vsock")?;
    let stream = ends.client.start_load(
        "stream",
        &ends.there("vsock")?,
        &["65536", "32MiB", "2", "300"],
    )?;
    std::thread::sleep(Duration::from_millis(300));
    ends.bed.dom0().run(&["xl", "pause", name])?.ok()?;
    std::thread::sleep(PAUSE);
    ends.bed.dom0().run(&["xl", "unpause", name])?.ok()?;
    wait_until("the end of the stream", || {
        let text = stream.output()?;
        ensure!(!text.contains("load:"), "{text}");
        Ok(text.contains("bytes"))
    })
}

/// The server is saved, which ends its sockets, and goes on as another domain.
pub fn restored(ends: &Ends<'_>) -> Result<()> {
    let _server = ends.server.serve("vsock")?;
    save_and_restore(ends, |save| {
        let elapsed = ended_by(ends, save)?;
        println!("# {ends}: a socket ended {elapsed:?} after its peer was saved");
        Ok(())
    })?;
    reach_both_ways(ends)
}

/// The server is saved by what is handed to `during`, and goes on as another domain.
pub fn save_and_restore(
    ends: &Ends<'_>,
    during: impl FnOnce(&dyn Fn() -> Result<()>) -> Result<()>,
) -> Result<()> {
    let (bed, name) = (ends.bed, ends.server.machine.name());
    let file = format!("/tmp/{name}.save");
    let before = ends.server_cid()?;
    during(&|| bed.save(name, &file).map(drop))?;
    bed.restore(name, &file)?;
    bed.dom0().run(&["rm", &file])?.ok()?;
    ensure!(ends.server_cid()? != before, "the same domain");
    Ok(())
}

/// The server is migrated to the host that it is on. Where that cannot be done, as with PV guests, its sockets stay.
pub fn migrated(ends: &Ends<'_>) -> Result<()> {
    let _server = ends.server.serve("vsock")?;
    reach(ends)?;
    let there = ends.there("vsock")?;
    let waiting = ends.client.start_load("await", &there, &[])?;
    waiting.wait_for_word("connected")?;
    let before = ends.server_cid()?;
    crate::scenarios::migrated(ends.bed, ends.server.machine.name())?;
    let moved = ends.server_cid()? != before;
    // It has ended before the domain goes on in its new place.
    let text = waiting.output()?;
    ensure!(text.contains("errno") == moved, "{text}");
    reach_both_ways(ends)
}

/// Of a server that is there.
pub fn reach_both_ways(ends: &Ends<'_>) -> Result<()> {
    reach(ends)?;
    reach_served(&Ends {
        server: ends.client.clone(),
        client: ends.server.clone(),
        ..*ends
    })
}

const LATE: &str = include_str!("late.py");
const LATE_PLACE: &str = "/tmp/late.py";
const LATE_GO: &str = "/tmp/late-go";
const LATE_PORT: &str = "5800";
/// It fits into the first ring.
const LATE_BYTES: &str = "10000";

/// What the server has sent before it closed can be received when its domain is no more.
pub fn late(ends: &Ends<'_>) -> Result<()> {
    let (bed, server, client) = (ends.bed, &ends.server, &ends.client);
    reach_served(ends)?;
    for end in [server, client] {
        end.machine.write(LATE_PLACE, LATE)?;
    }
    let answers = server.start(&["python3", LATE_PLACE, "answer", LATE_PORT, LATE_BYTES])?;
    answers.wait_for_word("listens")?;
    let cid = ends.server_cid()?.to_string();
    let reads = client.start(&["python3", LATE_PLACE, "read", &cid, LATE_PORT, LATE_GO])?;
    reads.wait_for_word("connected")?;
    answers.wait_for_word("closed")?;
    std::mem::forget(answers);
    let (name, links) = (server.machine.name(), client.figure("links")?);
    // What the server's driver has to tell of that takes a moment as well.
    std::thread::sleep(END);
    bed.destroy(name)?;
    wait_until(
        "the end of the link",
        || Ok(client.figure("links")? < links),
    )?;
    client.machine.write(LATE_GO, "")?;
    reads.wait_for_word("bytes.")?;
    let said = reads.output()?;
    bed.create(name)?;
    bed.wait_for_guest(name)?;
    server.insmod()?;
    ensure!(said.contains(&format!("\n{LATE_BYTES} bytes.")), "{said}");
    Ok(())
}

/// The server is suspended and goes on with the number it had, in a xenstore that knows nothing of its driver, as
/// on a host that it has migrated to.
pub fn same_number(ends: &Ends<'_>) -> Result<()> {
    let (bed, name) = (ends.bed, ends.server.machine.name());
    let file = format!("/tmp/{name}.checkpoint");
    let before = ends.server_cid()?;
    reach_served(ends)?;
    bed.xenstore_remove(name, "data/xsock")?;
    bed.checkpoint(name, &file)?;
    bed.dom0().run(&["rm", &file])?.ok()?;
    ensure!(ends.server_cid()? == before, "another domain");
    reach_served(&Ends {
        server: ends.client.clone(),
        client: ends.server.clone(),
        ..*ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_found_by_either_end() {
        let log = "(XEN) gnttab_usage_print_all [ key 'g' pressed\n\
             (XEN)       -------- active --------       -------- shared --------\n\
             (XEN) [ref] localdom mfn      pin          localdom gmfn     flags\n\
             (XEN) grant-table for remote d1 (v1)\n\
             (XEN)   1 frames (64 max), 0 maptrack frames (1024 max)\n\
             (XEN) [0x000]      0 0x13cfff 0x00000002          0 0x00ffff 0x19\n\
             (XEN) [0x010]      7 0x13cfff 0x00000002          7 0x00ffff 0x19\n\
             (XEN) grant-table for remote d7 (v1)\n\
             (XEN) [0x001]      1 0x13dfff 0x00000002          1 0x00ffff 0x19\n\
             (XEN) gnttab_usage_print_all ] done\n";
        assert_eq!(grants_in(log, 7).len(), 2);
        assert_eq!(grants_in(log, 1).len(), 3);
        assert_eq!(grants_in(log, 3).len(), 0);
    }
}
