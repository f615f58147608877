// SPDX-License-Identifier: GPL-2.0
//! Scenarios for sockets between domains, on Debian's kernel: PV and PVH guests, alike and mixed, and dom0.

use super::{check_logs, kunit, tell_boot};
use crate::report::{Suite, Verdict};
use crate::scenarios::client;
use crate::scenarios::xensock::{
    BETWEEN_DOMAINS, BETWEEN_ENDS, BRIEF, CHECKED, Ends, FATES, Scenario,
};
use anyhow::Result;
use bed::{Bed, Flavour, Guest, Host, Kind};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(3600);
/// Room for a guest's saved state.
const DOM0_MIB: u32 = 704;
/// Room for a guest that is there twice while it migrates.
const SPARE_MIB: u32 = 288;
const DOM0: &str = "dom0";
/// Says which pairs are wanted, `pvh-a->pvh-b,pv-a->pv-b` for two of them; all if there is no such variable.
const PAIRS_VARIABLE: &str = "XENOXIDE_PAIRS";
const MODULES: [&str; 3] = ["vsock", "vsock_diag", "vsock_loopback"];
/// Guests of a boot, and who connects to whom there. Two at once: four would have to share two processors
/// with dom0 while they boot.
struct Boot {
    kinds: [Kind; 2],
    flavour: Flavour,
    pairs: &'static [(&'static str, &'static str)],
    /// Whether there are programs below `/tools`.
    tools: bool,
}

/// For what runs when nothing is asked for.
const BRIEF_BOOT: Boot = Boot {
    kinds: [Kind::Pv, Kind::Pvh],
    flavour: Flavour::Stock,
    pairs: &[("a", "b")],
    tools: false,
};

/// With lockdep and kmemleak in the guests.
const CHECKED_BOOT: Boot = Boot {
    kinds: [Kind::Pv, Kind::Pvh],
    flavour: Flavour::Kunit,
    pairs: &[("a", "b"), ("b", "a")],
    tools: true,
};

const BOOTS: [Boot; 3] = [
    Boot {
        kinds: [Kind::Pv, Kind::Pv],
        flavour: Flavour::Stock,
        pairs: &[("a", "b"), (DOM0, "a")],
        tools: true,
    },
    Boot {
        kinds: [Kind::Pvh, Kind::Pvh],
        flavour: Flavour::Stock,
        pairs: &[("a", "b"), ("a", DOM0)],
        tools: true,
    },
    Boot {
        kinds: [Kind::Pv, Kind::Pvh],
        flavour: Flavour::Stock,
        pairs: &[("a", "b"), ("b", "a")],
        tools: true,
    },
];

/// Runs what runs when nothing is asked for, in a boot of its own.
pub fn run_brief(suite: &Suite, accel: &str) -> Result<()> {
    let chosen = chosen(|name| BRIEF.contains(&name));
    run_boot(suite, &BRIEF_BOOT, &chosen, accel)
}

/// Runs what is worth the checks of the KUnit kernel.
pub fn run_checked(suite: &Suite, accel: &str) -> Result<()> {
    let chosen = chosen(|name| CHECKED.contains(&name));
    run_boot(suite, &CHECKED_BOOT, &chosen, accel)
}

/// All that `wanted` lets through.
pub fn chosen(wanted: impl Fn(&str) -> bool) -> Vec<&'static Scenario> {
    let all = BETWEEN_ENDS.iter().chain(&BETWEEN_DOMAINS);
    let all = all.chain(&FATES);
    all.filter(|one| wanted(one.name)).collect()
}

/// Runs the chosen scenarios in each boot that has a wanted pair.
pub fn run(suite: &Suite, chosen: &[&Scenario], accel: &str) -> Result<()> {
    let wanted = |boot: &&Boot| boot.pairs.iter().any(|pair| boot.wants(*pair));
    for boot in BOOTS.iter().filter(wanted) {
        run_boot(suite, boot, chosen, accel)?;
    }
    Ok(())
}

impl Boot {
    /// What is at a place.
    fn name(&self, place: &str) -> String {
        match place {
            "a" => format!("{}-a", self.kinds[0]),
            "b" => format!("{}-b", self.kinds[1]),
            _ => DOM0.into(),
        }
    }

    /// Whether scenarios shall run between those two places.
    fn wants(&self, (client, server): (&str, &str)) -> bool {
        let name = format!("{}->{}", self.name(client), self.name(server));
        match std::env::var(PAIRS_VARIABLE) {
            Ok(pairs) => pairs.split(',').any(|pair| pair == name),
            Err(_) => true,
        }
    }
}

fn run_boot(suite: &Suite, boot: &Boot, chosen: &[&Scenario], accel: &str) -> Result<()> {
    let names = boot.kinds.map(|kind| kind.to_string());
    let host = Host::new(&format!(
        "xensock-{}-{}",
        boot.flavour.name(),
        names.join("-")
    ));
    let host = host.limit(LIMIT).dom0_mib(DOM0_MIB).spare_mib(SPARE_MIB);
    let host = host.accel(accel);
    // Two PVH guests on one emulated processor keep it busy with going from one to the other.
    let apart = boot.kinds == [Kind::Pvh, Kind::Pvh];
    let mut host = host.cpus(if apart { 3 } else { 2 }).dom0_module("xensock");
    for module in MODULES {
        host = host.dom0_kernel_module(module);
    }
    // Domains are told apart by what they are and by their place: pv-a, pvh-b.
    for ((kind, place), processor) in boot.kinds.into_iter().zip(["a", "b"]).zip(["1", "2"]) {
        let guest = Guest::new(&boot.name(place), kind).kernel(boot.flavour);
        let guest = if apart {
            guest.processors(processor)
        } else {
            guest
        };
        let mut guest = guest.network().module("xensock");
        if boot.tools {
            guest = guest.tools();
        }
        let equip = |guest: Guest, module| guest.kernel_module(module);
        let guest = MODULES.into_iter().fold(guest, equip);
        host = host.guest(client::equip(guest, "xensock", "xensock/uapi")?);
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    for &(client, server) in boot.pairs.iter().filter(|pair| boot.wants(**pair)) {
        let ends = Ends::between(&bed, &boot.name(client), &boot.name(server))?;
        for scenario in chosen.iter().filter(|one| ends.can(one)) {
            run_one(suite, scenario, &ends);
        }
    }
    for guest in bed.guests() {
        kunit::check_leaks_of(suite, &bed, guest.name());
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
