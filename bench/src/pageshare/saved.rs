// SPDX-License-Identifier: GPL-2.0
//! What guests save that run the same service: first each from a private disk, then all from the area.
//!
//! What is saved is the difference of what they take of the host. The ideal is the same pages once less for each
//! guest but the first that has them: all different pages of the trees' files, by their content, that a guest with
//! a private disk has in its page cache, without those that a guest of the area has in its own as well, because
//! they are mapped to be executed.

use super::places::{client, mib};
use super::releases::{Release, Releases};
use super::resident::{Contents, Place};
use super::watch::{Seen, Side, watch};
use super::{Options, host};
use crate::metric::Metric;
use anyhow::{Context, Result};
use bed::{Bed, Guest};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Room for the file that all read, on top of this.
const GUEST_MIB: u32 = 224;
const DISK: &str = "xen-blkfront: each guest with a private disk";
const TIMES: &str = "time from creation to the service's start, by that with a private disk";
const SECTORS: &str =
    "none: the most sectors for a later guest, by those for the first with the same release";
const TOUCHED: &str = "none: of the pages that a process has of files, those that are the area's";
const CALLS: &str = "none: pages that the first guest has mapped, by calls of the hypervisor";
const PAGES: &str = "none: of the pages of files that a guest with a private disk has in memory";

/// What guests have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// All have one release.
    Same,
    /// They have two releases in turn, with the same data.
    Mixed,
    /// The same, with data of their own: next to nothing.
    Control,
}

impl Mix {
    /// Before its metrics' names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Mixed => "mixed",
            Self::Control => "control",
        }
    }

    /// What a guest has; the first is number 1.
    fn release(self, number: u32) -> Release {
        match self {
            Self::Mixed | Self::Control if number % 2 == 0 => Release::Bookworm,
            _ => Release::Trixie,
        }
    }

    fn releases(self) -> &'static [Release] {
        match self {
            Self::Same => &[Release::Trixie],
            Self::Mixed | Self::Control => &[Release::Trixie, Release::Bookworm],
        }
    }
}

/// The pages of a release that guests could share.
struct Shareable {
    /// That are executed, of `all`.
    executed: usize,
    all: usize,
    contents: Contents,
}

/// Measures with as many guests as asked for.
pub fn measure(options: &Options, mix: Mix, metrics: &mut Vec<Metric>) -> Result<()> {
    println!("several guests, {}: booting dom0", mix.name());
    let releases = Releases::make(mix.releases(), options.data_mib, mix == Mix::Control)?;
    // Two processors for guests.
    let mut host = host(options, &releases.image)?.cpus(3);
    for side in [Side::Disk, Side::Area] {
        for number in 1..=options.guests {
            let guest = Guest::pvh(&side.guest(number))
                .memory_mib(GUEST_MIB + options.data_mib)
                .kernel_module("overlay")
                .module("xenballoon")
                .later();
            let guest = client(client(guest, "resident")?, "touched")?;
            host = host.guest(match side {
                Side::Disk => guest.tools(),
                Side::Area => guest.module("pageshare"),
            });
        }
    }
    let bed = Bed::boot(host)?;
    let release = |number| mix.release(number);
    let (mut disk, mut area) = (Seen::default(), Seen::default());
    watch(&bed, Side::Disk, options, &release, &mut disk).context("private disks")?;
    let watched = watch(&bed, Side::Area, options, &release, &mut area).context("the area");
    bed.power_off();

    metrics.extend(sectors(mix, &area));
    if mix == Mix::Same {
        metrics.extend(of_guests(&disk, &area));
    }
    let pages = shareable(&releases, &disk.resident, &area.resident)?;
    metrics.extend(saved(mix, &disk, &area, &pages));
    let trixie = pages.get(&Release::Trixie).filter(|_| mix == Mix::Same);
    metrics.extend(trixie.into_iter().flat_map(shares));
    watched
}

/// What one guest tells, or each.
fn of_guests(disk: &Seen, area: &Seen) -> Vec<Metric> {
    let pairs = area.times.iter().zip(&disk.times).skip(1);
    let times: Vec<f64> = pairs.map(|(ours, peer)| ours / peer).collect();
    let calls = area.mapped.iter();
    let calls = calls.map(|&(pages, calls)| pages as f64 / calls as f64);
    let touched = area.first_touch.into_iter().collect();
    let all = [
        ("boot-nth", "ratio", TIMES, times),
        ("pages-per-map-call", "pages", CALLS, calls.collect()),
        ("first-touch", "share", TOUCHED, touched),
    ];
    let told = all.into_iter().filter(|(_, _, _, ours)| !ours.is_empty());
    told.map(|(name, unit, peer, ours)| Metric::alone(name, unit, peer, ours))
        .collect()
}

/// What each of the releases has to share.
fn shareable(
    releases: &Releases,
    disk: &BTreeMap<Release, HashSet<Place>>,
    area: &BTreeMap<Release, HashSet<Place>>,
) -> Result<BTreeMap<Release, Shareable>> {
    let each = disk.iter().map(|(release, all)| {
        let none = HashSet::new();
        let cached = area.get(release).unwrap_or(&none);
        let places = all.difference(cached).cloned().collect();
        let contents = Contents::read(&places, |path| releases.open(*release, path))?;
        let found = Shareable {
            executed: all.len() - places.len(),
            all: all.len(),
            contents,
        };
        println!(
            "{}: a guest has {} pages of files in memory; {} are executed from, {} have zeroes, {} are as another, {} are left; {} more are in the page cache of the area's guest",
            release.name(),
            found.all,
            found.executed,
            found.contents.zeroes,
            found.contents.again,
            found.contents.different.len(),
            cached.difference(all).count(),
        );
        Ok((*release, found))
    });
    each.collect()
}

/// What they have saved, by what they could.
fn saved(mix: Mix, disk: &Seen, area: &Seen, pages: &BTreeMap<Release, Shareable>) -> Vec<Metric> {
    let each = disk.taken.iter().zip(&area.taken);
    let each = each.map(|((count, with_disks), (_, with_area))| {
        let ideal = mib(ideal(mix, *count, pages) * 4096);
        println!(
            "{}, {count} guests: {with_area:.1} MiB taken beside {with_disks:.1}, {:.1} less; the ideal is {ideal:.1}",
            mix.name(),
            with_disks - with_area,
        );
        let name = format!("{}/n{count}/saved-of-ideal", mix.name());
        let saved = (with_disks - with_area) / ideal;
        Metric::alone(&name, "share", DISK, vec![saved])
    });
    each.collect()
}

/// How many pages so many guests could have less. Those of the control have next to nothing in common: there it is
/// what they could if they had the same.
fn ideal(mix: Mix, count: u32, pages: &BTreeMap<Release, Shareable>) -> u64 {
    let of = |number| pages.get(&mix.release(number));
    let guests = (1..=count).filter_map(of);
    if mix == Mix::Control {
        return guests
            .skip(1)
            .map(|pages| pages.contents.different.len() as u64)
            .sum();
    }
    let mut times: HashMap<u64, u64> = HashMap::new();
    for page in guests.flat_map(|pages| &pages.contents.different) {
        *times.entry(*page).or_default() += 1;
    }
    times.values().map(|times| times - 1).sum()
}

/// What was read from the disk for later guests.
fn sectors(mix: Mix, area: &Seen) -> Vec<Metric> {
    let kinds = mix.releases().len();
    let counts = area.taken.iter().map(|(count, _)| *count as usize);
    let each = counts.filter(|count| *count > kinds).map(|count| {
        let later = (kinds..count).map(|at| {
            let first = area.sectors[at % kinds].max(1);
            area.sectors[at] as f64 / first as f64
        });
        let name = format!("{}/n{count}/sectors-of-first", mix.name());
        let most = later.fold(0.0, f64::max);
        Metric::alone(&name, "share", SECTORS, vec![most])
    });
    each.collect()
}

/// What of a guest's pages of files cannot be shared with another's, and why.
fn shares(pages: &Shareable) -> Vec<Metric> {
    let share = |name: &str, count: u64| {
        let share = count as f64 / pages.all as f64;
        Metric::alone(&format!("pages/{name}"), "share", PAGES, vec![share])
    };
    vec![
        share("executed", pages.executed as u64),
        share("zeroes", pages.contents.zeroes),
        share("as-another", pages.contents.again),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(contents: &[(Release, &[u64])]) -> BTreeMap<Release, Shareable> {
        let each = contents.iter().map(|(release, different)| {
            let contents = Contents {
                different: different.iter().copied().collect(),
                ..Contents::default()
            };
            let shareable = Shareable {
                executed: 0,
                all: different.len(),
                contents,
            };
            (*release, shareable)
        });
        each.collect()
    }

    #[test]
    fn the_ideal_has_each_page_once() {
        let same = pages(&[(Release::Trixie, &[1, 2, 3])]);
        assert_eq!(ideal(Mix::Same, 1, &same), 0);
        assert_eq!(ideal(Mix::Same, 4, &same), 9);
        let two = pages(&[(Release::Trixie, &[1, 2, 3]), (Release::Bookworm, &[3, 4])]);
        assert_eq!(ideal(Mix::Mixed, 2, &two), 1);
        assert_eq!(ideal(Mix::Mixed, 4, &two), 2 + 1 + 3);
        assert_eq!(ideal(Mix::Control, 2, &two), 2);
    }

    #[test]
    fn later_guests_are_compared_with_the_first_of_their_kind() {
        let seen = Seen {
            taken: vec![(2, 0.0), (4, 0.0)],
            sectors: vec![1000, 500, 10, 50],
            ..Seen::default()
        };
        let found = sectors(Mix::Mixed, &seen);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].ours, [0.1]);
        assert_eq!(sectors(Mix::Same, &seen)[0].ours, [0.5]);
    }
}
