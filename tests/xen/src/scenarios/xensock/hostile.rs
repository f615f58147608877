// SPDX-License-Identifier: GPL-2.0
//! A peer that does not keep to the rules: it harms nobody but itself.

use super::fate::grants_with;
use super::{CID_HOST, End, Started, wait_until};
use anyhow::{Context, Result, ensure};
use bed::{Bed, Machine};
use std::time::{Duration, Instant};

const MODULE: &str = "xensock_hostile";
const DONE: &str = "/sys/kernel/debug/xensock_hostile/done";
/// What the peer does wrong, in all.
const MUTATIONS: u64 = 1_000_000;
/// On two processors that nobody else uses it takes 150 s, with KASAN 280.
const LIMIT: Duration = Duration::from_secs(1800);
/// Ports of what is pestered, by kind of socket.
const PORTS: [(&str, u32); 2] = [("vsock", 7100), ("seqpacket", 7101)];
const CID_ANY: u32 = u32::MAX;
const ROUND_MS: &str = "15000";
const SOCKETS: &str = "3";
/// For who has nothing to do with it.
const HONEST_PORT: u32 = 7000;

/// Who takes part.
pub struct Stage<'a> {
    pub bed: &'a Bed,
    pub hostile: &'a str,
    pub victim: &'a str,
}

/// Programs at both ends use sockets while the peer's driver does all wrong, until it has done so often enough;
/// meanwhile dom0 streams to the victim, and not a byte of that is lost. At last the peer is destroyed.
pub fn run(stage: &Stage<'_>) -> Result<()> {
    let hostile = stage.end(stage.hostile)?;
    let victim = stage.end(stage.victim)?;
    let dom0 = End {
        machine: stage.bed.dom0(),
        address: String::new(),
        local: false,
    };
    victim.insmod()?;
    dom0.insmod()?;
    hostile.machine.insmod(MODULE, &[])?;
    let _server = victim.serve("vsock")?;
    let honest = format!("vsock:{}:{HONEST_PORT}", stage.cid(stage.victim)?);
    wait_until("an honest connection", || {
        Ok(dom0.load("connects", &honest, &["1"]).is_ok())
    })?;
    let _echoes = [hostile.echoes()?, victim.echoes()?];

    let start = Instant::now();
    let mut streams = 0;
    while done(&hostile.machine)? < MUTATIONS {
        ensure!(start.elapsed() < LIMIT, "{}", said(&hostile.machine)?);
        let running = stage.pester(&hostile, &victim)?;
        while running.iter().any(|one| !is_over(one)) {
            dom0.load("stream", &honest, &["65536", "1MiB", "1", "0"])
                .with_context(|| format!("an honest stream, after {streams} others"))?;
            streams += 1;
        }
        for one in &running {
            println!("# {}: {}", one.machine.name(), one.output()?.trim());
        }
        tell(&hostile, &victim, streams)?;
    }
    for name in ["broken_rings", "broken_links"] {
        ensure!(victim.figure(name)? > 0, "none of {name}");
    }
    stage.destroy(&hostile, &victim)?;
    dom0.load("connects", &honest, &["20"]).map(drop)
}

/// What was done, and what came of it.
fn tell(hostile: &End<'_>, victim: &End<'_>, streams: u32) -> Result<()> {
    println!("# wrong: {}", said(&hostile.machine)?.replace('\n', ", "));
    let mut figures = Vec::new();
    for name in [
        "broken_rings",
        "broken_links",
        "reset",
        "accepted",
        "opened",
    ] {
        figures.push(format!("{name} {}", victim.figure(name)?));
    }
    println!("# victim: {}; {streams} honest streams", figures.join(", "));
    Ok(())
}

/// What the peer has done wrong so far, of each kind.
fn said(hostile: &Machine<'_>) -> Result<String> {
    hostile.read(DONE)
}

fn done(hostile: &Machine<'_>) -> Result<u64> {
    let text = said(hostile)?;
    let counts = text.lines().map(|line| {
        let (_, count) = line.split_once(' ').context("no count")?;
        Ok(count.parse::<u64>()?)
    });
    counts.sum()
}

fn is_over(started: &Started<'_>) -> bool {
    started.output().is_ok_and(|text| text.contains('}'))
}

impl<'a> Stage<'a> {
    fn end(&self, name: &str) -> Result<End<'a>> {
        Ok(End {
            machine: self.bed.guest(name)?,
            address: String::new(),
            local: false,
        })
    }

    fn cid(&self, name: &str) -> Result<u32> {
        Ok(self.bed.domid(name)? + CID_HOST)
    }

    /// Starts what uses sockets, from either end to the other.
    fn pester<'b>(&self, hostile: &'b End<'_>, victim: &'b End<'_>) -> Result<Vec<Started<'b>>> {
        let mut running = Vec::new();
        for (from, to) in [(hostile, self.victim), (victim, self.hostile)] {
            let cid = self.cid(to)?;
            for (kind, port) in PORTS {
                let there = format!("{kind}:{cid}:{port}");
                let words = [from.machine.agent(), "load", "pester", &there];
                let words = [&words[..], &[ROUND_MS, SOCKETS]].concat();
                running.push(from.spawn(&words, &format!("/tmp/pester-{kind}"))?);
            }
        }
        Ok(running)
    }

    /// The peer is destroyed in the midst of it: everything of it goes, and the module can go.
    fn destroy(&self, hostile: &End<'_>, victim: &End<'_>) -> Result<()> {
        let domid = self.bed.domid(self.hostile)?;
        for one in self.pester(hostile, victim)? {
            std::mem::forget(one);
        }
        std::thread::sleep(Duration::from_secs(3));
        self.bed.destroy(self.hostile)?;
        wait_until("the end of the peer's links", || {
            Ok(victim.figure("links")? == 1 && victim.figure("sockets")? == 0)
        })?;
        let mut grants = Vec::new();
        wait_until("the end of the peer's grants", || {
            grants = grants_with(self.bed, domid)?;
            Ok(grants.is_empty())
        })
        .with_context(|| format!("{grants:?}"))
    }
}

impl<'a> End<'a> {
    fn spawn(&'a self, words: &[&str], output: &str) -> Result<Started<'a>> {
        Ok(Started {
            pid: self.machine.spawn(words, output)?,
            machine: &self.machine,
            output: output.into(),
        })
    }

    /// Starts what sends everything back.
    fn echoes(&'a self) -> Result<Vec<Started<'a>>> {
        let start = |(kind, port)| {
            let address = format!("{kind}:{CID_ANY}:{port}");
            let words = [self.machine.agent(), "load", "echo", &address];
            let started = self.spawn(&words, &format!("/tmp/echo-{kind}"))?;
            started.wait_for_word("listening")?;
            Ok(started)
        };
        PORTS.into_iter().map(start).collect()
    }
}
