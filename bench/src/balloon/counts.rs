// SPDX-License-Identifier: GPL-2.0
//! What does not depend on the machine's speed: hypercalls, TLB flushes, and in which extents memory goes.
//!
//! Ours counts its hypercalls itself. The built-in driver does not, so the kernel counts for it: each of the
//! probed functions makes exactly one hypercall. Their callers are counted while ours is at work too, and
//! added to its count: nothing that the built-in driver does meanwhile is hidden.
//!
//! A flush is one that the guest orders of all that a processor's TLB has of the kernel, or of a range of it:
//! by the kernel's two functions, whoever calls them, or by a multicall of ours in a PV guest. What Xen flushes by
//! itself is not in it.

use super::{Both, Driver, PEER, each, gib, whole_pages};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use bed::balloon::SYSFS;

/// A count of an idle guest hardly varies.
const ROUNDS: usize = 1;
const TRACING: &str = "/sys/kernel/tracing";
/// Of `nr` calls at once the last one's flags are in its third argument.
const PROBES: &str = "p:kprobes/bed_take xenmem_reservation_decrease\n\
                      p:kprobes/bed_give xenmem_reservation_increase\n\
                      p:kprobes/bed_unmap __xenmem_reservation_va_mapping_reset\n\
                      p:kprobes/bed_map __xenmem_reservation_va_mapping_update\n\
                      p:kprobes/bed_flush flush_tlb_all\n\
                      p:kprobes/bed_flush_range flush_tlb_kernel_range\n\
                      p:kprobes/bed_multicall xenballoon:xenoxide_multicall nr=%si:u32 flags=+32736(%di):u64\n";
/// The multicalls, by the probe's fields.
const MULTICALLS: &str = "events/kprobes/bed_multicall";
/// As many pages as one of ours has room for (`rust/xen/pv.rs`), and which flags have the TLB flushed.
const WHOLE: u64 = 512;
const UVMF_FLUSHTYPE_MASK: u64 = 3;

/// One way, for each GiB.
struct Way {
    hypercalls: f64,
    flushes: f64,
}

/// Of half the guest, taken and given back.
struct Counts {
    take: Way,
    give: Way,
    /// Share of what was taken that went in 2 MiB extents; nothing is known of the peer's.
    huge: Option<f64>,
}

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    let write = |file: &str, text: &str| both.guest.write(&format!("{TRACING}/{file}"), text);
    write("kprobe_events", PROBES)?;
    write(&format!("{MULTICALLS}/trigger"), "hist:keys=nr,flags")?;
    write("events/kprobes/enable", "1")?;
    let pairs = both.alternate(ROUNDS, |driver| once(both, driver), tell)?;
    let huge = pairs.iter().filter_map(|(ours, _)| ours.huge).collect();
    let per_gib = |what: &str, figure: fn(&Counts) -> f64| {
        let unit = what.split('-').next().unwrap_or(what);
        let name = both.metric(what);
        Metric::of_costs(&name, &format!("{unit}/GiB"), PEER, &each(&pairs, figure))
    };
    Ok(vec![
        per_gib("hypercalls-per-gib-take", |run| run.take.hypercalls),
        per_gib("hypercalls-per-gib-give", |run| run.give.hypercalls),
        per_gib("flushes-per-gib-take", |run| run.take.flushes),
        per_gib("flushes-per-gib-give", |run| run.give.flushes),
        Metric::alone(
            &both.metric("bytes-order9"),
            "share",
            &format!("{PEER}: 0 by construction, it takes single pages"),
            huge,
        ),
    ])
}

fn tell(run: &Counts) -> String {
    let Counts { take, give, huge } = run;
    let share = huge.map(|share| format!(" ({share:.4} in 2 MiB)"));
    let share = share.unwrap_or_default();
    let told = |way: &Way| {
        format!(
            "{:.0} hypercalls, {:.0} flushes",
            way.hypercalls, way.flushes
        )
    };
    format!("take {}{share}, give {} a GiB", told(take), told(give))
}

fn once(both: &Both<'_>, driver: &Driver) -> Result<Counts> {
    let half_kb = whole_pages(both.big_kb / 2);
    let number = |file: &str| both.guest.read_number(&format!("{SYSFS}/info/{file}"));
    let taken =
        || -> Result<(u64, u64)> { Ok((number("taken_huge_kb")?, number("taken_base_kb")?)) };
    let taken_before = driver.is_ours().then(taken).transpose()?;
    let take = way(both, driver, both.big_kb - half_kb)?;
    let taken_after = driver.is_ours().then(taken).transpose()?;
    let give = way(both, driver, both.big_kb)?;
    let huge = taken_before.zip(taken_after).map(|(before, after)| {
        let (huge, base) = (after.0 - before.0, after.1 - before.1);
        huge as f64 / (huge + base) as f64
    });
    let per_gib = |(hypercalls, flushes): (u64, u64)| Way {
        hypercalls: hypercalls as f64 / gib(half_kb),
        flushes: flushes as f64 / gib(half_kb),
    };
    Ok(Counts {
        take: per_gib(take),
        give: per_gib(give),
        huge,
    })
}

/// Goes to a target; answers the hypercalls and the flushes on the way.
fn way(both: &Both<'_>, driver: &Driver, to_kb: u64) -> Result<(u64, u64)> {
    let before = so_far(both, driver)?;
    both.go(driver, to_kb)?;
    let after = so_far(both, driver)?;
    Ok((after.0 - before.0, after.1 - before.1))
}

/// Hypercalls and flushes since some time.
fn so_far(both: &Both<'_>, driver: &Driver) -> Result<(u64, u64)> {
    let read = |file: &str| both.guest.read(&format!("{TRACING}/{file}"));
    let profile = read("kprobe_profile")?;
    let hits = |probes: &[&str]| -> Result<u64> {
        let mut probes = probes.iter();
        probes.try_fold(0, |sum, probe| Ok(sum + hits_in(&profile, probe)?))
    };
    let hits = |probes: &[&str]| {
        hits(probes).with_context(|| format!("kprobe_profile of {probes:?}: {profile:?}"))
    };
    let mut hypercalls = hits(&["bed_take", "bed_give", "bed_unmap", "bed_map"])?;
    if driver.is_ours() {
        hypercalls += both
            .guest
            .read_number(&format!("{SYSFS}/info/hypercalls"))?;
    }
    let multicalls = read(&format!("{MULTICALLS}/hist"))?;
    let ours = flushes_in(&multicalls).with_context(|| multicalls.clone())?;
    Ok((hypercalls, hits(&["bed_flush", "bed_flush_range"])? + ours))
}

/// How many multicalls have the TLB flushed. Of one that is not whole it cannot be seen: it counts as if it did.
fn flushes_in(hist: &str) -> Result<u64> {
    ensure!(
        hist.lines().any(|line| line.trim() == "Dropped: 0"),
        "some were dropped"
    );
    let mut flushes = 0;
    for line in hist.lines().filter(|line| line.starts_with('{')) {
        let numbers: Vec<u64> = line
            .split(|sign: char| !sign.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        let [nr, flags, times] = numbers[..] else {
            anyhow::bail!("not three numbers: {line}");
        };
        if nr != WHOLE || flags & UVMF_FLUSHTYPE_MASK != 0 {
            flushes += times;
        }
    }
    Ok(flushes)
}

/// How often a probed function was called, if none of its calls was missed.
fn hits_in(profile: &str, probe: &str) -> Result<u64> {
    let lines = profile.lines();
    let mut words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = words.find(|words| words.first() == Some(&probe));
    let line = line.context("no such probe")?;
    let [_, hits, missed] = line[..] else {
        anyhow::bail!("not three words");
    };
    ensure!(missed.parse::<u64>()? == 0, "calls were missed");
    Ok(hits.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read() {
        let profile = "  bed_take      512     0\n  bed_give  7   1\n  odd 1\n";
        assert_eq!(hits_in(profile, "bed_take").unwrap(), 512);
        for bad in ["bed_give", "odd", "none"] {
            assert!(hits_in(profile, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn multicalls_that_flush_are_counted() {
        let hist = "# event histogram\n#\n# trigger info: hist:keys=nr,flags:size=2048 [active]\n#\n\n\
                    { nr:        512, flags:          0 } hitcount:        124\n\
                    { nr:        512, flags:          5 } hitcount:          4\n\
                    { nr:         16, flags:          0 } hitcount:          1\n\n\
                    Totals:\n    Hits: 129\n    Entries: 3\n    Dropped: 0\n";
        assert_eq!(flushes_in(hist).unwrap(), 5);
        assert!(flushes_in(&hist.replace("Dropped: 0", "Dropped: 7")).is_err());
        assert!(flushes_in(&hist.replace("flags", "512")).is_err());
        let none = "\nTotals:\n    Hits: 0\n    Entries: 0\n    Dropped: 0\n";
        assert_eq!(flushes_in(none).unwrap(), 0);
    }
}
