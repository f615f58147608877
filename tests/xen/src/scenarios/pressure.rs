// SPDX-License-Identifier: GPL-2.0
//! Guests that run out of memory, and guests that do not use theirs.

use super::endurance::come_to_rest;
use super::growth::is_pv;
use super::{BOOT_MIB, MOST_MIB, Run, number, wait_until};
use anyhow::{Result, bail, ensure};
use bed::Machine;
use bed::balloon::{Balloon, SYSFS};
use std::time::Duration;

/// By name.
pub const SCENARIOS: [(&str, Run); 6] = [
    ("balloon_relief", relief),
    ("balloon_starved_under_way", starved_under_way),
    ("balloon_auto_return", auto_return),
    ("balloon_settings", settings),
    ("balloon_default_floor", default_floor),
    ("balloon_c_names", c_names),
];

/// Little above the floor of a guest that may have `MOST_MIB`.
const LOW_MIB: u64 = 150;
const FILL_LIMIT: Duration = Duration::from_secs(180);

/// Memory filled with what cannot be reclaimed; emptied when dropped.
pub(super) struct Filled<'a>(&'a Machine<'a>);

impl<'a> Filled<'a> {
    /// Fills so much; an error if anything of the guest's was killed for it, or if it did not fit.
    pub(super) fn new(guest: &'a Machine<'a>, kib: u64) -> Result<Self> {
        let line = format!(
            "mkdir -p /fill && mount -t tmpfs -o size=4g none /fill && \
             dd if=/dev/zero of=/fill/zeroes bs=64k count={}",
            kib / 64
        );
        let killed = number(guest, "/proc/vmstat", "oom_kill ")?;
        let output = guest.run_within(&["sh", "-c", &line], FILL_LIMIT)?;
        let filled = Self(guest);
        ensure!(
            number(guest, "/proc/vmstat", "oom_kill ")? == killed,
            "out of memory"
        );
        output.ok()?;
        Ok(filled)
    }
}

impl Drop for Filled<'_> {
    fn drop(&mut self) {
        // If that fails the next scenario says so.
        let _ = self.0.run(&["umount", "/fill"]);
    }
}

pub(super) fn available(guest: &Machine<'_>) -> Result<u64> {
    number(guest, "/proc/meminfo", "MemAvailable:")
}

pub(super) fn set(balloon: &Balloon<'_>, file: &str, value: &str) -> Result<()> {
    balloon.guest().write(&format!("{SYSFS}/{file}"), value)
}

/// Who needs more than the target gets it, if the host has it, and nobody is killed; later it goes back.
pub(super) fn relief(balloon: Balloon<'_>) -> Result<()> {
    let (guest, bed) = (balloon.guest(), balloon.bed());
    balloon.reach(190)?;
    bed.allow(guest.name(), MOST_MIB)?;
    set(&balloon, "hold_off_ms", "500")?;
    let target = balloon.target_of(190);
    {
        let _filled = Filled::new(guest, available(guest)? + 50 * 1024)?;
        let now = balloon.sample()?;
        ensure!(
            now.current_kb > target && now.target_kb == target,
            "{now:?}"
        );
        ensure!(
            balloon.number("info/oom_events")? > 0,
            "was never out of memory"
        );
        ensure!(balloon.number("info/relieved_kb")? > 0);
    }
    balloon.settle(target)?;
    set(&balloon, "hold_off_ms", "5000")?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// What a step is to have in hand when memory runs out, of the 80 MiB that it takes, and what is then wanted beyond
/// what is available: less than it has, and more than the kernel's own reserves.
const IN_HAND_KB: u64 = 32 * 1024;
const MORE_KB: u64 = 20 * 1024;
/// In which a step of so much comes.
const STEP_WITHIN_S: u64 = 15;
/// How often a step is waited for.
const STEPS: u32 = 10;

/// Memory runs out while a step has some in hand, and the host gives none of it back: it stays, and nobody is
/// killed.
fn starved_under_way(balloon: Balloon<'_>) -> Result<()> {
    let guest = balloon.guest();
    if is_pv(&balloon)? {
        println!("# {}: a step has too little in hand", guest.name());
        return Ok(());
    }
    let words = [IN_HAND_KB, MORE_KB, STEP_WITHIN_S].map(|number| number.to_string());
    let starve = ["/bin/starve", &words[0], &words[1], &words[2]];
    for step in 1..=STEPS {
        balloon.reach(BOOT_MIB)?;
        let killed = number(guest, "/proc/vmstat", "oom_kill ")?;
        let spared = balloon.number("info/spared_kb")?;
        let output = std::thread::scope(|scope| -> Result<_> {
            let starving = scope.spawn(|| guest.run_within(&starve, FILL_LIMIT));
            // It is there before a step is.
            std::thread::sleep(Duration::from_millis(500));
            balloon.ask(LOW_MIB)?;
            let ended = starving.join();
            ended.map_err(|_| anyhow::anyhow!("starve panics"))?
        })?;
        ensure!(
            number(guest, "/proc/vmstat", "oom_kill ")? == killed,
            "out of memory"
        );
        let filled = output.ok()?.stdout;
        // It goes on to where it was going.
        come_to_rest(&balloon)?;
        let spared = balloon.number("info/spared_kb")? - spared;
        if spared > 0 {
            println!(
                "# step {step}: {} KiB filled, {spared} stayed",
                filled.trim()
            );
            return balloon.reach(BOOT_MIB).map(drop);
        }
    }
    bail!("no step of {STEPS} was met")
}

/// Waits until what an idle guest does not use has gone back.
pub(super) fn returned(balloon: &Balloon<'_>) -> Result<()> {
    let (guest, target) = (balloon.guest(), balloon.target_of(BOOT_MIB));
    let (cushion, floor) = (
        balloon.number("info/cushion_kb")?,
        balloon.number("floor_kb")?,
    );
    wait_until("what is not used goes back", || {
        let now = balloon.sample()?.current_kb;
        let free = number(guest, "/proc/meminfo", "MemFree:")?;
        Ok(now == floor || (now < target && free < 2 * cushion))
    })
}

pub(super) fn auto_return(balloon: Balloon<'_>) -> Result<()> {
    let (guest, bed) = (balloon.guest(), balloon.bed());
    let (name, target) = (guest.name().to_string(), balloon.target_of(BOOT_MIB));
    let (room, before) = (available(guest)?, bed.xen_memory_kib(&name)?);
    let unseen = balloon.unseen_by_guest()?;
    set(&balloon, "auto_return", "1")?;

    returned(&balloon)?;
    let now = balloon.sample()?;
    ensure!(now.target_kb == target, "the target has moved: {now:?}");
    balloon.agrees(unseen)?;
    ensure!(bed.xen_memory_kib(&name)? + 16 * 1024 < before);

    // It is there again for whoever needs it, and nobody is killed.
    drop(Filled::new(guest, room - 40 * 1024)?);
    ensure!(balloon.sample()?.current_kb <= target);
    set(&balloon, "auto_return", "0")?;
    balloon.settle(target)?;
    Ok(())
}

/// What can be set, and what cannot.
fn settings(balloon: Balloon<'_>) -> Result<()> {
    let most = balloon.number("info/max_kb")?;
    let floor = balloon.number("floor_kb")?;
    let above = (most + 4).to_string();
    let nonsense: [(&str, &[&str]); 5] = [
        ("floor_kb", &["-1", "x", &above]),
        ("auto_return", &["2", "on", "-1"]),
        ("relief_kb", &["-1", "4k"]),
        ("hold_off_ms", &["3600001", "1.5"]),
        ("stats_ms", &["1", "999", "4294967296"]),
    ];
    for (file, texts) in nonsense {
        let before = balloon.number(file)?;
        for text in texts {
            ensure!(set(&balloon, file, text).is_err(), "{file} takes {text:?}");
        }
        ensure!(balloon.number(file)? == before, "{file} has changed");
    }

    // A floor above what the domain has raises it.
    let (bed, name) = (balloon.bed(), balloon.guest().name());
    let boot = balloon.target_of(BOOT_MIB);
    set(&balloon, "floor_kb", &boot.to_string())?;
    balloon.ask(200)?;
    wait_until("the toolstack's target is heard of", || {
        Ok(balloon.number("info/asked_kb")? == balloon.target_of(200))
    })?;
    // The built-in driver may have heard of it first and given a little, which comes back only when
    // the host lets it.
    bed.allow(name, BOOT_MIB)?;
    balloon.settle(boot)?;
    ensure!(balloon.sample()?.target_kb == boot);
    // Without one it follows what the domain can have.
    set(&balloon, "floor_kb", "0")?;
    wait_until("the smaller static-max is heard of", || {
        Ok(balloon.number("floor_kb")? < floor)
    })?;
    bed.allow(name, MOST_MIB)?;
    wait_until("the larger static-max is heard of", || {
        Ok(balloon.number("floor_kb")? == floor)
    })?;
    balloon.settle(balloon.target_of(200))?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// So much that the default floor is above what a guest boots with.
const HUGE_MIB: u64 = 4096;

/// A guest that is allowed to have much more is not given what nobody has asked for.
fn default_floor(balloon: Balloon<'_>) -> Result<()> {
    let (bed, name) = (balloon.bed(), balloon.guest().name());
    let before = balloon.sample()?;
    bed.allow(name, HUGE_MIB)?;
    wait_until("the larger static-max is heard of", || {
        Ok(balloon.number("info/max_kb")? == balloon.target_of(HUGE_MIB))
    })?;
    std::thread::sleep(Duration::from_secs(2));
    let now = balloon.sample()?;
    ensure!(
        (now.target_kb, now.current_kb) == (before.target_kb, before.current_kb),
        "{before:?}, then {now:?}"
    );
    ensure!(balloon.number("floor_kb")? == now.current_kb);
    // Nor is anything taken of what it has.
    balloon.ask(200)?;
    wait_until("the toolstack's target is heard of", || {
        Ok(balloon.number("info/asked_kb")? == balloon.target_of(200))
    })?;
    let (target, floor) = (balloon.number("target_kb")?, balloon.number("floor_kb")?);
    ensure!(
        target == floor && target > balloon.target_of(200),
        "{target}, {floor}"
    );
    bed.allow(name, MOST_MIB)?;
    balloon.settle(balloon.target_of(200))?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// Tools that know the built-in driver's files find them here.
fn c_names(balloon: Balloon<'_>) -> Result<()> {
    let mib = 1024 * 1024;
    set(&balloon, "target", &(220 * mib).to_string())?;
    balloon.settle(220 * 1024)?;
    set(&balloon, "target", "230M")?;
    balloon.settle(230 * 1024)?;
    ensure!(balloon.number("target")? == 230 * mib);
    for (file, value) in [
        ("schedule_delay", 1),
        ("max_schedule_delay", 1),
        ("retry_count", 0),
        ("max_retry_count", 0),
        ("scrub_pages", 1),
        ("info/high_kb", 0),
    ] {
        ensure!(balloon.number(file)? == value, "{file}");
    }
    balloon.reach(BOOT_MIB).map(drop)
}
