// SPDX-License-Identifier: GPL-2.0
//! Sockets between domains: the kernel tree's own tests, programs that people have, and what can happen to a
//! peer.

mod busy;
mod control;
mod datagrams;
mod edge;
mod events;
mod fate;
pub mod hostile;
mod idle;
mod kernel;
mod knobs;
mod load;
mod packets;
mod programs;
mod rings;
mod rules;
mod sight;
mod stall;

use super::wait_until;
use crate::report::Verdict;
use anyhow::{Context, Result, ensure};
use bed::{Bed, Machine, tools};
use std::sync::atomic::{AtomicU32, Ordering};

const CID_LOCAL: u32 = 1;
const CID_HOST: u32 = 2;
const DOM0: &str = "dom0";
const SIGTERM: i32 = 15;

/// A machine, and what the other end calls it.
#[derive(Clone)]
pub struct End<'a> {
    machine: Machine<'a>,
    address: String,
    local: bool,
}

/// The side that listens and the side that connects.
#[derive(Clone)]
pub struct Ends<'a> {
    bed: &'a Bed,
    server: End<'a>,
    client: End<'a>,
}

/// What comes of one scenario: a case or several.
pub type Cases = Vec<(String, Verdict)>;

/// A scenario.
pub struct Scenario {
    /// Begins with `xensock_`.
    pub name: &'static str,
    run: Run,
}

enum Run {
    One(fn(&Ends<'_>) -> Result<()>),
    Many(fn(&Ends<'_>) -> Result<Cases>),
}

/// For any two ends.
pub const BETWEEN_ENDS: [Scenario; 10] = [
    one("xensock_brief", load::brief),
    many("xensock_kernel_tests", kernel::run),
    one("xensock_socat", programs::socat),
    one("xensock_ncat", programs::ncat),
    one("xensock_http", programs::http),
    one("xensock_ssh", programs::ssh),
    one("xensock_stream", load::stream),
    one("xensock_seqpacket", load::seqpacket),
    one("xensock_edge", edge::edge),
    one("xensock_thousand", load::thousand),
];

/// Of all, what runs when nothing is asked for: without the programs below `/tools`.
pub const BRIEF: [&str; 2] = ["xensock_brief", "xensock_destroyed"];

/// Those that are worth the checks of the KUnit kernel, which has no trace events and runs no 32-bit programs.
pub const CHECKED: [&str; 13] = [
    "xensock_brief",
    "xensock_seqpacket",
    "xensock_edge",
    "xensock_thousand",
    "xensock_rules",
    "xensock_limits",
    "xensock_events",
    "xensock_figures",
    "xensock_datagrams",
    "xensock_paused",
    "xensock_destroyed",
    "xensock_restored",
    "xensock_restored_held",
];

/// For two domains that both have the module.
pub const BETWEEN_DOMAINS: [Scenario; 19] = [
    one("xensock_rules", rules::rules),
    one("xensock_rules_out", rules::rules_out),
    one("xensock_closed", rules::closed),
    one("xensock_limits", rules::limits),
    one("xensock_nobody", rules::nobody),
    one("xensock_events", events::events),
    one("xensock_rings", rings::rings),
    one("xensock_largest", rings::largest),
    one("xensock_too_long", packets::too_long),
    one("xensock_buffers", packets::buffers),
    one("xensock_datagrams", datagrams::datagrams),
    one("xensock_busy", busy::busy),
    one("xensock_idle", idle::idle),
    one("xensock_namespaces", rules::namespaces),
    one("xensock_ioctl", control::ioctl),
    one("xensock_figures", sight::figures),
    one("xensock_traced", sight::traced),
    one("xensock_link_traced", sight::link_traced),
    one("xensock_contact", sight::contact),
];

/// For two domains, of which the server may come to its end.
pub const FATES: [Scenario; 9] = [
    one("xensock_stalled", stall::stalled),
    one("xensock_stalled_end", stall::stalled_end),
    one("xensock_destroyed", fate::destroyed),
    one("xensock_late", fate::late),
    one("xensock_paused", fate::paused),
    one("xensock_restored", fate::restored),
    one("xensock_restored_held", events::restored),
    one("xensock_migrated", fate::migrated),
    one("xensock_same_number", fate::same_number),
];

const fn one(name: &'static str, run: fn(&Ends<'_>) -> Result<()>) -> Scenario {
    let run = Run::One(run);
    Scenario { name, run }
}

const fn many(name: &'static str, run: fn(&Ends<'_>) -> Result<Cases>) -> Scenario {
    let run = Run::Many(run);
    Scenario { name, run }
}

impl Scenario {
    /// Runs it; answers its cases by name.
    pub fn run(&self, ends: &Ends<'_>) -> Cases {
        let whole = format!("{} {ends}", self.name);
        match self.run {
            Run::One(run) => vec![(whole, Verdict::from(run(ends)))],
            Run::Many(run) => match run(ends) {
                Ok(cases) => {
                    let cases = cases.into_iter();
                    let named = cases.map(|(name, verdict)| (format!("{whole}: {name}"), verdict));
                    named.collect()
                }
                Err(error) => vec![(whole, Verdict::from(Err(error)))],
            },
        }
    }
}

impl<'a> Ends<'a> {
    /// Two domains.
    pub fn between(bed: &'a Bed, client: &str, server: &str) -> Result<Self> {
        let end = |name: &str| -> Result<End<'a>> {
            let machine = match name {
                DOM0 => bed.dom0(),
                _ => bed.guest(name)?,
            };
            Ok(End {
                machine,
                address: bed.address(name)?,
                local: false,
            })
        };
        Ok(Self {
            bed,
            server: end(server)?,
            client: end(client)?,
        })
    }

    /// dom0 cannot come to its end.
    pub fn can(&self, scenario: &Scenario) -> bool {
        let is_fate = FATES.iter().any(|fate| fate.name == scenario.name);
        !is_fate || self.server.machine.name() != DOM0
    }

    /// Puts both ends back to where scenarios start, whatever the last one has left of them.
    pub fn revive(&self) -> Result<()> {
        for end in [&self.server, &self.client] {
            let (machine, name) = (&end.machine, end.machine.name());
            if machine.read("/proc/modules").is_err() {
                ensure!(name != DOM0, "dom0 does not answer");
                let _ = self.bed.destroy(name);
                self.bed.create(name)?;
                self.bed.wait_for_guest(name)?;
            }
            end.insmod()?;
        }
        Ok(())
    }

    /// One machine that talks to itself, by the kernel's own loopback.
    pub fn loopback(bed: &'a Bed, name: &str) -> Result<Self> {
        let end = End {
            machine: bed.guest(name)?,
            address: "127.0.0.1".into(),
            local: true,
        };
        Ok(Self {
            bed,
            server: end.clone(),
            client: end,
        })
    }
}

impl std::fmt::Display for Ends<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}->{}",
            self.client.machine.name(),
            self.server.machine.name()
        )
    }
}

impl Ends<'_> {
    /// What the client calls the server, and the server the client. A domain that was restored has another
    /// one than before.
    fn cid(&self, end: &End<'_>) -> Result<u32> {
        match end.machine.name() {
            _ if end.local => Ok(CID_LOCAL),
            DOM0 => Ok(CID_HOST),
            name => Ok(self.bed.domid(name)? + CID_HOST),
        }
    }

    fn server_cid(&self) -> Result<u32> {
        self.cid(&self.server)
    }
}

impl End<'_> {
    /// Loads our module if it is not there.
    fn insmod(&self) -> Result<()> {
        let modules = self.machine.read("/proc/modules")?;
        if modules.lines().any(|line| line.starts_with("xensock ")) {
            return Ok(());
        }
        self.machine.insmod("xensock", &[])
    }

    /// Unloads our module once programs that were told to end have done so.
    fn rmmod(&self) -> Result<()> {
        wait_until("a module that nobody uses", || {
            Ok(self.machine.read("/sys/module/xensock/refcnt")?.trim() == "0")
        })?;
        self.machine.rmmod("xensock")
    }

    /// Starts a program below `/tools`, its output in a file; it ends with what is answered.
    fn start(&self, argv: &[&str]) -> Result<Started<'_>> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let output = format!("/tmp/output-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let pid = self.machine.spawn(&tools::command(argv), &output)?;
        Ok(Started {
            machine: &self.machine,
            pid,
            output,
        })
    }

    /// Runs a program below `/tools` to its end, which has to be a good one; answers its output.
    fn run(&self, argv: &[&str]) -> Result<String> {
        let output = self.machine.run(&tools::command(argv))?.ok()?;
        Ok(output.stdout)
    }

    /// Runs a line of shell below `/tools` likewise.
    fn shell(&self, line: &str) -> Result<String> {
        self.run(&["sh", "-ec", line])
    }

    /// Starts a program likewise, and waits until it listens on a port of AF_VSOCK, as `ss` sees it.
    fn listen(&self, argv: &[&str], port: u32) -> Result<Started<'_>> {
        let started = self.start(argv)?;
        let wanted = format!(":{port}");
        let listens = || {
            let text = self.run(&["ss", "--vsock", "--listening", "--no-header"])?;
            let mut words = text.split_whitespace();
            Ok(words.any(|word| word.ends_with(&wanted)))
        };
        let waited = wait_until(&format!("listener on {port}"), listens);
        waited.with_context(|| format!("{argv:?}: {}", started.output().unwrap_or_default()))?;
        Ok(started)
    }
}

/// A program that runs until this is dropped.
pub struct Started<'a> {
    machine: &'a Machine<'a>,
    pid: i32,
    output: String,
}

impl Started<'_> {
    fn output(&self) -> Result<String> {
        self.machine.read(&self.output)
    }

    fn wait_for_word(&self, word: &str) -> Result<()> {
        wait_until(&format!("{word:?} in {}", self.output), || {
            Ok(self.output()?.contains(word))
        })
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        // It may have ended by itself, or its machine with it.
        let _ = self.machine.kill(self.pid, SIGTERM);
    }
}
