// SPDX-License-Identifier: GPL-2.0
//! Scenarios: what users do, with the tools they have.

pub mod away;
mod balloon;
pub mod client;
mod control;
pub mod endurance;
pub mod foreign;
pub mod growth;
pub mod host;
pub mod pageshare;
mod pressure;
mod sight;
mod sleep;
mod trace;
pub mod xensock;

use anyhow::{Context, Result, bail, ensure};
use bed::balloon::Balloon;
use bed::{Bed, Machine};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Memory of every guest at boot.
pub const BOOT_MIB: u64 = 256;
/// And at most.
pub const MOST_MIB: u64 = 384;

/// What a scenario does with a balloon.
pub type Run = fn(Balloon<'_>) -> Result<()>;

const POLL: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(180);

/// A scenario; it runs in each guest for itself.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Begins with the module's name.
    pub name: &'static str,
    /// Starts at the boot size, with the module loaded.
    pub run: Run,
}

/// All there are.
pub fn all() -> impl Iterator<Item = Scenario> {
    balloon::SCENARIOS
        .iter()
        .chain(&pressure::SCENARIOS)
        .chain(&control::SCENARIOS)
        .chain(&sight::SCENARIOS)
        .chain(&sleep::SCENARIOS)
        .chain(&trace::SCENARIOS)
        .chain(&growth::SCENARIOS)
        .chain(&endurance::SCENARIOS)
        .map(|&(name, run)| Scenario { name, run })
}

/// Those that are about what is the same in all kinds of guests.
pub const ALIKE: [&str; 11] = [
    "balloon_refused_for_long",
    "balloon_sysfs_nonsense",
    "balloon_xenstore_nonsense",
    "balloon_settings",
    "balloon_default_floor",
    "balloon_c_names",
    "balloon_ioctl",
    "balloon_statistics",
    "balloon_announced",
    "balloon_tracepoints",
    "balloon_debugfs",
];

/// Those that take long and are run only when named; of a pair, the other kind of guest always runs.
pub const LONG: [&str; 3] = [
    endurance::MIGRATION,
    "balloon_foreign_pages pv",
    "balloon_given_away pvh",
];

/// All that are run for themselves.
pub fn alone() -> impl Iterator<Item = host::Alone> {
    host::SCENARIOS
        .into_iter()
        .chain(foreign::SCENARIOS)
        .chain(away::SCENARIOS)
}

/// Waits until something holds.
fn wait_until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !done()? {
        ensure!(
            start.elapsed() < LIMIT,
            "not within {} s: {what}",
            LIMIT.as_secs()
        );
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// The number after `name` in a file of the guest's.
fn number(guest: &Machine<'_>, path: &str, name: &str) -> Result<u64> {
    let text = guest.read(path)?;
    let mut lines = text.lines().map(str::trim_start);
    let rest = lines.find_map(|line| line.strip_prefix(name));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.with_context(|| format!("no {name:?} in {path}"))?
        .parse()
        .with_context(|| format!("{name:?} in {path}"))
}

/// How often a migration is tried.
const MIGRATIONS: u32 = 4;

/// Migrates a guest to where it is. The toolstack gives up where a page goes that it is about to copy; it is
/// asked again then. A PV guest's memory can be followed only by a hypervisor with shadow page tables; with
/// another, as Debian's, the attempt fails. Either way the guest goes on.
fn migrated(bed: &Bed, name: &str) -> Result<()> {
    let _alone = SAVED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    for attempt in 1..=MIGRATIONS {
        let Err(error) = bed.migrate(name) else {
            println!("# {name} has moved at attempt {attempt}");
            return Ok(());
        };
        let why = format!("{error:#}");
        if why.contains("enable logdirty") {
            return Ok(());
        }
        if !why.contains("Mapping of pfn") {
            return Err(error);
        }
    }
    bail!("{name} has not moved in {MIGRATIONS} attempts")
}

/// dom0 has room for one saved guest, the host for one that is there twice.
static SAVED: Mutex<()> = Mutex::new(());

/// Saves a guest and lets it go on in a new domain.
fn saved_and_restored(bed: &Bed, name: &str) -> Result<()> {
    let _alone = SAVED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let file = format!("/tmp/{name}.save");
    let moved = bed.save(name, &file).and_then(|_| bed.restore(name, &file));
    // Whatever has come of it: there is no room for two.
    bed.dom0().run(&["rm", "-f", &file])?.ok()?;
    moved.map(drop)
}

/// Puts a guest back to where scenarios start, whatever the last one has left of it.
pub fn prepare<'a>(bed: &'a Bed, name: &str) -> Result<Balloon<'a>> {
    let lives = bed.guest(name)?.read("/proc/modules");
    let modules = match lives {
        Ok(modules) => modules,
        Err(_) => {
            let _ = bed.destroy(name);
            bed.create(name)?;
            bed.wait_for_guest(name)?;
            String::new()
        }
    };
    if modules.lines().any(|line| line.starts_with("xenballoon ")) {
        // Settings of the last one's go with it.
        bed.guest(name)?.rmmod("xenballoon")?;
    }
    let most = (MOST_MIB << 10).to_string();
    if bed.xenstore_read(name, "memory/static-max")?.trim() != most {
        bed.allow(name, MOST_MIB)?;
    }
    let balloon = Balloon::load(bed, name)?;
    // What is under way from the last one is not this one's.
    balloon.ask(BOOT_MIB)?;
    balloon.settle(balloon.target_of(BOOT_MIB))?;
    Ok(balloon)
}
