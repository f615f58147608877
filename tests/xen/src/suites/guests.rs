// SPDX-License-Identifier: GPL-2.0
//! Scenarios on Debian's kernel: all in one boot, a PV and a PVH guest at the same time.

use super::{check_logs, is_wanted, tell_boot};
use crate::report::Suite;
use crate::scenarios::client::{equip, plain};
use crate::scenarios::host::Alone;
use crate::scenarios::{self, Scenario, away, foreign};
use anyhow::Result;
use bed::{Bed, Guest, Host, Kind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2700);
/// Room for a guest's saved state.
const DOM0_MIB: u32 = 704;
const KINDS: [Kind; 2] = [Kind::Pv, Kind::Pvh];

/// The chosen scenarios.
pub struct Chosen {
    /// Those for guests; who is to have them.
    each: Vec<(Scenario, Takers)>,
    /// Those that nobody else is in the way of.
    alone: Vec<Alone>,
}

/// Which guests have a scenario.
enum Takers {
    All,
    /// Who comes first, if nobody has.
    One(AtomicBool),
}

impl Takers {
    /// Whether a guest that has come to it is to have it.
    fn take(&self) -> bool {
        match self {
            Self::All => true,
            Self::One(taken) => !taken.swap(true, Ordering::Relaxed),
        }
    }
}

impl Chosen {
    /// All with a name that begins as `filter` says. With an empty one those that are run when nothing is asked for,
    /// some of them in one kind of guest only.
    pub fn new(filter: &str) -> Self {
        let is_brief = filter.is_empty();
        let is_chosen = |name: &str| match is_brief {
            true => !scenarios::LONG.contains(&name),
            false => is_wanted(name, filter),
        };
        let takers = |name: &str| match is_brief && scenarios::ALIKE.contains(&name) {
            true => Takers::One(AtomicBool::new(false)),
            false => Takers::All,
        };
        let all = scenarios::all().filter(|one| is_chosen(one.name));
        let alone = scenarios::alone().filter(|(name, _)| is_chosen(name));
        Self {
            each: all.map(|one| (one, takers(one.name))).collect(),
            alone: alone.collect(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty() && self.alone.is_empty()
    }

    fn any_of(&self, scenarios: &[Alone]) -> bool {
        let mut alone = self.alone.iter();
        alone.any(|(one, _)| scenarios.iter().any(|(name, _)| name == one))
    }

    /// What they need.
    fn host(&self, accel: &str) -> Result<Host> {
        let mut host = Host::new("scenarios")
            .limit(LIMIT)
            .dom0_mib(DOM0_MIB)
            .accel(accel);
        for kind in KINDS {
            let guest = Guest::new(&format!("{kind}1"), kind)
                .memory_mib(scenarios::BOOT_MIB as u32)
                .maxmem_mib(scenarios::MOST_MIB as u32);
            let guest = match self.each.is_empty() {
                true => guest.later(),
                false => guest,
            };
            let guest = plain(guest.module("xenballoon"), "starve")?;
            host = host.guest(equip(guest, "xenballoon", "balloon/uapi")?);
        }
        host = scenarios::host::equip(host.dom0_module("xenballoon"));
        if self.any_of(&foreign::SCENARIOS) {
            host = foreign::equip(host)?;
        }
        if self.any_of(&away::SCENARIOS) {
            host = away::equip(host);
        }
        Ok(host)
    }
}

/// Runs the chosen scenarios.
pub fn run(suite: &Suite, chosen: &Chosen, accel: &str) -> Result<()> {
    let bed = Bed::boot(chosen.host(accel)?)?;
    tell_boot(suite, &bed);
    let guests = bed.guests().iter();
    let guests: Vec<_> = guests.filter(|guest| !guest.is_later()).collect();
    std::thread::scope(|scope| {
        for guest in &guests {
            scope.spawn(|| run_in(suite, &bed, guest.name(), chosen));
        }
    });
    for guest in guests.iter().filter(|_| !chosen.alone.is_empty()) {
        // One that has gone already was reported.
        let _ = bed.destroy(guest.name());
    }
    for (name, run) in &chosen.alone {
        suite.run(name, || run(&bed));
    }
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}

fn run_in(suite: &Suite, bed: &Bed, name: &str, chosen: &Chosen) {
    for (scenario, _) in chosen.each.iter().filter(|(_, takers)| takers.take()) {
        suite.run(&format!("{} {name}", scenario.name), || {
            scenarios::prepare(bed, name).and_then(|balloon| (scenario.run)(balloon))
        });
    }
}
