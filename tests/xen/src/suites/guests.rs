// SPDX-License-Identifier: GPL-2.0
//! Scenarios on Debian's kernel: all in one boot, a PV and a PVH guest at the same time.

use super::{check_logs, tell_boot};
use crate::report::Suite;
use crate::scenarios::client::{equip, plain};
use crate::scenarios::host::Alone;
use crate::scenarios::{self, Scenario, away, foreign};
use anyhow::Result;
use bed::{Bed, Guest, Host};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2700);
/// Room for a guest's saved state.
const DOM0_MIB: u32 = 704;

/// Runs the chosen scenarios.
pub fn run(suite: &Suite, chosen: &[Scenario], alone: &[Alone], accel: &str) -> Result<()> {
    let mut host = Host::new("scenarios")
        .limit(LIMIT)
        .dom0_mib(DOM0_MIB)
        .accel(accel);
    for guest in [Guest::pv("pv1"), Guest::pvh("pvh1")] {
        let guest = guest
            .memory_mib(scenarios::BOOT_MIB as u32)
            .maxmem_mib(scenarios::MOST_MIB as u32);
        let guest = match chosen.is_empty() {
            true => guest.later(),
            false => guest,
        };
        let guest = plain(guest.module("xenballoon"), "starve")?;
        host = host.guest(equip(guest, "xenballoon", "balloon/uapi")?);
    }
    host = scenarios::host::equip(host.dom0_module("xenballoon"));
    let any_of = |scenarios: &[Alone]| {
        let mut chosen = alone.iter();
        chosen.any(|(one, _)| scenarios.iter().any(|(name, _)| name == one))
    };
    if any_of(&foreign::SCENARIOS) {
        host = foreign::equip(host)?;
    }
    if any_of(&away::SCENARIOS) {
        host = away::equip(host);
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    std::thread::scope(|scope| {
        for guest in bed.guests().iter().filter(|guest| !guest.is_later()) {
            scope.spawn(|| run_in(suite, &bed, guest, chosen));
        }
    });
    let guests = bed.guests().iter().filter(|guest| !guest.is_later());
    for guest in guests.filter(|_| !alone.is_empty()) {
        // One that has gone already was reported.
        let _ = bed.destroy(guest.name());
    }
    for (name, run) in alone {
        suite.run(name, || run(&bed));
    }
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}

fn run_in(suite: &Suite, bed: &Bed, guest: &Guest, chosen: &[Scenario]) {
    let name = guest.name();
    for scenario in chosen {
        suite.run(&format!("{} {name}", scenario.name), || {
            scenarios::prepare(bed, name).and_then(|balloon| (scenario.run)(balloon))
        });
    }
}
