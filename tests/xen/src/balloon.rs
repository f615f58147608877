// SPDX-License-Identifier: GPL-2.0
//! A guest's balloon, seen from the guest and from Xen.

use crate::bed::Bed;
use crate::machine::{Machine, Until};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// The module's folder in the guest.
pub const SYSFS: &str = "/sys/class/misc/xenballoon";
/// The folder of the driver built into the kernel.
pub const BUILTIN: &str = "/sys/devices/system/xen_memory/xen_memory0";

const POLL: Duration = Duration::from_millis(20);
/// For a module to hear of a target.
const HEAR_LIMIT: Duration = Duration::from_secs(60);
/// For the way to it.
const MOVE_LIMIT: Duration = Duration::from_secs(240);
/// For guest and Xen to agree once it is there.
const AGREE_LIMIT: Duration = Duration::from_secs(10);

/// One look at a balloon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// What it aims at.
    pub target_kb: u64,
    /// What the guest has.
    pub current_kb: u64,
    /// Hypercalls since the module was loaded.
    pub hypercalls: u64,
}

/// What a move to a target came to.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// Memory before, as the guest counts it.
    pub from_kb: u64,
    /// Memory after.
    pub to_kb: u64,
    /// What it was to be.
    pub target_kb: u64,
    /// Memory before, as Xen counts it.
    pub xen_from_kb: u64,
    /// Memory after.
    pub xen_to_kb: u64,
    /// From the last look that showed no change to the first that showed the target.
    pub elapsed: Duration,
    /// Hypercalls it took.
    pub hypercalls: u64,
}

impl Move {
    /// Whether guest and Xen agree that the target was reached to the page.
    pub fn is_exact(&self) -> bool {
        let gain = |from: u64, to: u64| to as i64 - from as i64;
        self.to_kb == self.target_kb
            && gain(self.xen_from_kb, self.xen_to_kb) == gain(self.from_kb, self.to_kb)
    }

    /// MiB per second.
    pub fn rate(&self) -> f64 {
        self.to_kb.abs_diff(self.from_kb) as f64 / 1024.0 / self.elapsed.as_secs_f64().max(1e-3)
    }
}

/// The balloon of a guest in which the module is loaded.
pub struct Balloon<'a> {
    bed: &'a Bed,
    guest: Machine<'a>,
    /// What the tool stack counts and the guest does not.
    unseen_kb: u64,
}

impl<'a> Balloon<'a> {
    /// Loads the module.
    pub fn load(bed: &'a Bed, name: &str) -> Result<Self> {
        bed.guest(name)?.insmod("xenballoon", &[])?;
        Self::of(bed, name)
    }

    /// Of a guest that has the module loaded, and is at its target.
    pub fn of(bed: &'a Bed, name: &str) -> Result<Self> {
        let guest = bed.guest(name)?;
        let asked: u64 = bed.xenstore_read(name, "memory/target")?.trim().parse()?;
        let target = guest.read_number(&format!("{SYSFS}/target_kb"))?;
        let unseen_kb = asked.checked_sub(target).with_context(|| {
            format!("{name} aims at {target} KiB, above the {asked} KiB the tool stack wants")
        })?;
        Ok(Self {
            bed,
            guest,
            unseen_kb,
        })
    }

    /// The guest.
    pub fn guest(&self) -> &Machine<'a> {
        &self.guest
    }

    /// One number of the module's.
    pub fn number(&self, file: &str) -> Result<u64> {
        self.guest.read_number(&format!("{SYSFS}/{file}"))
    }

    /// Looks.
    pub fn sample(&self) -> Result<Sample> {
        Ok(Sample {
            target_kb: self.number("target_kb")?,
            current_kb: self.number("current_kb")?,
            hypercalls: self.number("info/hypercalls")?,
        })
    }

    /// The bed it is in.
    pub fn bed(&self) -> &'a Bed {
        self.bed
    }

    /// What the tool stack has to want for a `target_kb`.
    pub fn asked_for(&self, target_kb: u64) -> u64 {
        target_kb + self.unseen_kb
    }

    /// What `target_kb` becomes by `xl mem-set` to so many MiB.
    pub fn target_of(&self, mib: u64) -> u64 {
        mib * 1024 - self.unseen_kb
    }

    /// Has the tool stack set a target.
    pub fn ask(&self, mib: u64) -> Result<()> {
        let mib = format!("{mib}m");
        self.bed
            .dom0()
            .run(&["xl", "mem-set", self.guest.name(), &mib])?
            .ok()?;
        Ok(())
    }

    /// Sets a target by `xl mem-set` and follows the way to it; `watch` sees every look.
    pub fn go(&self, mib: u64, mut watch: impl FnMut(Sample)) -> Result<Move> {
        let name = self.guest.name();
        let (before, xen_from_kb) = (self.sample()?, self.bed.xen_memory_kib(name)?);
        let target_kb = self.target_of(mib);
        self.ask(mib)?;
        let start = Instant::now();
        let (mut still, mut now) = (start, before);
        while now.current_kb != target_kb || now.target_kb != target_kb {
            let looked = Instant::now();
            now = self.sample()?;
            if now.current_kb == before.current_kb {
                still = looked;
            }
            watch(now);
            let heard = now.target_kb == target_kb || start.elapsed() < HEAR_LIMIT;
            ensure!(
                heard,
                "{name}: target_kb is {} instead of {target_kb}",
                now.target_kb
            );
            let moving = start.elapsed() < MOVE_LIMIT;
            ensure!(
                moving,
                "{name}: {} KiB instead of {target_kb}",
                now.current_kb
            );
            std::thread::sleep(POLL);
        }
        let elapsed = still.elapsed();
        let xen_to_kb = self.bed.xen_memory_kib(name)?;
        let after = self.sample()?;
        Ok(Move {
            from_kb: before.current_kb,
            to_kb: after.current_kb,
            target_kb,
            xen_from_kb,
            xen_to_kb,
            elapsed,
            hypercalls: after.hypercalls.saturating_sub(before.hypercalls),
        })
    }

    /// Like `go`, and an error unless guest and Xen soon agree to the page.
    ///
    /// Not at once: the built-in driver hears of a target by itself, after a restore later than we do, and what it does
    /// then is made good.
    pub fn reach(&self, mib: u64) -> Result<Move> {
        let mut done = self.go(mib, |_| ())?;
        let start = Instant::now();
        while !done.is_exact() {
            ensure!(
                start.elapsed() < AGREE_LIMIT,
                "{}: not exact at {mib} MiB: {done:?}",
                self.guest.name()
            );
            std::thread::sleep(POLL);
            done.xen_to_kb = self.bed.xen_memory_kib(self.guest.name())?;
            done.to_kb = self.sample()?.current_kb;
        }
        Ok(done)
    }

    /// What Xen counts more than the guest, in KiB; says something only while nothing moves.
    pub fn unseen_by_guest(&self) -> Result<i64> {
        let xen = self.bed.xen_memory_kib(self.guest.name())?;
        Ok(xen as i64 - self.sample()?.current_kb as i64)
    }

    /// An error unless Xen soon counts so many KiB more than the guest.
    pub fn agrees(&self, unseen: i64) -> Result<()> {
        let start = Instant::now();
        loop {
            let now = self.unseen_by_guest()?;
            if now == unseen {
                return Ok(());
            }
            ensure!(
                start.elapsed() < AGREE_LIMIT,
                "{}: Xen counted {unseen} KiB more than the guest, now {now} KiB",
                self.guest.name()
            );
            std::thread::sleep(POLL);
        }
    }

    /// Waits, in the guest, until it has so much memory.
    pub fn settle(&self, kib: u64) -> Result<Duration> {
        self.guest.wait_for(Until {
            path: &format!("{SYSFS}/current_kb"),
            equals: &kib.to_string(),
            poll: POLL,
            limit: MOVE_LIMIT,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_must_agree() {
        let mut done = Move {
            from_kb: 262144,
            to_kb: 204800,
            target_kb: 204800,
            xen_from_kb: 262660,
            xen_to_kb: 205316,
            elapsed: Duration::from_secs(1),
            hypercalls: 28,
        };
        assert!(done.is_exact());
        assert!((done.rate() - 56.0).abs() < 1e-9);
        done.xen_to_kb += 4;
        assert!(!done.is_exact());
    }
}
