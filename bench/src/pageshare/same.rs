// SPDX-License-Identifier: GPL-2.0
//! Guests that run the same service from the same tree: first each from a private disk, then all from the area.
//!
//! What they take of the host is the free memory that goes, by Xen's own count, with the automatic return of
//! xenballoon on and at rest; and what dom0 has less of its own for being the owner, or the disks' back end, its
//! caches dropped. What is saved is the difference between the two. The ideal is the same pages once less for
//! each guest but one: all different pages of the tree's files, by their content, that a guest with a private disk
//! has in its page cache, without those that a guest of the area has in its own as well, because they are
//! mapped to be executed.

use super::places::{self, Dom0, MOUNT, client, mib};
use super::resident::{self, Place};
use super::tree::Tree;
use super::{AREA, Options, host};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use bed::balloon::SYSFS;
use bed::{Bed, Guest, Machine};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Numbers of guests that metrics are of.
const COUNTS: [u32; 3] = [2, 4, 8];
const GUEST_MIB: u32 = 224;
const OUTPUT: &str = "/tmp/service";
const READY: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(500);
/// A guest's size has not changed for so long: it has come to rest.
const QUIET: Duration = Duration::from_secs(6);
const DISK: &str = "xen-blkfront: each guest with a private disk";
const TIMES: &str = "time from creation to the service's start, by that with a private disk";
const SECTORS: &str = "none: the most sectors of any later guest, by the first one's";

/// Where a guest has its tree from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Disk,
    Area,
}

impl Side {
    fn guest(self, number: u32) -> String {
        match self {
            Self::Disk => format!("disk{number}"),
            Self::Area => format!("area{number}"),
        }
    }

    /// Where the guest has its tree.
    fn root(self) -> &'static str {
        match self {
            Self::Disk => "/tools",
            Self::Area => MOUNT,
        }
    }
}

/// What was seen of guests that came one after the other.
#[derive(Default)]
struct Seen {
    /// MiB of the host's and dom0's memory that are gone, after each of the counted numbers of guests.
    taken: Vec<(u32, f64)>,
    /// Sectors of the disk read for each guest.
    sectors: Vec<u64>,
    /// Seconds from the creation of each guest until its service is there.
    times: Vec<f64>,
    /// What the first one has in its page cache.
    resident: HashSet<Place>,
}

/// Measures with as many guests as asked for.
pub fn measure(options: &Options, tree: &Tree, metrics: &mut Vec<Metric>) -> Result<()> {
    println!("guests with the same tree: booting dom0");
    let mut host = host(options, tree)?;
    for side in [Side::Disk, Side::Area] {
        for number in 1..=options.guests {
            let guest = Guest::pvh(&side.guest(number))
                .memory_mib(GUEST_MIB)
                .later();
            let guest = client(guest.module("xenballoon"), "resident")?;
            host = host.guest(match side {
                Side::Disk => guest.tools(),
                Side::Area => guest.module("pageshare"),
            });
        }
    }
    let bed = Bed::boot(host)?;
    let dom0 = Dom0::of(&bed);
    let disk = watch(&bed, &dom0, Side::Disk, options).context("private disks")?;
    let area = watch(&bed, &dom0, Side::Area, options).context("the area")?;
    bed.power_off();

    let shared: HashSet<Place> = disk.resident.difference(&area.resident).cloned().collect();
    let (pages, equal) = resident::unique(tree, &shared)?;
    println!(
        "a guest has {} pages of the tree in its page cache; {} are executed from, {equal} have zeroes or are as another, {pages} are left",
        disk.resident.len(),
        disk.resident.len() - shared.len(),
    );
    let each = disk.taken.iter().zip(&area.taken);
    for ((count, with_disks), (_, with_area)) in each.filter(|((count, _), _)| *count > 1) {
        let ideal = f64::from(count - 1) * mib(pages * 4096);
        println!(
            "{count} guests: {with_area:.1} MiB taken beside {with_disks:.1}, the ideal is {ideal:.1} less"
        );
        let name = format!("same/n{count}/saved-of-ideal");
        let saved = (with_disks - with_area) / ideal;
        metrics.push(Metric::alone(&name, "share", DISK, vec![saved]));
        let name = format!("same/n{count}/sectors-of-first");
        let later = area.sectors[1..*count as usize].iter().max();
        let share = later.copied().unwrap_or(0) as f64 / area.sectors[0] as f64;
        metrics.push(Metric::alone(&name, "share", SECTORS, vec![share]));
    }
    if options.guests > 1 {
        let pairs = area.times.iter().zip(&disk.times).skip(1);
        let ratios = pairs.map(|(ours, peer)| ours / peer).collect();
        metrics.push(Metric::alone("boot-nth", "ratio", TIMES, ratios));
    }
    Ok(())
}

/// Guests of one side come one after the other, are looked at, and go.
fn watch(bed: &Bed, dom0: &Dom0<'_>, side: Side, options: &Options) -> Result<Seen> {
    let left = || anyhow::Ok(dom0.free()? + places::free_kb(&dom0.machine)? * 1024);
    let before = left()?;
    if side == Side::Area {
        dom0.share("/tools", (options.data_mib + 48) * options.guests)?;
    }
    let mut seen = Seen::default();
    let mut names = Vec::new();
    for number in 1..=options.guests {
        let name = side.guest(number);
        let start = Instant::now();
        bed.create(&name)?;
        bed.wait_for_guest(&name)?;
        let guest = bed.guest(&name)?;
        guest.insmod("xenballoon", &["auto_return=1"])?;
        let read = begin(dom0, &guest, side)?;
        let time = start.elapsed().as_secs_f64();
        println!("{name}: the service is there after {time:.1} s, {read} sectors were read");
        seen.sectors.push(read);
        seen.times.push(time);
        names.push(name);
        if COUNTS.contains(&number) {
            for name in &names {
                come_to_rest(&bed.guest(name)?)?;
            }
            let taken = mib(before.saturating_sub(left()?));
            seen.taken.push((number, taken));
        }
    }
    let first = bed.guest(&names[0])?;
    let told = places::shell(&first, &format!("resident {}", side.root()))?;
    seen.resident = resident::parse(&told)?;
    for name in &names {
        bed.destroy(name)?;
    }
    if side == Side::Area {
        places::shell(&dom0.machine, &format!("pageshare rm {AREA}/tree"))?;
    }
    Ok(seen)
}

/// Starts the service in a guest, from its tree; answers the sectors that were read for that.
fn begin(dom0: &Dom0<'_>, guest: &Machine<'_>, side: Side) -> Result<u64> {
    let root = side.root();
    let before = match side {
        Side::Disk => 0,
        Side::Area => dom0.filled()?,
    };
    if side == Side::Area {
        places::mount(guest)?;
        let line = format!("for at in dev proc tmp; do mount -o bind /$at {root}/$at; done");
        places::shell(guest, &line)?;
    }
    let service = ["chroot", root, "/usr/bin/python3.13", "/service.py"];
    guest.spawn(&service, OUTPUT)?;
    let start = Instant::now();
    loop {
        let told = guest.read(OUTPUT)?;
        if told.contains("ready") {
            break;
        }
        ensure!(!told.contains("rror"), "the service: {told}");
        ensure!(start.elapsed() < READY, "no service: {told}");
        std::thread::sleep(POLL);
    }
    match side {
        Side::Disk => places::sectors(guest, "xvda"),
        Side::Area => Ok((dom0.filled()? - before) * 8),
    }
}

/// Waits until a guest has kept its size for a while.
fn come_to_rest(guest: &Machine<'_>) -> Result<()> {
    let end = Instant::now() + READY;
    let (mut last, mut since) = (0, Instant::now());
    while since.elapsed() < QUIET {
        ensure!(
            Instant::now() < end,
            "{} does not come to rest",
            guest.name()
        );
        let now = guest.read_number(&format!("{SYSFS}/info/current_kb"))?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
