// SPDX-License-Identifier: GPL-2.0
//! What does not depend on the machine's speed: hypercalls, and in which extents memory goes.
//!
//! Ours counts its hypercalls itself. The built-in driver does not, so the kernel counts for it: each of the
//! two probed functions makes exactly one hypercall. Their callers are counted while ours is at work too, and
//! added to its count: nothing that the built-in driver does meanwhile is hidden.

use super::{Both, Driver, PEER, each, gib, whole_pages};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use bed::balloon::SYSFS;

/// A count of an idle guest hardly varies.
const ROUNDS: usize = 1;
const TRACING: &str = "/sys/kernel/tracing";
const PROBES: &str = "p:kprobes/bed_take xenmem_reservation_decrease\n\
                      p:kprobes/bed_give xenmem_reservation_increase\n";

/// Of half the guest, taken and given back.
struct Counts {
    take: f64,
    give: f64,
    /// Share of what was taken that went in 2 MiB extents; nothing is known of the peer's.
    huge: Option<f64>,
}

pub fn measure(both: &Both<'_>) -> Result<Vec<Metric>> {
    both.guest
        .write(&format!("{TRACING}/kprobe_events"), PROBES)?;
    both.guest
        .write(&format!("{TRACING}/events/kprobes/enable"), "1")?;
    let pairs = both.alternate(ROUNDS, |driver| once(both, driver), tell)?;
    let huge = pairs.iter().filter_map(|(ours, _)| ours.huge).collect();
    let (take, give) = (each(&pairs, |run| run.take), each(&pairs, |run| run.give));
    let per_gib = |what: &str, pairs: &[(f64, f64)]| {
        let name = both.metric(&format!("hypercalls-per-gib-{what}"));
        Metric::of_costs(&name, "hypercalls/GiB", PEER, pairs)
    };
    Ok(vec![
        per_gib("take", &take),
        per_gib("give", &give),
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
    format!("take {take:.0}{share}, give {give:.0} hypercalls/GiB")
}

fn once(both: &Both<'_>, driver: &Driver) -> Result<Counts> {
    let half_kb = whole_pages(both.big_kb / 2);
    let number = |file: &str| both.guest.read_number(&format!("{SYSFS}/info/{file}"));
    let calls = |probe: &str| -> Result<u64> {
        let own = if driver.is_ours() {
            number("hypercalls")?
        } else {
            0
        };
        Ok(own + hits(both, probe)?)
    };
    let taken =
        || -> Result<(u64, u64)> { Ok((number("taken_huge_kb")?, number("taken_base_kb")?)) };
    let taken_before = driver.is_ours().then(taken).transpose()?;
    let before = calls("bed_take")?;
    both.go(driver, both.big_kb - half_kb)?;
    let take = calls("bed_take")? - before;
    let taken_after = driver.is_ours().then(taken).transpose()?;
    let before = calls("bed_give")?;
    both.go(driver, both.big_kb)?;
    let give = calls("bed_give")? - before;
    let huge = taken_before.zip(taken_after).map(|(before, after)| {
        let (huge, base) = (after.0 - before.0, after.1 - before.1);
        huge as f64 / (huge + base) as f64
    });
    Ok(Counts {
        take: take as f64 / gib(half_kb),
        give: give as f64 / gib(half_kb),
        huge,
    })
}

fn hits(both: &Both<'_>, probe: &str) -> Result<u64> {
    let profile = both.guest.read(&format!("{TRACING}/kprobe_profile"))?;
    hits_in(&profile, probe).with_context(|| format!("kprobe_profile of {probe}: {profile:?}"))
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
}
