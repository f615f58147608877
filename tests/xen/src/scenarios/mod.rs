// SPDX-License-Identifier: GPL-2.0
//! Scenarios: what users do, with the tools they have.

mod balloon;
mod pressure;

use anyhow::{Result, ensure};
use bed::Bed;
use bed::balloon::Balloon;
use std::time::{Duration, Instant};

/// Memory of every guest at boot.
pub const BOOT_MIB: u64 = 256;
/// And at most.
pub const MOST_MIB: u64 = 384;

type Run = fn(Balloon<'_>) -> Result<()>;

const POLL: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(60);

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
        .map(|&(name, run)| Scenario { name, run })
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
    let loaded = modules.lines().any(|line| line.starts_with("xenballoon "));
    let balloon = if loaded {
        Balloon::of(bed, name)
    } else {
        Balloon::load(bed, name)
    }?;
    balloon.reach(BOOT_MIB)?;
    Ok(balloon)
}
