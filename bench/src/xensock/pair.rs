// SPDX-License-Identifier: GPL-2.0
//! Two guests that talk with each other, and one that talks to itself.
//!
//! The two have a processor each, and dom0 one for itself, so that nobody waits for another's turn; the third
//! has the two guests' processors, as a program at either end of a socket has one there, too.

use super::hypercalls::{Calls, Counter};
use super::turns::order;
use super::{Boot, Options, Runs};
use anyhow::{Context, Result, ensure};
use bed::{Bed, Guest, Host, Kind, Machine, tools};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(1800);
/// For one run.
const RUN: Duration = Duration::from_secs(120);
const CLIENT: &str = "client";
const SERVER: &str = "server";
const SINGLE: &str = "single";
/// The first of the guests' processors. dom0 stays on the one before, so that what is done there is its.
const FIRST: usize = 1;
const DOM0: &str = "dom0_vcpus_pin";
/// The first that is used.
pub const PORT: u32 = 7000;
const BUSY_POLL: &str = "/sys/class/misc/xensock/busy_poll_us";
const CID_ANY: u32 = u32::MAX;
const CID_LOCAL: u32 = 1;
/// What a guest needs for the ways of its pair.
const MODULES: [&str; 4] = ["vsock", "xen_gntdev", "xen_gntalloc", "xen_evtchn"];

/// How bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// xensock.
    Ours,
    /// TCP by netfront, dom0's bridge and netfront.
    Netfront,
    /// A ring between two programs, by `/dev/xen/gntdev` and the like.
    Vchan,
    /// Within one guest.
    Unix,
    /// The same, by vsock.
    Loopback,
}

impl Way {
    /// Whether both ends are in one guest.
    fn is_local(self) -> bool {
        matches!(self, Self::Unix | Self::Loopback)
    }

    /// Its name as that of a peer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "xensock",
            Self::Netfront => "netfront-tcp",
            Self::Vchan => "libxenvchan",
            Self::Unix => "af-unix",
            Self::Loopback => "vsock-loopback",
        }
    }
}

/// A boot.
pub struct Pair {
    bed: Bed,
    kind: Kind,
    ours: bool,
    rounds: Option<usize>,
    /// There is none but under TCG, in a boot that counts.
    counter: Option<Counter>,
}

impl Pair {
    /// Boots it and has somebody listen at each server's place. Hypercalls are counted on demand, where they can be.
    pub fn boot(kind: Kind, options: &Options, boot: &Boot) -> Result<Self> {
        let ours = !options.peers;
        let vchan = tools::vchan()?;
        let mut host = Host::new("bench")
            .cpus(3)
            .accel(&options.accel)
            .cmdline(DOM0, "")
            .limit(LIMIT);
        for (name, processor) in [(CLIENT, "1"), (SERVER, "2")] {
            let mut guest = Guest::new(name, kind).processors(processor).network();
            for module in MODULES {
                guest = guest.kernel_module(module);
            }
            if ours {
                guest = guest.module("xensock");
            }
            host = host.guest(boot.equip(guest.file(&vchan, "bin/vchan")));
        }
        let counts = boot.counts && options.accel.starts_with("tcg");
        let counter = counts.then(Counter::prepare).transpose()?;
        if let Some(counter) = &counter {
            host = host.emulator(&counter.words());
        }
        let single = Guest::new(SINGLE, kind).vcpus(2).processors("1-2");
        let single = single.kernel_module("vsock_loopback");
        let bed = Bed::boot(host.guest(boot.equip(single)))?;
        let pair = Self {
            bed,
            kind,
            ours,
            rounds: options.rounds,
            counter,
        };
        pair.listen()?;
        Ok(pair)
    }

    fn listen(&self) -> Result<()> {
        let (client, server) = (self.bed.guest(CLIENT)?, self.bed.guest(SERVER)?);
        if self.ours {
            client.insmod("xensock", &[])?;
            server.insmod("xensock", &[])?;
            self.serve(SERVER, &format!("vsock:{CID_ANY}:{PORT}"))?;
        }
        self.serve(SERVER, &format!("tcp:0.0.0.0:{PORT}"))?;
        self.serve(SINGLE, "unix:/tmp/load")?;
        let client = self.bed.domid(CLIENT)?.to_string();
        server.spawn(&["vchan", "serve", &self.node()?, &client], "/tmp/vchan")?;
        wait_for_word(&server, "/tmp/vchan")
    }

    fn serve(&self, name: &str, address: &str) -> Result<()> {
        let machine = self.bed.guest(name)?;
        let output = format!("/tmp/serve-{}", address.replace(['/', ':'], "-"));
        machine.spawn(&["/init", "load", "serve", address], &output)?;
        wait_for_word(&machine, &output)
    }

    /// Where the server's ring is told of in xenstore.
    fn node(&self) -> Result<String> {
        Ok(format!(
            "/local/domain/{}/data/vchan",
            self.bed.domid(SERVER)?
        ))
    }

    /// A metric's name.
    pub fn metric(&self, name: &str) -> String {
        format!("{}/{name}", self.kind)
    }

    /// The machines at either end of a way.
    pub fn ends(&self, way: Way) -> Result<Vec<Machine<'_>>> {
        match way.is_local() {
            true => Ok(vec![self.bed.guest(SINGLE)?]),
            false => Ok(vec![self.bed.guest(CLIENT)?, self.bed.guest(SERVER)?]),
        }
    }

    /// The CID of a server's end of vsock.
    pub fn cid(&self, way: Way) -> Result<u32> {
        match way.is_local() {
            true => Ok(CID_LOCAL),
            false => Ok(self.bed.domid(SERVER)? + 2),
        }
    }

    /// dom0.
    pub fn dom0(&self) -> Machine<'_> {
        self.bed.dom0()
    }

    /// Whether hypercalls are counted.
    pub fn counts_hypercalls(&self) -> bool {
        self.counter.is_some()
    }

    /// Whether xensock is there.
    pub fn has_ours(&self) -> bool {
        self.ours
    }

    /// Sets at both ends of ours for how long, in us, data are looked for before a program sleeps.
    pub fn busy_poll(&self, us: u32) -> Result<()> {
        let mut ends = self.ends(Way::Ours)?.into_iter();
        ends.try_for_each(|end| end.write(BUSY_POLL, &us.to_string()))
    }

    /// Hypercalls until now at all ends, where they are counted. dom0 has a part in netfront's.
    pub fn hypercalls(&self, way: Way) -> Result<Option<Calls>> {
        let first = match way {
            Way::Netfront => 0,
            _ => FIRST,
        };
        let counter = self.counter.as_ref();
        counter.map(|counter| counter.read(first)).transpose()
    }

    /// The program at the client's end.
    pub fn client(&self, way: Way) -> Result<Machine<'_>> {
        self.bed.guest(if way.is_local() { SINGLE } else { CLIENT })
    }

    /// The program at the server's end.
    pub fn server(&self, way: Way) -> Result<Machine<'_>> {
        self.bed.guest(if way.is_local() { SINGLE } else { SERVER })
    }

    /// The words that start it: what to do, then arguments.
    pub fn words(&self, way: Way, what: &str, arguments: &[String]) -> Result<Vec<String>> {
        let first: Vec<String> = match way {
            Way::Vchan => {
                let domid = self.bed.domid(SERVER)?.to_string();
                vec!["vchan".into(), what.into(), self.node()?, domid]
            }
            _ => {
                let address = match way {
                    Way::Ours | Way::Loopback => format!("vsock:{}:{PORT}", self.cid(way)?),
                    Way::Netfront => format!("tcp:{}:{PORT}", self.bed.address(SERVER)?),
                    _ => "unix:/tmp/load".into(),
                };
                vec!["/init".into(), "load".into(), what.into(), address]
            }
        };
        Ok([&first, arguments].concat())
    }

    /// Runs the client's program; answers what it says.
    pub fn load(&self, way: Way, what: &str, arguments: &[String]) -> Result<Value> {
        let words = self.words(way, what, arguments)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        said(&self.client(way)?, &words)
    }

    /// What a guest takes for a system call and for a copy.
    pub fn costs(&self) -> Result<Value> {
        said(&self.bed.guest(CLIENT)?, &["/init", "load", "costs"])
    }

    /// Runs all of these ways in every round, each time in another order, for as many rounds as asked, or `rounds`.
    /// Ours is left out where it is not there.
    pub fn alternate<T>(
        &self,
        rounds: usize,
        ways: &[Way],
        mut once: impl FnMut(Way) -> Result<T>,
        tell: impl Fn(&T) -> String,
    ) -> Result<Runs<T>> {
        let rounds = self.rounds.unwrap_or(rounds);
        let ways = ways.iter().filter(|way| self.ours || **way != Way::Ours);
        let mut ways: Vec<(Way, Vec<T>)> = ways.map(|way| (*way, Vec::new())).collect();
        for round in 0..rounds {
            let mut told = Vec::new();
            for turn in order(ways.len(), round) {
                let (way, runs) = &mut ways[turn];
                let run = once(*way).with_context(|| way.name())?;
                told.push(format!("{} {}", way.name(), tell(&run)));
                runs.push(run);
            }
            println!("{} {}/{rounds}: {}", self.kind, round + 1, told.join(", "));
        }
        Ok(Runs { ways })
    }

    /// The end.
    pub fn power_off(self) {
        self.bed.power_off();
    }
}

/// Runs a program; answers what it says.
fn said(machine: &Machine<'_>, words: &[&str]) -> Result<Value> {
    let text = machine.run_within(words, RUN)?.ok()?.stdout;
    serde_json::from_str(&text).with_context(|| format!("{}: {text:?}", words.join(" ")))
}

fn wait_for_word(machine: &Machine<'_>, output: &str) -> Result<()> {
    for _ in 0..100 {
        if machine.read(output)?.contains("listening") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = machine.read(output)?;
    ensure!(false, "{}: nobody listens: {told}", machine.name());
    Ok(())
}

/// A number in what a program says.
pub fn number(answer: &Value, name: &str) -> Result<f64> {
    let number = answer[name].as_f64();
    number.with_context(|| format!("no {name} in {answer}"))
}
