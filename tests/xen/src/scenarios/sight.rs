// SPDX-License-Identifier: GPL-2.0
//! What xenballoon tells of itself: xenstore, trace events, debugfs.

use super::{BOOT_MIB, MOST_MIB, wait_until};
use anyhow::{Context, Result, bail, ensure};
use bed::Refused;
use bed::balloon::{BUILTIN, Balloon, SYSFS};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ERANGE: i32 = 34;
const SIGTERM: i32 = 15;
const TRACING: &str = "/sys/kernel/tracing";
const DEBUG: &str = "/sys/kernel/debug/xenballoon";

/// The least number of figures below `data/xenballoon`.
const FIGURES: usize = 16;

type Run = fn(Balloon<'_>) -> Result<()>;

/// By name.
pub const SCENARIOS: [(&str, Run); 4] = [
    ("balloon_statistics", statistics),
    ("balloon_announced", announced),
    ("balloon_tracepoints", tracepoints),
    ("balloon_debugfs", debugfs),
];

/// Loads the module anew, with `params`.
fn reload<'a>(balloon: &Balloon<'a>, params: &[&str]) -> Result<Balloon<'a>> {
    let (bed, name) = (balloon.bed(), balloon.guest().name().to_string());
    balloon.guest().rmmod("xenballoon")?;
    balloon.guest().insmod("xenballoon", params)?;
    Balloon::of(bed, &name)
}

/// The figures in `data/xenballoon`, as dom0 sees them.
fn figures(balloon: &Balloon<'_>) -> Result<BTreeMap<String, u64>> {
    let domid = balloon.bed().domid(balloon.guest().name())?;
    let folder = format!("/local/domain/{domid}/data/xenballoon");
    let output = balloon.bed().dom0().run(&["xenstore-ls", &folder])?;
    // Without the folder there is nothing to list.
    let text = output.stdout;
    let lines = text.lines().filter_map(|line| line.split_once(" = "));
    lines
        .map(|(name, value)| {
            let value = value.trim_matches('"').parse();
            Ok((name.to_string(), value.with_context(|| name.to_string())?))
        })
        .collect()
}

/// Waits until `name` is told to be `value`.
fn wait_for_figure(balloon: &Balloon<'_>, name: &str, value: u64) -> Result<()> {
    let start = Instant::now();
    loop {
        let told = figures(balloon)?.get(name).copied();
        if told == Some(value) {
            return Ok(());
        }
        ensure!(
            start.elapsed() < Duration::from_secs(60),
            "{name} is told to be {told:?} instead of {value}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn statistics(balloon: Balloon<'_>) -> Result<()> {
    let name = balloon.guest().name().to_string();
    balloon.guest().rmmod("xenballoon")?;
    ensure!(figures(&balloon)?.is_empty(), "figures without the module");
    let Err(error) = balloon.guest().insmod("xenballoon", &["stats_ms=999"]) else {
        bail!("stats_ms=999 is taken");
    };
    let errno = error
        .downcast_ref::<Refused>()
        .and_then(|refused| refused.failure.errno);
    ensure!(errno == Some(ERANGE), "stats_ms=999: {error:#}");
    balloon.guest().insmod("xenballoon", &["stats_ms=1000"])?;
    let balloon = Balloon::of(balloon.bed(), &name)?;

    balloon.reach(200)?;
    wait_for_figure(&balloon, "current_kb", balloon.target_of(200))?;
    let small = figures(&balloon)?;
    ensure!(small.len() >= FIGURES, "only {small:?}");
    check_sanity(&small)?;
    let total: u64 = told(&balloon, "data/meminfo_total")?;
    ensure!(
        total == small["total_memory"] && told(&balloon, "data/meminfo_free")? < total,
        "meminfo_total is {total}"
    );
    balloon.reach(BOOT_MIB)?;
    wait_for_figure(&balloon, "current_kb", balloon.target_of(BOOT_MIB))?;
    let large = figures(&balloon)?;
    let grown = large["total_memory"].abs_diff(small["total_memory"]);
    ensure!(
        grown == (BOOT_MIB - 200) * 1024,
        "total_memory grew by {grown} KiB"
    );
    check_rate(&balloon)?;

    let interval = format!("{SYSFS}/stats_ms");
    ensure!(balloon.number("stats_ms")? == 1000);
    balloon.guest().write(&interval, "0")?;
    wait_until("the figures are gone", || Ok(figures(&balloon)?.is_empty()))?;
    for text in ["999", "-1", "1s", "4294967296"] {
        let taken = balloon.guest().write(&interval, text);
        ensure!(taken.is_err(), "stats_ms takes {text}");
    }
    let balloon = reload(&balloon, &["stats_ms=0"])?;
    std::thread::sleep(Duration::from_millis(1500));
    ensure!(figures(&balloon)?.is_empty(), "figures with stats_ms=0");
    // Once a second from now on: a change shows.
    balloon.guest().write(&interval, "1000")?;
    balloon.reach(210)?;
    wait_for_figure(&balloon, "current_kb", balloon.target_of(210))?;
    // Ten minutes from now on: it does not.
    balloon.guest().write(&interval, "600000")?;
    std::thread::sleep(Duration::from_millis(2500));
    balloon.reach(BOOT_MIB)?;
    std::thread::sleep(Duration::from_millis(2500));
    ensure!(figures(&balloon)?.get("current_kb") == Some(&balloon.target_of(210)));
    reload(&balloon, &[]).map(drop)
}

/// Has the toolstack let a guest write to some of its folders, or not.
fn let_write(balloon: &Balloon<'_>, allowed: bool) -> Result<()> {
    let domid = balloon.bed().domid(balloon.guest().name())?;
    let permission = format!("{}{domid}", if allowed { 'b' } else { 'r' });
    for folder in ["control", "memory"] {
        let path = format!("/local/domain/{domid}/{folder}");
        let chmod = ["xenstore-chmod", &path, "n0", &permission];
        balloon.bed().dom0().run(&chmod)?.ok()?;
    }
    Ok(())
}

/// Where the toolstack lets it, as XAPI and Qubes do, the module says that it is there, and what is used.
fn announced(balloon: Balloon<'_>) -> Result<()> {
    const FEATURE: &str = "control/feature-balloon";
    const USED: &str = "memory/meminfo";
    let (bed, name) = (balloon.bed(), balloon.guest().name().to_string());
    ensure!(bed.xenstore_read(&name, FEATURE).is_err(), "there already");
    let_write(&balloon, true)?;
    let balloon = reload(&balloon, &["stats_ms=1000"])?;
    wait_until("the module says that it is there", || {
        Ok(bed
            .xenstore_read(&name, FEATURE)
            .is_ok_and(|text| text == "1"))
    })?;
    wait_until("what is used is told", || Ok(told(&balloon, USED).is_ok()))?;
    let (used, total) = (told(&balloon, USED)?, told(&balloon, "data/meminfo_total")?);
    ensure!(0 < used && used < total, "{used} of {total} KiB are used");
    balloon.guest().rmmod("xenballoon")?;
    ensure!(
        bed.xenstore_read(&name, FEATURE).is_err(),
        "said without the module"
    );
    // That one stays: others write it as well.
    bed.xenstore_remove(&name, USED)?;
    let_write(&balloon, false)?;
    balloon.guest().insmod("xenballoon", &[])
}

/// A number that the guest has written.
fn told(balloon: &Balloon<'_>, path: &str) -> Result<u64> {
    let text = balloon.bed().xenstore_read(balloon.guest().name(), path)?;
    text.trim()
        .parse()
        .with_context(|| format!("{path}: {text:?}"))
}

fn check_sanity(told: &BTreeMap<String, u64>) -> Result<()> {
    let figure = |name: &str| told.get(name).copied().with_context(|| name.to_string());
    ensure!(
        figure("free_memory")? <= figure("total_memory")?,
        "{told:?}"
    );
    ensure!(
        figure("available_memory")? <= figure("total_memory")?,
        "{told:?}"
    );
    ensure!(figure("total_memory")? <= figure("current_kb")?, "{told:?}");
    ensure!(figure("floor_kb")? <= figure("target_kb")?, "{told:?}");
    ensure!(
        figure("major_faults")? <= figure("minor_faults")?,
        "{told:?}"
    );
    ensure!(figure("minor_faults")? > 100, "{told:?}");
    ensure!(figure("pressure")? <= 100, "{told:?}");
    Ok(())
}

/// Nothing is written more than once a second, although a fault counter never stands still.
fn check_rate(balloon: &Balloon<'_>) -> Result<()> {
    let domid = balloon.bed().domid(balloon.guest().name())?;
    let node = format!("/local/domain/{domid}/data/xenballoon/minor_faults");
    let dom0 = balloon.bed().dom0();
    let file = format!("/tmp/{}.watch", balloon.guest().name());
    let seconds = 5;
    let pid = dom0.spawn(&["xenstore-watch", &node], &file)?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        // A new process faults pages in.
        balloon.guest().run(&["cat", "/proc/uptime"])?.ok()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    dom0.kill(pid, SIGTERM)?;
    let events = dom0.read(&file)?.lines().count() as u64;
    // The first event tells that the watch is set.
    ensure!(
        (2..=seconds + 2).contains(&events),
        "{events} events in {seconds} s, the first one included; minor_faults is {}",
        told(balloon, "data/xenballoon/minor_faults")?
    );
    Ok(())
}

/// The value of `key=` in a line of a trace.
fn field<'a>(line: &'a str, key: &str) -> Result<&'a str> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        .with_context(|| format!("no {key} in {line:?}"))
}

fn tracepoints(balloon: Balloon<'_>) -> Result<()> {
    let guest = balloon.guest();
    let switch = format!("{TRACING}/events/xenballoon/enable");
    // The first step asks whether all memory is there.
    balloon.reach(240)?;
    guest.write(&format!("{TRACING}/trace"), "")?;
    guest.write(&switch, "1")?;
    let calls = balloon.number("info/hypercalls")?;
    let mut moved = 0;
    for mib in [200, 233] {
        let (held, builtin) = (
            balloon.number("info/held_kb")? as i64,
            builtin_kb(&balloon)?,
        );
        let done = balloon.reach(mib)?;
        let by_us = held - balloon.number("info/held_kb")? as i64;
        let by_builtin = builtin_kb(&balloon)? - builtin;
        ensure!(
            done.to_kb as i64 - done.from_kb as i64 == by_us + by_builtin,
            "{done:?}: {by_us} and {by_builtin} KiB"
        );
        moved += by_us;
    }
    guest.write(&switch, "0")?;
    let trace = guest.read(&format!("{TRACING}/trace"))?;
    let calls = balloon.number("info/hypercalls")? - calls;
    let batches = trace.matches("xenballoon_batch:").count() as u64;
    // In a PV guest mapping takes more.
    let is_pv = guest
        .read(&format!("{DEBUG}/state"))?
        .lines()
        .any(|line| line == "kind: pv");
    ensure!(
        is_pv || calls == batches,
        "{calls} hypercalls for {batches} batches"
    );
    let (mut sum, mut duration_ns) = (0, 0);
    for line in trace
        .lines()
        .filter(|line| line.contains("xenballoon_batch:"))
    {
        let pages: i64 = field(line, "done")?.parse()?;
        ensure!(pages <= field(line, "asked")?.parse()?, "{line}");
        // One may take no time: a guest's clock stands still on a processor whose counter is behind.
        duration_ns += field(line, "duration_ns")?.parse::<u64>()?;
        sum += match field(line, "action")? {
            "take_huge" | "take_base" => -pages,
            "give_huge" | "give_base" => pages,
            action => bail!("action {action} in {line:?}"),
        };
    }
    ensure!(
        sum * 4 == moved && sum != 0,
        "batches: {sum} pages, moved: {moved} KiB"
    );
    ensure!(duration_ns > 0, "{batches} batches took no time");
    let target = format!("effective={}", balloon.target_of(233) / 4);
    ensure!(
        trace
            .lines()
            .any(|line| line.contains("source=toolstack") && line.ends_with(&target)),
        "no target in the trace"
    );
    ensure!(
        ["action=take", "action=give", "action=rest"]
            .iter()
            .all(|action| trace.contains(action)),
        "not all decisions are in the trace"
    );
    // Off means off.
    guest.write(&format!("{TRACING}/trace"), "")?;
    balloon.reach(BOOT_MIB)?;
    let silent = guest.read(&format!("{TRACING}/trace"))?;
    ensure!(!silent.contains("xenballoon_"), "{silent}");
    Ok(())
}

/// What the built-in driver thinks that the domain has, in KiB.
fn builtin_kb(balloon: &Balloon<'_>) -> Result<i64> {
    let text = balloon
        .guest()
        .read(&format!("{BUILTIN}/info/current_kb"))?;
    Ok(text.trim().parse()?)
}

fn debugfs(balloon: Balloon<'_>) -> Result<()> {
    let read = |file: &str| balloon.guest().read(&format!("{DEBUG}/{file}"));
    for mib in [200, 231, MOST_MIB, 190, BOOT_MIB] {
        balloon.reach(mib)?;
        check_invariants(&balloon)?;
    }
    balloon.reach(210)?;
    let state = read("state")?;
    let held = balloon.number("info/held_kb")?;
    ensure!(
        state.lines().any(|line| line == format!("held_kb: {held}")),
        "{state}"
    );
    let orders = read("bytes_by_order")?;
    let mut bytes = 0;
    for line in orders.lines() {
        let (_, rest) = line.split_once("held ").context("no order")?;
        let number = rest.split(' ').next().context("no number")?;
        bytes += number.parse::<u64>()?;
    }
    ensure!(bytes == held * 1024, "{held} KiB are held, not {orders}");
    let longest = read("longest_call_us")?;
    for line in longest.lines() {
        let (name, us) = line.split_once(": ").context("no colon")?;
        ensure!(us.parse::<u64>()? > 0, "{name}: {us}");
        println!("# {} {name} {us} us", balloon.guest().name());
    }
    balloon.guest().rmmod("xenballoon")?;
    ensure!(read("state").is_err(), "the files outlive the module");
    balloon.guest().insmod("xenballoon", &[])?;
    check_invariants(&balloon)
}

/// All invariants hold, once the built-in driver stands still.
fn check_invariants(balloon: &Balloon<'_>) -> Result<()> {
    let start = Instant::now();
    loop {
        let text = balloon.guest().read(&format!("{DEBUG}/invariants"))?;
        ensure!(!text.contains("VIOLATED"), "{text}");
        if text.lines().count() >= 5 && text.lines().all(|line| line.ends_with(": ok")) {
            return Ok(());
        }
        ensure!(start.elapsed() < Duration::from_secs(60), "{text}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
