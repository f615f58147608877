// SPDX-License-Identifier: GPL-2.0
//! Foreign pages in a domain whose memory moves: programs map what others grant (gntdev), dom0 maps what a
//! guest's disk reads into (blkback).

use super::host::{Alone, move_dom0};
use super::wait_until;
use anyhow::{Context, Result, ensure};
use bed::balloon::{BUILTIN, Balloon, SYSFS};
use bed::{Bed, Guest, Host, Kind, Machine, tools};

/// By name.
pub const SCENARIOS: [Alone; 2] = [
    ("balloon_foreign_pages pv", |bed| foreign(bed, Kind::Pv)),
    ("balloon_foreign_pages pvh", |bed| foreign(bed, Kind::Pvh)),
];

const MIB: u64 = 192;
/// Where memory goes, in the guest; dom0 goes as far below what it has.
const WAY: [u64; 4] = [140, 170, 128, MIB];
const DOM0_WAY: [u64; 4] = [80, 33, 90, 0];
/// How often at the least each load has to have done its part.
const ROUNDS: u64 = 5;

/// What a guest needs to grant pages and to map them.
const MODULES: [&str; 3] = ["xen_gntdev", "xen_gntalloc", "xen_evtchn"];
const SIGTERM: i32 = 15;
const STOP: &str = "/tmp/foreign.stop";
/// Another part of the disk each time: all of it is more than a guest's page cache has room for.
const READ: &str = "dd if=/dev/xvda of=/dev/null bs=1M count=32 skip=$((n % 10 * 32)) 2> /dev/null";

/// No longer than what xentop shows of it.
fn name(kind: Kind) -> String {
    format!("maps-{kind}")
}

/// Adds the guests, and what they and dom0 need.
pub fn equip(host: Host) -> Result<Host> {
    let vchan = tools::vchan()?;
    let host = host.dom0_kernel_module("xen_gntalloc");
    let host = [Kind::Pv, Kind::Pvh].into_iter().fold(host, |host, kind| {
        let guest = Guest::new(&name(kind), kind).memory_mib(MIB as u32);
        let guest = guest.module("xenballoon").tools().later();
        let equip = |guest: Guest, module| guest.kernel_module(module);
        let guest = MODULES.into_iter().fold(guest, equip);
        host.guest(guest.file(&vchan, "bin/vchan"))
    });
    Ok(host.file(&vchan, "vchan"))
}

/// Something that is done again and again, and counted.
struct Load<'a> {
    machine: Machine<'a>,
    counter: String,
    /// Who does the other half of it, until this is dropped.
    server: Option<(Machine<'a>, i32)>,
}

impl<'a> Load<'a> {
    fn start(machine: Machine<'a>, name: &str, once: &str) -> Result<Self> {
        let counter = format!("/tmp/foreign.{name}");
        let line = format!(
            "rm -f {counter}.ended; n=0; echo 0 > {counter}
             while [ ! -e {STOP} ]; do
                {once} > /dev/null || exit 1
                n=$((n + 1)); echo $n > {counter}
             done; touch {counter}.ended"
        );
        machine.spawn(&["sh", "-c", &line], &format!("{counter}.output"))?;
        Ok(Self {
            machine,
            counter,
            server: None,
        })
    }

    /// Ends it; answers how often it was done.
    fn stop(&self) -> Result<u64> {
        let Self {
            machine, counter, ..
        } = self;
        machine.write(STOP, "")?;
        let ended = format!("{counter}.ended");
        let waited = wait_until(&ended, || {
            Ok(machine.run(&["test", "-e", &ended])?.status == 0)
        });
        if let Err(error) = waited {
            let output = machine.read(&format!("{counter}.output"))?;
            return Err(error.context(output));
        }
        machine.read_number(counter)
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        if let Some((machine, pid)) = &self.server {
            // One that is gone already will do.
            let _ = machine.kill(*pid, SIGTERM);
        }
    }
}

/// Has a machine grant its pages to another, which maps them, uses them and lets go of them.
fn map_and_unmap<'a>(
    owner: (&Machine<'a>, &str, u32),
    user: (Machine<'a>, &str, u32),
) -> Result<Load<'a>> {
    let (server, vchan, domid) = owner;
    let node = format!("/local/domain/{domid}/data/foreign");
    let to = user.2.to_string();
    let output = "/tmp/foreign.serve";
    let pid = server.spawn(&[vchan, "serve", &node, &to], output)?;
    let listens = wait_until("it listens", || {
        Ok(server.read(output)?.contains("listening"))
    });
    listens.with_context(|| server.read(output).unwrap_or_default())?;
    let once = format!("{} connects {node} {domid} 2", user.1);
    let mut load = Load::start(user.0, "maps", &once)?;
    load.server = Some((server.clone(), pid));
    Ok(load)
}

fn sound(machine: &Machine<'_>) -> Result<()> {
    let lines = machine.read("/sys/kernel/debug/xenballoon/invariants")?;
    ensure!(lines.lines().all(|line| line.ends_with(": ok")), "{lines}");
    Ok(())
}

fn foreign(bed: &Bed, kind: Kind) -> Result<()> {
    let name = name(kind);
    let dom0 = bed.dom0();
    // If the last one has left something of it.
    dom0.run(&["rm", "-f", STOP])?.ok()?;
    let _ = dom0.rmmod("xenballoon");
    let most = dom0.read_number(&format!("{BUILTIN}/info/current_kb"))? / 1024;
    // Nobody else has.
    dom0.run(&["mount", "-t", "debugfs", "none", "/sys/kernel/debug"])?;
    dom0.insmod("xenballoon", &[])?;
    bed.create(&name)?;
    bed.wait_for_guest(&name)?;
    let balloon = Balloon::load(bed, &name)?;
    let (guest, domid) = (balloon.guest(), bed.domid(&name)?);
    let unseen = balloon.unseen_by_guest()?;

    const OF_DOM0: &str = "/bed/vchan";
    let loads = [
        map_and_unmap((&dom0, OF_DOM0, 0), (guest.clone(), "vchan", domid))?,
        map_and_unmap((guest, "vchan", domid), (bed.dom0(), OF_DOM0, 0))?,
        Load::start(guest.clone(), "reads", READ)?,
    ];
    let current = format!("{SYSFS}/current_kb");
    for (mib, less) in WAY.into_iter().zip(DOM0_WAY) {
        balloon.reach(mib)?;
        move_dom0(bed, &current, most - less)?;
    }
    for (load, what) in loads.iter().zip(["guest maps", "dom0 maps", "reads"]) {
        let rounds = load.stop()?;
        println!("# {name}: {what}: {rounds} times");
        ensure!(rounds >= ROUNDS, "{what}: only {rounds} times");
    }

    drop(loads);
    sound(guest)?;
    sound(&dom0)?;
    balloon.agrees(unseen)?;
    bed.destroy(&name)?;
    move_dom0(bed, &current, most - 50)?;
    move_dom0(bed, &current, most)?;
    dom0.rmmod("xenballoon")
}
