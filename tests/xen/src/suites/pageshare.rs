// SPDX-License-Identifier: GPL-2.0
//! Scenarios for shared areas, on Debian's kernel: dom0 and a PV guest keep them, a PV and a PVH guest
//! read.

use super::{check_logs, tell_boot};
use crate::report::Suite;
use crate::scenarios::client;
use crate::scenarios::pageshare::{self, Scenario};
use anyhow::Result;
use bed::{Bed, Guest, Host, place};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2700);
const DOM0_MIB: u32 = 704;
const GUEST_MIB: u32 = 256;

/// Runs the chosen scenarios, each for each pair of an owner and a member.
pub fn run(suite: &Suite, chosen: &[&Scenario], accel: &str) -> Result<()> {
    let tool = place::beside("pageshare")?;
    let mut host = Host::new("pageshare")
        .limit(LIMIT)
        .dom0_mib(DOM0_MIB)
        .accel(accel)
        .dom0_module("pageshare")
        .file(&tool, "pageshare");
    for guest in [Guest::pv("pv1"), Guest::pvh("pvh1")] {
        let guest = guest.memory_mib(GUEST_MIB).module("pageshare");
        let guest = guest.file(&tool, "bin/pageshare");
        host = host.guest(client::plain(guest, "maps")?);
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    for scenario in chosen {
        for (owner, member) in scenario.pairs {
            suite.run(&format!("{} {owner}->{member}", scenario.name), || {
                pageshare::run(&bed, scenario, owner, member)
            });
        }
    }
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}
