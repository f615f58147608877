// SPDX-License-Identifier: GPL-2.0
//! Scenarios for sockets between domains, on Debian's kernel: PV and PVH guests, alike and mixed, and dom0.

use super::{check_logs, tell_boot};
use crate::report::{Suite, Verdict};
use crate::scenarios::client;
use crate::scenarios::xensock::{BETWEEN_DOMAINS, BETWEEN_ENDS, Ends, FATES, Scenario};
use anyhow::Result;
use bed::{Bed, Guest, Host, Kind};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(3600);
/// Room for a guest's saved state.
const DOM0_MIB: u32 = 704;
const DOM0: &str = "dom0";
const MODULES: [&str; 3] = ["vsock", "vsock_diag", "vsock_loopback"];
/// Guests of a boot, and who connects to whom there. Two at once: four would have to share two processors
/// with dom0 while they boot.
struct Boot {
    kinds: [Kind; 2],
    pairs: &'static [(&'static str, &'static str)],
}

const BOOTS: [Boot; 3] = [
    Boot {
        kinds: [Kind::Pv, Kind::Pv],
        pairs: &[("a", "b"), (DOM0, "a")],
    },
    Boot {
        kinds: [Kind::Pvh, Kind::Pvh],
        pairs: &[("a", "b"), ("a", DOM0)],
    },
    Boot {
        kinds: [Kind::Pv, Kind::Pvh],
        pairs: &[("a", "b"), ("b", "a")],
    },
];

/// All that `wanted` lets through.
pub fn chosen(wanted: impl Fn(&str) -> bool) -> Vec<&'static Scenario> {
    let all = BETWEEN_ENDS.iter().chain(&BETWEEN_DOMAINS);
    let all = all.chain(&FATES);
    all.filter(|one| wanted(one.name)).collect()
}

/// Runs the chosen scenarios in each boot.
pub fn run(suite: &Suite, chosen: &[&Scenario], accel: &str) -> Result<()> {
    for boot in &BOOTS {
        run_boot(suite, boot, chosen, accel)?;
    }
    Ok(())
}

fn run_boot(suite: &Suite, boot: &Boot, chosen: &[&Scenario], accel: &str) -> Result<()> {
    let names = boot.kinds.map(|kind| kind.to_string());
    let host = Host::new(&format!("xensock-{}", names.join("-")));
    let host = host.limit(LIMIT).dom0_mib(DOM0_MIB).accel(accel);
    let mut host = host.dom0_module("xensock");
    for module in MODULES {
        host = host.dom0_kernel_module(module);
    }
    // Domains are told apart by what they are and by their place: pv-a, pvh-b.
    for (kind, place) in boot.kinds.into_iter().zip(["a", "b"]) {
        let guest = Guest::new(&format!("{kind}-{place}"), kind);
        let guest = guest.network().tools().module("xensock");
        let equip = |guest: Guest, module| guest.kernel_module(module);
        let guest = MODULES.into_iter().fold(guest, equip);
        host = host.guest(client::equip(guest, "xensock", "xensock/uapi")?);
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    let name = |place: &str| match place {
        "a" => bed.guests()[0].name(),
        "b" => bed.guests()[1].name(),
        _ => DOM0,
    };
    for (client, server) in boot.pairs {
        let ends = Ends::between(&bed, name(client), name(server))?;
        for scenario in chosen.iter().filter(|one| ends.can(one)) {
            run_one(suite, scenario, &ends);
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
