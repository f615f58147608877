// SPDX-License-Identifier: GPL-2.0
//! Scenarios for themselves, after those of the guests: dom0, and guests that are created for them.

use super::pressure::{Filled, available};
use anyhow::{Result, ensure};
use bed::balloon::{BUILTIN, Balloon, SYSFS};
use bed::{Bed, Flavour, Guest, Host, Until};
use std::time::Duration;

/// Such a scenario, by name.
pub type Alone = (&'static str, fn(&Bed) -> Result<()>);

/// All there are.
pub const SCENARIOS: [Alone; 3] = [
    ("balloon_dom0", dom0),
    ("balloon_populate_on_demand pod1", |bed| {
        on_demand(bed, "pod1")
    }),
    ("balloon_populate_on_demand pod2", |bed| {
        on_demand(bed, "pod2")
    }),
];

const POD_MIB: u64 = 192;
const POD_MOST_MIB: u64 = 512;

const POLL: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(180);

/// Adds the guests.
pub fn equip(host: Host) -> Host {
    let guests = [("pod1", Flavour::Kunit), ("pod2", Flavour::Stock)];
    guests.into_iter().fold(host, |host, (name, flavour)| {
        let guest = Guest::pvh(name)
            .kernel(flavour)
            .memory_mib(POD_MIB as u32)
            .maxmem_mib(POD_MOST_MIB as u32);
        let guest = guest.first_module("xenballoon").cmdline("loglevel=7");
        host.guest(guest.later())
    })
}

/// Has dom0 go to so many MiB, as a file of a balloon's counts them, and Xen as well.
pub fn move_dom0(bed: &Bed, current: &str, mib: u64) -> Result<()> {
    let dom0 = bed.dom0();
    let before = dom0.read_number(current)?;
    let xen = bed.xen_memory_kib("Domain-0")?;
    dom0.run(&["xl", "mem-set", "0", &format!("{mib}m")])?
        .ok()?;
    dom0.wait_for(Until {
        path: current,
        equals: &(mib * 1024).to_string(),
        poll: POLL,
        limit: LIMIT,
    })?;
    let (after, xen_after) = (dom0.read_number(current)?, bed.xen_memory_kib("Domain-0")?);
    ensure!(
        after as i64 - before as i64 == xen_after as i64 - xen as i64,
        "at {mib} MiB dom0 has {after} KiB of {before}, by Xen's count {xen_after} of {xen}"
    );
    Ok(())
}

/// dom0's balloon, by its own `xl`.
fn dom0(bed: &Bed) -> Result<()> {
    let dom0 = bed.dom0();
    let current = format!("{SYSFS}/current_kb");
    let by_builtin = format!("{BUILTIN}/info/current_kb");
    let set = |path: &str, mib: u64| move_dom0(bed, path, mib);

    let boot = dom0.read_number(&by_builtin)? / 1024;
    let low = boot - 100;
    dom0.insmod("xenballoon", &[])?;
    for mib in [low, boot - 33, low + 1] {
        set(&current, mib)?;
    }
    let held = dom0.read_number(&format!("{SYSFS}/info/held_kb"))?;
    ensure!(held >= 90 * 1024, "{held} KiB are held");
    dom0.rmmod("xenballoon")?;
    let now = dom0.read_number(&by_builtin)?;
    ensure!(
        now == (low + 1) * 1024,
        "the built-in driver has {now} KiB after rmmod"
    );
    set(&by_builtin, low + 20)?;
    // What the built-in driver has in hand is given back to a module loaded anew.
    dom0.insmod("xenballoon", &[])?;
    set(&current, boot - 40)?;
    set(&current, boot)?;
    dom0.rmmod("xenballoon")
}

/// A guest that is promised more memory than there is for it, with the module in its ramdisk.
fn on_demand(bed: &Bed, name: &str) -> Result<()> {
    bed.create(name)?;
    bed.wait_for_guest(name)?;
    let balloon = Balloon::of(bed, name)?;
    let guest = balloon.guest();
    balloon.settle(balloon.target_of(POD_MIB))?;
    let unseen = balloon.unseen_by_guest()?;
    ensure!(
        bed.xen_memory_kib(name)? <= POD_MIB * 1024 + 1024,
        "Xen counts {} KiB more than the guest",
        unseen
    );
    // All of it can be used: none is only promised any more.
    drop(Filled::new(guest, available(guest)? - 16 * 1024)?);
    for mib in [300, POD_MOST_MIB, 220] {
        balloon.reach(mib)?;
    }
    drop(Filled::new(guest, available(guest)? - 16 * 1024)?);
    balloon.reach(POD_MIB)?;
    balloon.agrees(unseen)?;
    bed.destroy(name)
}
