// SPDX-License-Identifier: GPL-2.0
//! The bed's own load between two ends: every byte is looked at where it arrives.

use super::{End, Ends, Started, wait_until};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

const PORT: u32 = 7000;
const CID_ANY: u32 = u32::MAX;
/// For what one run of a load may take.
const LIMIT: Duration = Duration::from_secs(600);
/// At the quarters of a stream: long enough for rings to shrink.
const PAUSE_MS: &str = "1500";
/// How much goes by default, and what says otherwise.
const MIB: u64 = 128;
const MIB_VARIABLE: &str = "XENOXIDE_STREAM_MIB";
const SOCKETS: usize = 1000;

impl<'a> End<'a> {
    /// Starts the server; `kind` is `vsock` or `seqpacket`.
    pub fn serve(&'a self, kind: &str) -> Result<Started<'a>> {
        let address = format!("{kind}:{CID_ANY}:{PORT}");
        let output = format!("/tmp/serve-{kind}");
        let words = [self.machine.agent(), "load", "serve", &address];
        let started = Started {
            pid: self.machine.spawn(&words, &output)?,
            machine: &self.machine,
            output,
        };
        started.wait_for_word("listening")?;
        Ok(started)
    }

    /// Runs a client's load to its end; answers what it says.
    pub fn load(&self, what: &str, address: &str, arguments: &[&str]) -> Result<serde_json::Value> {
        let words = [&[self.machine.agent(), "load", what, address], arguments].concat();
        let text = self.machine.run_within(&words, LIMIT)?.ok()?.stdout;
        serde_json::from_str(&text).with_context(|| format!("{what}: {text:?}"))
    }

    /// Starts a client's load.
    pub fn start_load(&'a self, what: &str, address: &str, more: &[&str]) -> Result<Started<'a>> {
        let words = [&[self.machine.agent(), "load", what, address], more].concat();
        let output = format!("/tmp/load-{what}");
        Ok(Started {
            pid: self.machine.spawn(&words, &output)?,
            machine: &self.machine,
            output,
        })
    }
}

impl Ends<'_> {
    /// The address of the server that `End::serve` starts.
    pub fn there(&self, kind: &str) -> Result<String> {
        Ok(format!("{kind}:{}:{PORT}", self.server_cid()?))
    }
}

/// Much, in writes of several sizes, with pauses.
pub fn stream(ends: &Ends<'_>) -> Result<()> {
    let mib = match std::env::var(MIB_VARIABLE) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{MIB_VARIABLE}={text}"))?,
        Err(_) => MIB,
    };
    let _server = ends.server.serve("vsock")?;
    let there = ends.there("vsock")?;
    // Small writes take long: they get a part of it.
    for (size, part) in [("1000003", 2), ("65536", 4), ("4097", 8), ("61", 64)] {
        let limit = format!("{}MiB", (mib / part).max(1));
        ends.client
            .load("stream", &there, &[size, &limit, "1", PAUSE_MS])?;
    }
    let limit = format!("{}MiB", (mib / 32).max(1));
    ends.client
        .load("stream", &there, &["65536", &limit, "8", "0"])?;
    Ok(())
}

/// A little of everything: bytes, records, connections.
pub fn brief(ends: &Ends<'_>) -> Result<()> {
    {
        let _server = ends.server.serve("vsock")?;
        let there = ends.there("vsock")?;
        let load = |what, arguments| ends.client.load(what, &there, arguments);
        load("stream", &["65536", "12MiB", "2", PAUSE_MS])?;
        load("stream", &["1000003", "8MiB", "1", PAUSE_MS])?;
        load("pingpong", &["64", "100"])?;
        load("connects", &["50"])?;
    }
    let _server = ends.server.serve("seqpacket")?;
    let there = ends.there("seqpacket")?;
    ends.client
        .load("stream", &there, &["4000", "1MiB", "2", "0"])
        .map(drop)
}

/// Records keep their bounds and their order.
pub fn seqpacket(ends: &Ends<'_>) -> Result<()> {
    let _server = ends.server.serve("seqpacket")?;
    let there = ends.there("seqpacket")?;
    ends.client
        .load("stream", &there, &["4000", "4MiB", "2", "0"])?;
    ends.client.load("pingpong", &there, &["700", "200"])?;
    Ok(())
}

/// A thousand connections at once, and another that works among them.
pub fn thousand(ends: &Ends<'_>) -> Result<()> {
    let _server = ends.server.serve("vsock")?;
    let there = ends.there("vsock")?;
    for _ in 0..2 {
        let held = ends
            .client
            .start_load("hold", &there, &[&SOCKETS.to_string()])?;
        let done = || Ok(held.output()?.contains("held"));
        wait_until(&format!("{SOCKETS} sockets"), done)
            .with_context(|| held.output().unwrap_or_default())?;
        let alive = ends
            .client
            .shell("ss --vsock --no-header | grep -c ESTAB || true")?;
        ensure!(
            alive.trim().parse::<usize>()? >= SOCKETS,
            "ss sees {} sockets",
            alive.trim()
        );
        ends.client.load("pingpong", &there, &["64", "100"])?;
        drop(held);
        ends.client.load("release", &there, &[])?;
    }
    Ok(())
}
