// SPDX-License-Identifier: GPL-2.0
//! A peer of xensock's that does not keep to the rules, on kernels that see what comes of it.

use super::{check_logs, kunit, tell_boot};
use crate::report::Suite;
use crate::scenarios::xensock::hostile::{self, Stage};
use anyhow::Result;
use bed::{Bed, Flavour, Guest, Host, Kind};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2700);
const HOSTILE: &str = "hostile";
const VICTIM: &str = "victim";
const MODULES: [&str; 2] = ["vsock", "vsock_loopback"];

/// The kernel that both guests run.
pub struct Pass {
    pub name: &'static str,
    flavour: Flavour,
    /// The peer's kind; the victim is a PVH guest.
    hostile: Kind,
}

/// With lockdep and kmemleak.
pub const CHECKED: Pass = Pass {
    name: "hostile-checked",
    flavour: Flavour::Kunit,
    hostile: Kind::Pv,
};

/// With KASAN.
pub const KASAN: Pass = Pass {
    name: "hostile-kasan",
    flavour: Flavour::Kasan,
    hostile: Kind::Pvh,
};

/// Boots both, and dom0 as one that has nothing to do with it.
pub fn run(suite: &Suite, pass: &Pass, accel: &str) -> Result<()> {
    let mut host = Host::new(pass.name).limit(LIMIT).accel(accel).cpus(3);
    host = host.dom0_module("xensock");
    for module in MODULES {
        host = host.dom0_kernel_module(module);
    }
    let all = [
        (HOSTILE, pass.hostile, "xensock_hostile", "1"),
        (VICTIM, Kind::Pvh, "xensock", "2"),
    ];
    for (name, kind, module, processor) in all {
        let guest = Guest::new(name, kind).kernel(pass.flavour);
        let guest = guest.processors(processor).module(module);
        let equip = |guest: Guest, module| guest.kernel_module(module);
        host = host.guest(MODULES.into_iter().fold(guest, equip));
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    let stage = Stage {
        bed: &bed,
        hostile: HOSTILE,
        victim: VICTIM,
    };
    suite.run("xensock_hostile", || hostile::run(&stage));
    kunit::check_leaks_of(suite, &bed, VICTIM);
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}
