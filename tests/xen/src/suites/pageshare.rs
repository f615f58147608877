// SPDX-License-Identifier: GPL-2.0
//! Scenarios for shared areas: dom0 and a PV guest keep them, a PV and a PVH guest read.

use super::{check_logs, kunit, tell_boot};
use crate::report::Suite;
use crate::scenarios::client;
use crate::scenarios::pageshare::images::Images;
use crate::scenarios::pageshare::torture::Tree;
use crate::scenarios::pageshare::{self, FEW, FEW_FRAMES, LIMITED, OFFERED, OTHER, Scenario};
use anyhow::Result;
use bed::{Bed, Flavour, Guest, Host, Kind, place};
use std::time::Duration;

const DOM0_MIB: u32 = 704;
const GUEST_MIB: u32 = 256;
/// For one that has not much else.
const FEW_MIB: u32 = 160;
/// Room for a guest that is there twice while it migrates.
const SPARE_MIB: u32 = GUEST_MIB + 32;
/// Where the module's own header is.
const HEADERS: &str = "pageshare/uapi";

/// The kernel that guests run; dom0 has Debian's.
pub struct Pass {
    pub name: &'static str,
    flavour: Flavour,
    kinds: &'static [Kind],
    limit: Duration,
}

/// Debian's kernel.
pub const STOCK: Pass = Pass {
    name: "pageshare",
    flavour: Flavour::Stock,
    kinds: &[Kind::Pv, Kind::Pvh],
    limit: Duration::from_secs(2700),
};

/// The same for long.
pub const ENDURANCE: Pass = Pass {
    name: "pageshare-endurance",
    limit: Duration::from_secs(14400),
    ..STOCK
};

/// With lockdep and kmemleak.
pub const CHECKED: Pass = Pass {
    name: "pageshare-checked",
    flavour: Flavour::Kunit,
    ..STOCK
};

/// With KASAN.
pub const KASAN: Pass = Pass {
    name: "pageshare-kasan",
    flavour: Flavour::Kasan,
    kinds: &[Kind::Pvh],
    ..STOCK
};

/// Runs the chosen scenarios, each for each pair of an owner and a member.
pub fn run(suite: &Suite, pass: &Pass, chosen: &[&Scenario], accel: &str) -> Result<()> {
    let tool = place::beside("pageshare")?;
    let (images, tree) = (Images::make()?, Tree::pack()?);
    let mut host = Host::new(pass.name)
        .limit(pass.limit)
        .dom0_mib(DOM0_MIB)
        .spare_mib(SPARE_MIB)
        .accel(accel)
        .dom0_module("pageshare")
        .file(&tool, "pageshare")
        .file(client::program("cycles", HEADERS)?, "cycles")
        .file(client::program("attributes", HEADERS)?, "attributes")
        .file(tree.packed(), "tree.tar")
        .file(images.plain(), "plain.img")
        .file(images.parted(), "parted.img");
    let mut guests: Vec<_> = pass
        .kinds
        .iter()
        .map(|&kind| (format!("{kind}1"), kind))
        .collect();
    if chosen.iter().any(|scenario| scenario.name == OFFERED) {
        guests.push((OTHER.into(), Kind::Pvh));
        host = host.file(client::program("offer", HEADERS)?, "offer");
    }
    for (name, kind) in guests {
        let mut guest = Guest::new(&name, kind).kernel(pass.flavour);
        if pass.flavour == Flavour::Stock {
            guest = guest.kernel_module("ext4");
        }
        let guest = guest.memory_mib(GUEST_MIB).module("pageshare");
        let guest = guest.file(&tool, "bin/pageshare");
        let guest = guest.file(images.sums(), "etc/sums");
        let guest = guest.file(tree.packed(), "tree.tar");
        let guest = guest.file(client::program("offer", HEADERS)?, "bin/offer");
        let guest = guest.file(client::program("cycles", HEADERS)?, "bin/cycles");
        let programs = ["attributes", "held", "killed", "maps", "reread", "torture"];
        let guest = programs.into_iter().try_fold(guest, client::plain)?;
        host = host.guest(guest);
    }
    if chosen.iter().any(|scenario| scenario.name == LIMITED) {
        let (grant, maptrack) = FEW_FRAMES;
        let few = Guest::pvh(FEW).kernel(pass.flavour).module("pageshare");
        let few = few.memory_mib(FEW_MIB).frames(grant, maptrack).later();
        host = host.guest(few.file(&tool, "bin/pageshare"));
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    for scenario in chosen {
        for (owner, member) in scenario.pairs {
            if bed.guest(member).is_ok() && (*owner == "dom0" || bed.guest(owner).is_ok()) {
                suite.run(&format!("{} {owner}->{member}", scenario.name), || {
                    pageshare::run(&bed, scenario, owner, member)
                });
            }
        }
    }
    for guest in bed.guests() {
        kunit::check_leaks_of(suite, &bed, guest.name());
    }
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}
