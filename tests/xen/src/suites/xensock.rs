// SPDX-License-Identifier: GPL-2.0
//! Scenarios for sockets between domains, on Debian's kernel: two PV guests, two PVH guests and dom0 in one
//! boot; one of each, and the shorter scenarios, where all tests are run.

use super::{check_logs, tell_boot};
use crate::report::{Suite, Verdict};
use crate::scenarios::xensock::{BETWEEN_ENDS, Ends, FATES, Scenario};
use anyhow::Result;
use bed::{Bed, Guest, Host};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(3600);
/// Room for a guest's saved state.
const DOM0_MIB: u32 = 704;
const DOM0: &str = "dom0";
const MODULES: [&str; 3] = ["vsock", "vsock_diag", "vsock_loopback"];
/// Who connects to whom.
const PAIRS: [(&str, &str); 5] = [
    ("pv1", "pv2"),
    ("pvh1", "pvh2"),
    ("pv1", "pvh1"),
    ("pvh1", DOM0),
    (DOM0, "pv1"),
];

/// Those that are run with all other tests.
const SHORT: [&str; 4] = [
    "xensock_socat",
    "xensock_ncat",
    "xensock_stream",
    "xensock_seqpacket",
];

/// All that `wanted` lets through; the short ones if it is about all tests there are.
pub fn chosen(filter: &str, wanted: impl Fn(&str) -> bool) -> Vec<&'static Scenario> {
    let all = BETWEEN_ENDS.iter().chain(&FATES);
    let chosen = all.filter(|one| wanted(one.name));
    chosen
        .filter(|one| !filter.is_empty() || SHORT.contains(&one.name))
        .collect()
}

/// Runs the chosen scenarios.
pub fn run(suite: &Suite, chosen: &[&Scenario], short: bool, accel: &str) -> Result<()> {
    let host = Host::new("xensock").limit(LIMIT).dom0_mib(DOM0_MIB);
    let mut host = host.accel(accel).dom0_module("xensock");
    for module in MODULES {
        host = host.dom0_kernel_module(module);
    }
    let first = [Guest::pv("pv1"), Guest::pvh("pvh1")];
    let second = [Guest::pv("pv2"), Guest::pvh("pvh2")];
    let second = second.into_iter().filter(|_| !short);
    for guest in first.into_iter().chain(second) {
        let guest = guest.network().tools().module("xensock");
        let equip = |guest: Guest, module| guest.kernel_module(module);
        host = host.guest(MODULES.into_iter().fold(guest, equip));
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    bed.dom0().insmod("xensock", &[])?;
    for guest in bed.guests() {
        bed.guest(guest.name())?.insmod("xensock", &[])?;
    }
    let here = |name| name == DOM0 || bed.guests().iter().any(|guest| guest.name() == name);
    for (client, server) in PAIRS {
        if !here(client) || !here(server) {
            continue;
        }
        let ends = Ends::between(&bed, client, server)?;
        for scenario in chosen {
            if ends.can(scenario) {
                run_one(suite, scenario, &ends);
            }
        }
    }
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}

fn run_one(suite: &Suite, scenario: &Scenario, ends: &Ends<'_>) {
    let cases = match ends.revive() {
        Ok(()) => scenario.run(ends),
        Err(error) => vec![(
            format!("{} {ends}", scenario.name),
            Verdict::from(Err(error)),
        )],
    };
    for (name, verdict) in cases {
        suite.case(&name, verdict);
    }
}
