// SPDX-License-Identifier: GPL-2.0
//! Our balloon beside the driver built into the kernel: the same guest, the same moves, in turn.

mod counts;
mod idle;
mod latency;
mod rates;
mod scaling;
mod victim;

use crate::metric::Metric;
use anyhow::{Context, Result};
use bed::balloon::{BUILTIN, SYSFS};
use bed::{Bed, Guest, Host, Machine, Span, Until, Write};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(2);
const LIMIT: Duration = Duration::from_secs(300);
const PEER: &str = "drivers/xen/balloon.c";

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// MiB/s of taking and giving.
    Rates,
    /// The time to the first change.
    Latency,
    /// What the guest's own work loses meanwhile.
    Victim,
    /// The cost of a GiB by the size of the move.
    Scaling,
    /// What goes back by itself.
    Idle,
    /// Hypercalls, TLB flushes, and the size of extents.
    Counts,
}

/// What to measure, and how.
pub struct Options {
    /// QEMU's accelerator.
    pub accel: String,
    /// Pairs of runs, instead of each group's own number.
    pub rounds: Option<usize>,
    /// Only these, or all if there are none.
    pub only: Vec<Group>,
}

type Measure = fn(&Both<'_>) -> Result<Vec<Metric>>;

/// A boot, and what is measured in it, in this order.
struct Boot {
    guest: Guest,
    cpus: u32,
    groups: &'static [(Group, Measure)],
}

fn boots() -> [Boot; 4] {
    [
        Boot {
            guest: Guest::pv("pv").memory_mib(512),
            cpus: 2,
            groups: &[
                (Group::Rates, rates::measure),
                // Last, as it leaves probes behind.
                (Group::Counts, counts::measure),
            ],
        },
        Boot {
            guest: Guest::pvh("pvh").memory_mib(512),
            cpus: 2,
            groups: &[(Group::Rates, rates::measure)],
        },
        // Nobody else runs where one of the guest's processors does: the first is left to dom0.
        Boot {
            guest: Guest::pvh("pvh").memory_mib(1024).vcpus(2),
            cpus: 3,
            groups: &[
                (Group::Latency, latency::measure),
                (Group::Victim, victim::measure),
            ],
        },
        Boot {
            guest: Guest::pvh("pvh").memory_mib(2048),
            cpus: 2,
            groups: &[
                (Group::Scaling, scaling::measure),
                (Group::Idle, idle::measure),
                // Last, as it leaves probes behind.
                (Group::Counts, counts::measure),
            ],
        },
    ]
}

/// What was found, and what could not be.
#[derive(Default)]
pub struct Report {
    /// In the order in which they were measured.
    pub metrics: Vec<Metric>,
    /// Why others are missing.
    pub failures: Vec<anyhow::Error>,
}

/// Boots the guests in turn and measures there. A boot in which something fails is given up.
pub fn run(options: &Options) -> Report {
    let mut report = Report::default();
    for boot in boots() {
        let wanted = |group| options.only.is_empty() || options.only.contains(&group);
        let groups = boot.groups.iter().filter(|(group, _)| wanted(*group));
        let groups: Vec<_> = groups.collect();
        if groups.is_empty() {
            continue;
        }
        if let Err(error) = run_in(&boot, &groups, options, &mut report.metrics) {
            report.failures.push(error);
        }
    }
    report
}

fn run_in(
    boot: &Boot,
    groups: &[&(Group, Measure)],
    options: &Options,
    metrics: &mut Vec<Metric>,
) -> Result<()> {
    let name = boot.guest.name();
    println!("{name}: booting");
    let host = Host::new("bench").cpus(boot.cpus).accel(&options.accel);
    let host = host.limit(Duration::from_secs(2400));
    let guest = boot.guest.clone().module("xenballoon");
    let bed = Bed::boot(bed::pages::equip(host.guest(guest))?)?;
    let both = Both::of(&bed, name, options.rounds)?;
    both.touch()?;
    for (group, measure) in groups {
        let found = measure(&both).with_context(|| format!("{name}: {group:?}"))?;
        metrics.extend(found);
    }
    bed.power_off();
    Ok(())
}

/// A driver and its files in a guest.
struct Driver {
    name: &'static str,
    target: String,
    current: String,
}

impl Driver {
    fn at(name: &'static str, folder: &str) -> Self {
        Self {
            name,
            target: format!("{folder}/target_kb"),
            current: format!("{folder}/info/current_kb"),
        }
    }

    fn is_ours(&self) -> bool {
        self.name != PEER
    }
}

/// A guest with both drivers.
struct Both<'a> {
    bed: &'a Bed,
    guest: Machine<'a>,
    ours: Driver,
    peer: Driver,
    /// What the guest has when nothing is taken.
    big_kb: u64,
    rounds: Option<usize>,
}

impl<'a> Both<'a> {
    fn of(bed: &'a Bed, name: &str, rounds: Option<usize>) -> Result<Self> {
        let guest = bed.guest(name)?;
        let peer = Driver::at(PEER, BUILTIN);
        Ok(Self {
            big_kb: guest.read_number(&peer.current)?,
            bed,
            guest,
            ours: Driver::at("xenballoon", SYSFS),
            peer,
            rounds,
        })
    }

    /// A metric's name.
    fn metric(&self, name: &str) -> String {
        format!("{}/{name}", self.guest.name())
    }

    /// When a guest's memory is used for the first time, the emulator has to get it too, and when code is run
    /// for the first time, in the guest or in Xen, to translate it. Whoever comes first would pay for that: so
    /// both have been there once.
    fn touch(&self) -> Result<()> {
        let there_and_back = |quarters, driver: &_| {
            self.there_and_back(driver, whole_pages(self.big_kb * quarters / 4))
        };
        self.with_peer(|driver| there_and_back(3, driver))?;
        self.with_ours(|driver| there_and_back(1, driver))?;
        Ok(())
    }

    /// Does it with both, as often as asked, or `rounds` times: the peer begins, in the next round ours, so that each
    /// comes as often after itself as after the other one. How memory is mapped by Xen and lies with the guest's
    /// allocator is what the one before has left.
    fn alternate<T>(
        &self,
        rounds: usize,
        mut once: impl FnMut(&Driver) -> Result<T>,
        tell: impl Fn(&T) -> String,
    ) -> Result<Vec<(T, T)>> {
        let rounds = self.rounds.unwrap_or(rounds);
        let mut pairs = Vec::new();
        for round in 1..=rounds {
            let (ours, peer) = if round % 2 == 1 {
                let peer = self.with_peer(&mut once)?;
                (self.with_ours(&mut once)?, peer)
            } else {
                (self.with_ours(&mut once)?, self.with_peer(&mut once)?)
            };
            let (name, mine, theirs) = (self.guest.name(), tell(&ours), tell(&peer));
            println!("{name} {round}/{rounds}: {mine} beside {theirs}");
            pairs.push((ours, peer));
        }
        Ok(pairs)
    }

    fn with_peer<T>(&self, once: impl FnOnce(&Driver) -> Result<T>) -> Result<T> {
        once(&self.peer).context(PEER)
    }

    fn with_ours<T>(&self, once: impl FnOnce(&Driver) -> Result<T>) -> Result<T> {
        self.guest.insmod("xenballoon", &[])?;
        let ours = once(&self.ours).context("xenballoon")?;
        self.guest.rmmod("xenballoon")?;
        Ok(ours)
    }

    /// Moves to a target; answers the time it took, by the guest's clock.
    fn go(&self, driver: &Driver, to_kb: u64) -> Result<Span> {
        let text = to_kb.to_string();
        let write = Write {
            path: &driver.target,
            text: &text,
        };
        let until = Until {
            path: &driver.current,
            equals: &text,
            poll: POLL,
            limit: LIMIT,
        };
        self.guest.write_then_wait(write, until)
    }

    /// Takes so much of the guest's memory and gives it back.
    fn there_and_back(&self, driver: &Driver, kb: u64) -> Result<Trip> {
        Ok(Trip {
            kb,
            take: self.go(driver, self.big_kb - kb)?,
            give: self.go(driver, self.big_kb)?,
        })
    }
}

/// Memory taken and given back.
#[derive(Clone, Copy)]
struct Trip {
    kb: u64,
    take: Span,
    give: Span,
}

impl Trip {
    fn mib_per_s(&self, part: Span) -> f64 {
        self.kb as f64 / 1024.0 / part.elapsed.as_secs_f64()
    }

    fn ms_per_gib(&self, part: Span) -> f64 {
        part.elapsed.as_secs_f64() * 1000.0 / gib(self.kb)
    }
}

/// What of so many KiB is whole pages.
fn whole_pages(kb: u64) -> u64 {
    kb & !3
}

fn gib(kb: u64) -> f64 {
    kb as f64 / f64::from(1 << 20)
}

/// One figure of each run.
fn each<T>(pairs: &[(T, T)], figure: impl Fn(&T) -> f64) -> Vec<(f64, f64)> {
    let both = pairs
        .iter()
        .map(|(ours, peer)| (figure(ours), figure(peer)));
    both.collect()
}
