// SPDX-License-Identifier: GPL-2.0
//! Peers of xensock's and pageshare's that do not keep to the rules, on kernels that see what comes of it.

use super::{check_logs, kunit, tell_boot};
use crate::report::Suite;
use crate::scenarios::{client, pageshare, xensock};
use anyhow::Result;
use bed::{Bed, Flavour, Guest, Host, Kind, place};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2700);
const HOSTILE: &str = "hostile";
const VICTIM: &str = "victim";
const MODULES: [&str; 2] = ["vsock", "vsock_loopback"];

/// The kernel that both guests run.
pub struct Pass {
    pub name: &'static str,
    /// The name of that with pageshare.
    pub shared: &'static str,
    flavour: Flavour,
    /// The peer's kind; the victim is a PVH guest.
    hostile: Kind,
}

/// With lockdep and kmemleak.
pub const CHECKED: Pass = Pass {
    name: "hostile-checked",
    shared: "pageshare-hostile-checked",
    flavour: Flavour::Kunit,
    hostile: Kind::Pv,
};

/// With KASAN.
pub const KASAN: Pass = Pass {
    name: "hostile-kasan",
    shared: "pageshare-hostile-kasan",
    flavour: Flavour::Kasan,
    hostile: Kind::Pvh,
};

impl Pass {
    /// Both guests, with their modules.
    fn guests(&self, [hostile, victim]: [&str; 2]) -> [Guest; 2] {
        let all = [
            (HOSTILE, self.hostile, hostile, "1"),
            (VICTIM, Kind::Pvh, victim, "2"),
        ];
        all.map(|(name, kind, module, processor)| {
            let guest = Guest::new(name, kind).kernel(self.flavour);
            guest.processors(processor).module(module)
        })
    }

    /// What a boot begins with; dom0 has the module, too.
    fn host(&self, name: &str, module: &str, accel: &str) -> Host {
        let host = Host::new(name).limit(LIMIT).accel(accel).cpus(3);
        host.dom0_module(module)
    }
}

/// What each boot ends with.
fn finish(suite: &Suite, bed: Bed) {
    kunit::check_leaks_of(suite, &bed, VICTIM);
    check_logs(suite, &bed);
    bed.power_off();
}

/// Boots both with xensock, and dom0 as one that has nothing to do with it.
pub fn run(suite: &Suite, pass: &Pass, accel: &str) -> Result<()> {
    let mut host = pass.host(pass.name, "xensock", accel);
    for module in MODULES {
        host = host.dom0_kernel_module(module);
    }
    for guest in pass.guests(["xensock_hostile", "xensock"]) {
        let equip = |guest: Guest, module| guest.kernel_module(module);
        host = host.guest(MODULES.into_iter().fold(guest, equip));
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    let stage = xensock::hostile::Stage {
        bed: &bed,
        hostile: HOSTILE,
        victim: VICTIM,
    };
    suite.run("xensock_hostile", || xensock::hostile::run(&stage));
    finish(suite, bed);
    Ok(())
}

/// Likewise with pageshare.
pub fn run_shared(suite: &Suite, pass: &Pass, accel: &str) -> Result<()> {
    let tool = place::beside("pageshare")?;
    let reader = client::program("pester", "tests/xen/client")?;
    let mut host = pass.host(pass.shared, "pageshare", accel);
    host = host.file(&tool, "pageshare").file(&reader, "pester");
    for guest in pass.guests(["pageshare_hostile", "pageshare"]) {
        let guest = guest.file(&tool, "bin/pageshare");
        host = host.guest(guest.file(&reader, "bin/pester"));
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    let stage = pageshare::hostile::Stage {
        bed: &bed,
        hostile: HOSTILE,
        victim: VICTIM,
    };
    suite.run("pageshare_hostile_member", || {
        stage.run(pageshare::hostile::member)
    });
    suite.run("pageshare_hostile_owner", || {
        stage.run(pageshare::hostile::owner)
    });
    finish(suite, bed);
    Ok(())
}
