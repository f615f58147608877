// SPDX-License-Identifier: GPL-2.0
//! More memory than a guest booted with: `xl mem-max` is raised while it runs.

use super::{BOOT_MIB, MOST_MIB, Run, wait_until};
use anyhow::{Context, Result, ensure};
use bed::balloon::{Balloon, SYSFS};

/// By name.
pub const SCENARIOS: [(&str, Run); 1] = [("balloon_beyond_boot", beyond_boot)];

/// No whole number of blocks more than a guest has.
const HIGH_MIB: u64 = 600;
const HIGHER_MIB: u64 = 700;
/// What a machine needs for two guests that grow to that.
pub const SPARE_MIB: u32 = 1024;

/// As the kernel says it.
const ENOMEM: &str = "-12";
const BLOCKS: &str = "/sys/devices/system/memory";

fn shell(balloon: &Balloon<'_>, line: &str) -> Result<String> {
    let output = balloon.guest().run(&["sh", "-c", line])?.ok()?;
    Ok(output.stdout.trim().to_string())
}

/// How many blocks of memory there are, and how many that are not online.
fn blocks(balloon: &Balloon<'_>) -> Result<(u64, u64)> {
    let all = shell(balloon, &format!("ls -d {BLOCKS}/memory[0-9]* | wc -l"))?;
    let offline = shell(
        balloon,
        &format!("cat {BLOCKS}/*/state | grep -c offline || :"),
    )?;
    Ok((all.parse()?, offline.parse()?))
}

/// Sees that all that has to hold does.
pub(super) fn sound(balloon: &Balloon<'_>) -> Result<()> {
    let path = "/sys/kernel/debug/xenballoon/invariants";
    let lines = balloon.guest().read(path)?;
    ensure!(lines.lines().all(|line| line.ends_with(": ok")), "{lines}");
    Ok(())
}

/// Grows a guest beyond what it booted with, to the page, and makes it small again.
pub fn beyond_boot(balloon: Balloon<'_>) -> Result<()> {
    let (bed, name) = (balloon.bed(), balloon.guest().name().to_string());
    let unseen = balloon.unseen_by_guest()?;
    let adder = balloon.guest().read(&format!("{SYSFS}/info/hotplug"))?;
    bed.allow(&name, HIGHER_MIB)?;
    wait_until("the larger static-max is heard of", || {
        Ok(balloon.number("info/max_kb")? == balloon.target_of(HIGHER_MIB))
    })?;
    let mut earlier = 0;
    if adder == "module" {
        refused_by_the_kernel(&balloon)?;
        // It is the built-in driver's when the module was loaded anew.
        earlier = balloon.number("info/added_kb")?;
        waits_for_online(&balloon)?;
        waits_for_the_host(&balloon)?;
    }
    for mib in [HIGH_MIB, 300, HIGHER_MIB, 420, BOOT_MIB] {
        balloon.reach(mib)?;
    }
    sound(&balloon)?;
    let added = balloon.number("info/added_kb")?;
    match adder.as_str() {
        "builtin" => ensure!(added == 0, "{added} KiB were added by the module"),
        "module" => ensure!(
            earlier + added >= (HIGHER_MIB - MOST_MIB) * 1024,
            "{earlier} and {added} KiB were added"
        ),
        other => anyhow::bail!("{other:?} adds memory"),
    }

    // What was added stays, and is the built-in driver's.
    balloon.reach(HIGH_MIB)?;
    balloon.guest().rmmod("xenballoon")?;
    balloon.guest().insmod("xenballoon", &[])?;
    balloon.settle(balloon.target_of(HIGH_MIB))?;
    for mib in [HIGHER_MIB, BOOT_MIB] {
        balloon.reach(mib)?;
    }
    ensure!(balloon.number("info/added_kb")? == 0, "added twice");
    sound(&balloon)?;
    balloon.agrees(unseen)?;
    bed.allow(&name, MOST_MIB)
}

/// All there is so far, in KiB.
fn all_kb(balloon: &Balloon<'_>) -> Result<u64> {
    let there = ["current_kb", "info/held_kb", "info/builtin_kb"];
    let mut all = there.iter();
    all.try_fold(0, |sum, file| Ok(sum + balloon.number(file)?))
}

/// More than this would cost a guest a good part of what it has.
const HUGE_MIB: u64 = 4096;

/// No block is added before the host has populated the last one.
fn waits_for_the_host(balloon: &Balloon<'_>) -> Result<()> {
    let (bed, name) = (balloon.bed(), balloon.guest().name());
    bed.allow(name, HUGE_MIB)?;
    wait_until("the larger static-max is heard of", || {
        Ok(balloon.number("info/max_kb")? == balloon.target_of(HUGE_MIB))
    })?;
    // From here on the host allows no more.
    let all = all_kb(balloon)?;
    balloon.reach(balloon.asked_for(all) / 1024)?;
    ensure!(balloon.sample()?.current_kb == all, "not all of {all} KiB");
    let known = blocks(balloon)?;
    let most = balloon.target_of(HUGE_MIB).to_string();
    balloon
        .guest()
        .write(&format!("{SYSFS}/target_kb"), &most)?;
    wait_until(
        "the host refuses",
        || Ok(balloon.number("retry_count")? > 3),
    )?;
    let (now, held) = (blocks(balloon)?, balloon.number("info/held_kb")?);
    ensure!(
        now.0 == known.0 + 1,
        "{now:?} blocks of {known:?}, {held} KiB are held"
    );
    // Its floor is that of a small guest again, and it may have as much as that now.
    bed.allow(name, HIGHER_MIB)?;
    balloon.settle(balloon.target_of(HIGHER_MIB))?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// How often the kernel refuses to add memory is said here.
const REFUSALS: &str = "/sys/kernel/debug/xenballoon/fail_add_memory";
/// More often than anything is tried.
const MANY: &str = "1000000";
/// A little more than there is without it.
const LITTLE_MIB: u64 = 40;

/// What the kernel refuses to add is told of, once in the log, and tried again until it is there.
fn refused_by_the_kernel(balloon: &Balloon<'_>) -> Result<()> {
    let (bed, guest) = (balloon.bed(), balloon.guest());
    let error = || guest.read(&format!("{SYSFS}/info/hotplug_error"));
    let mib = balloon.asked_for(all_kb(balloon)?) / 1024 + LITTLE_MIB;
    let known = blocks(balloon)?;
    let begin = bed.mark(guest.name())?;
    guest.write(REFUSALS, MANY)?;
    balloon.ask(mib)?;
    wait_until("the kernel refuses", || Ok(error()? == ENOMEM))?;
    ensure!(blocks(balloon)? == known, "something was added");
    guest.write(REFUSALS, "0")?;
    balloon.settle(balloon.target_of(mib))?;
    ensure!(error()? == "0", "{} is left", error()?);
    let end = bed.mark(guest.name())?;
    let logs = bed.logs();
    let log = logs.get(guest.name()).context("no log")?;
    let lines = log[begin..end].iter();
    let told = lines.filter(|line| line.text.contains("cannot add memory (-12)"));
    ensure!(told.count() == 1, "not told once");
    balloon.reach(BOOT_MIB).map(drop)
}

/// A PV domain's kernel cannot remove memory.
pub(super) fn is_pv(balloon: &Balloon<'_>) -> Result<bool> {
    let state = balloon.guest().read("/sys/kernel/debug/xenballoon/state")?;
    Ok(state.lines().any(|line| line == "kind: pv"))
}

/// What nobody has online is waited for, and goes with the module or keeps it.
fn waits_for_online(balloon: &Balloon<'_>) -> Result<()> {
    let policy = |word: &str| {
        let path = format!("{BLOCKS}/auto_online_blocks");
        balloon.guest().write(&path, word)
    };
    policy("offline")?;
    let known = blocks(balloon)?;
    let waits = || {
        balloon.ask(HIGH_MIB)?;
        wait_until("it waits", || Ok(balloon.number("info/offline_kb")? > 0))
    };
    waits()?;
    let (all, offline) = blocks(balloon)?;
    ensure!(
        offline > 0 && all == known.0 + offline,
        "{all} blocks of {known:?}"
    );
    balloon.reach(BOOT_MIB)?;
    let is_pv = is_pv(balloon)?;
    let unloaded = balloon.guest().rmmod("xenballoon");
    if is_pv {
        ensure!(
            unloaded.is_err(),
            "unloaded with blocks that are not online"
        );
    } else {
        unloaded?;
        ensure!(blocks(balloon)? == known, "blocks stay that are not online");
        balloon.guest().insmod("xenballoon", &[])?;
    }
    waits()?;
    // Some other block that comes online is none of the module's.
    let line = format!(
        "for b in {BLOCKS}/memory[0-9]*; do
            [ $(cat $b/state) = offline ] && echo online > $b/state; done; :"
    );
    // There is another when one is populated.
    wait_until("all that is needed is online", || {
        shell(balloon, &line)?;
        Ok(balloon.sample()?.current_kb == balloon.target_of(HIGH_MIB))
    })?;
    wait_until("nothing waits", || {
        Ok(balloon.number("info/offline_kb")? == 0)
    })?;
    // From here on by itself.
    policy("online")?;
    balloon.reach(BOOT_MIB).map(drop)
}
