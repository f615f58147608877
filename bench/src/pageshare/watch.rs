// SPDX-License-Identifier: GPL-2.0
//! Guests of one side come one after the other, then several at once, start the service, are looked at, and go.
//!
//! What they take of the host is the free memory that goes, by Xen's own count, with the automatic return of
//! xenballoon on and at rest; and what dom0 has less of its own for being the owner, or the disks' back end.

use super::places::{self, Dom0, MOUNT, mib};
use super::releases::Release;
use super::resident::{self, Place};
use super::{AREA, Options};
use anyhow::{Context, Result, bail, ensure};
use bed::balloon::SYSFS;
use bed::{Bed, Machine};
use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Numbers of guests that metrics are of.
pub const COUNTS: [u32; 3] = [2, 4, 8];
/// Where a guest has its root.
const ROOT: &str = "/root";
const OUTPUT: &str = "/tmp/service";
/// Four guests start at once, on two processors.
const READY: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(500);
/// No guest's size has changed for so long: they have come to rest.
const QUIET: Duration = Duration::from_secs(6);
/// What a release takes, the file that all read aside; and what a guest has mapped of it.
const RELEASE_MIB: u32 = 224;
const MAPPED_MIB: u32 = 48;
/// For a guest to notice a setting.
const NOTICED: Duration = Duration::from_secs(2);
/// dom0's disk with the trees.
const DISK: &str = "vdc";

/// Figures of the module's, below its folder in sysfs, that tell where memory and time go.
const MEMBER: [&str; 5] = [
    "member/mapped",
    "member/asked",
    "member/hits",
    "member/map_calls",
    "member/evicted",
];
const OWNER: [&str; 4] = [
    "owner/granted",
    "owner/in_memory",
    "owner/spare",
    "owner/filled",
];

/// Where a guest has its tree from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Disk,
    Area,
}

impl Side {
    /// A guest's name.
    pub fn guest(self, number: u32) -> String {
        match self {
            Self::Disk => format!("disk{number}"),
            Self::Area => format!("area{number}"),
        }
    }

    /// Where the guest has a tree.
    fn tree(self, release: Release) -> String {
        match self {
            Self::Disk => format!("/tools/{}", release.name()),
            Self::Area => MOUNT.into(),
        }
    }
}

/// What was seen of guests that came one after the other, up to where something has failed perhaps.
#[derive(Default)]
pub struct Seen {
    /// MiB of the host's and dom0's memory that are gone, after each of the counted numbers of guests.
    pub taken: Vec<(u32, f64)>,
    /// Sectors that dom0 has read of its disk for each guest; of those that came at once the mean.
    pub sectors: Vec<u64>,
    /// Seconds from the creation of each guest until its service is there.
    pub times: Vec<f64>,
    /// What the first guest with a tree has of it in its page cache.
    pub resident: BTreeMap<Release, HashSet<Place>>,
    /// Pages that the first guest of the area has mapped, and calls of the hypervisor for them.
    pub mapped: Option<(u64, u64)>,
    /// Of the pages of files that a short process has, the share that is the area's.
    pub first_touch: Option<f64>,
}

/// Which tree each guest has.
pub type Releases<'a> = &'a (dyn Fn(u32) -> Release + Sync);

/// Watches as many guests as asked for, each with the tree that `release` says; answers what has failed.
pub fn watch(
    bed: &Bed,
    side: Side,
    options: &Options,
    release: Releases<'_>,
    seen: &mut Seen,
) -> Result<()> {
    let mut names = Vec::new();
    let came = come(bed, side, options, release, (&mut names, seen));
    // What some guests tell counts, even if others have failed.
    came.and(look_into(bed, side, release, (&names, seen)))?;
    names.iter().try_for_each(|name| bed.destroy(name))
}

/// Guests come, and are watched. Those that have come are in `names`.
fn come(
    bed: &Bed,
    side: Side,
    options: &Options,
    release: Releases<'_>,
    (names, seen): (&mut Vec<String>, &mut Seen),
) -> Result<()> {
    let dom0 = Dom0::of(bed);
    dom0.drop_caches("3")?;
    let before = left(&dom0)?;
    if side == Side::Area {
        share(&dom0, options, release)?;
    }
    for group in groups(options.guests) {
        let rested = names.len();
        let read = places::sectors(&dom0.machine, DISK)?;
        seen.times.extend(start(bed, side, group.clone(), release)?);
        names.extend(group.clone().map(|number| side.guest(number)));
        let read = places::sectors(&dom0.machine, DISK)? - read;
        println!("{read} sectors were read");
        let count = names.len() - rested;
        seen.sectors.extend(vec![read / count as u64; count]);
        if side == Side::Area && rested == 0 {
            let guest = bed.guest(&names[0])?;
            let figure = |name| guest.read_number(&format!("{}/member/{name}", places::SYSFS));
            seen.mapped = Some((figure("mapped")?, figure("map_calls")?));
        }
        if COUNTS.contains(group.end()) {
            come_to_rest(bed, names, rested)?;
            let now = left(&dom0)?;
            tell(bed, side, names, before, now)?;
            let taken = mib(before.0 + before.1) - mib(now.0 + now.1);
            seen.taken.push((*group.end(), taken));
        }
    }
    Ok(())
}

/// Asks guests what they have.
fn look_into(
    bed: &Bed,
    side: Side,
    release: Releases<'_>,
    (names, seen): (&[String], &mut Seen),
) -> Result<()> {
    for (number, name) in (1..).zip(names) {
        let (guest, release) = (bed.guest(name)?, release(number));
        if let Entry::Vacant(first) = seen.resident.entry(release) {
            let told = places::shell(&guest, &format!("resident {}", side.tree(release)))?;
            first.insert(resident::parse(&told)?);
        }
    }
    if let (Side::Area, Some(last)) = (side, names.last()) {
        let share = first_touch(&bed.guest(last)?).context("a short process")?;
        seen.first_touch = Some(share);
    }
    Ok(())
}

/// Guests that are started at once: the first, the second, then as many as there are already.
fn groups(guests: u32) -> Vec<RangeInclusive<u32>> {
    let ends = [1, 2, 4, 8].map(|end| end.min(guests));
    let firsts = [0, 1, 2, 4].map(|end| end + 1);
    let groups = firsts.into_iter().zip(ends);
    groups
        .map(|(first, end)| first..=end)
        .filter(|group| !group.is_empty())
        .collect()
}

/// Starts guests at once; answers the seconds until the service of each is there.
fn start(
    bed: &Bed,
    side: Side,
    group: RangeInclusive<u32>,
    release: Releases<'_>,
) -> Result<Vec<f64>> {
    std::thread::scope(|scope| {
        let one = |number| scope.spawn(move || start_one(bed, side, number, release(number)));
        let threads: Vec<_> = group.map(one).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        let times = joined.map(|time| time.unwrap_or_else(|_| bail!("a thread has panicked")));
        times.collect()
    })
}

fn start_one(bed: &Bed, side: Side, number: u32, release: Release) -> Result<f64> {
    let name = side.guest(number);
    let start = Instant::now();
    bed.create(&name)?;
    bed.wait_for_guest(&name)?;
    let guest = bed.guest(&name)?;
    let booted = start.elapsed().as_secs_f64();
    guest.insmod("xenballoon", &["auto_return=1"])?;
    let told = begin(&guest, side, release)?;
    let time = start.elapsed().as_secs_f64();
    println!("{name}: {booted:.1} s, service {time:.1} s ({told})");
    if side == Side::Area {
        println!("  {name}'s module: {}", figures(&guest, &MEMBER)?);
    }
    Ok(time)
}

/// dom0 makes the area. The disk is its to write to as soon as no guest has it.
fn share(dom0: &Dom0<'_>, options: &Options, release: Releases<'_>) -> Result<()> {
    dom0.machine.insmod("pageshare", &[])?;
    let releases: BTreeSet<Release> = (1..=options.guests).map(release).collect();
    let size = releases.len() as u32 * (options.data_mib + RELEASE_MIB);
    let mapped = options.guests * (options.data_mib + MAPPED_MIB);
    places::shell(
        &dom0.machine,
        &format!(
            "mount -o remount,rw /tools
             pageshare create --size {size} --mapped {mapped} {AREA}
             pageshare allow {AREA} 'allow *'"
        ),
    )?;
    for name in releases.into_iter().map(Release::name) {
        let start = Instant::now();
        places::shell(
            &dom0.machine,
            &format!("pageshare add --state /tools/state {AREA}/{name} /tools/{name}"),
        )?;
        println!("{name}: added after {:.1} s", start.elapsed().as_secs_f64());
    }
    println!(
        "{}",
        places::shell(&dom0.machine, "pageshare ls")?.trim_end()
    );
    dom0.drop_caches("3")
}

/// What nobody has: of the host's memory, and of dom0's, in bytes.
fn left(dom0: &Dom0<'_>) -> Result<(u64, u64)> {
    // Not the kernel's other caches: what nobody has mapped of an area is one.
    dom0.drop_caches("1")?;
    let own = places::number_after(&dom0.machine.read("/proc/meminfo")?, "MemFree:")?;
    Ok((dom0.free()?, own * 1024))
}

/// Starts the service in a guest, its root an overlay of its tree; answers what the service tells.
fn begin(guest: &Machine<'_>, side: Side, release: Release) -> Result<String> {
    if side == Side::Area {
        places::mount(guest, release.name())?;
    }
    let tree = side.tree(release);
    places::shell(
        guest,
        &format!(
            "mkdir -p {ROOT} /over; mount -t tmpfs over /over; mkdir /over/upper /over/work
             mount -t overlay -o lowerdir={tree},upperdir=/over/upper,workdir=/over/work over {ROOT}
             for at in dev proc tmp; do mount -o bind /$at {ROOT}/$at; done; rm -r /modules"
        ),
    )?;
    guest.spawn(&["chroot", ROOT, "python3", "/service.py"], OUTPUT)?;
    wait_until_ready(guest)
}

/// Figures of the module's, in a line.
fn figures(machine: &Machine<'_>, names: &[&str]) -> Result<String> {
    let each = names.iter().map(|name| {
        let figure = machine.read(&format!("{}/{name}", places::SYSFS))?;
        Ok(format!("{name} {figure}"))
    });
    Ok(each.collect::<Result<Vec<_>>>()?.join(", "))
}

/// Waits until the service has said that it is ready; answers what it has said besides.
fn wait_until_ready(guest: &Machine<'_>) -> Result<String> {
    let start = Instant::now();
    loop {
        let told = guest.read(OUTPUT)?;
        if let Some((before, _)) = told.split_once("ready") {
            return Ok(before.lines().collect::<Vec<_>>().join(", "));
        }
        ensure!(!told.contains("rror"), "{told}");
        ensure!(start.elapsed() < READY, "not ready: {told}");
        std::thread::sleep(POLL);
    }
}

/// Has guests, but for those that were at rest once, give back anew what they do not use, so that all keep as much
/// free; and waits until they have kept their sizes for a while.
fn come_to_rest(bed: &Bed, names: &[String], rested: usize) -> Result<()> {
    for on in ["0", "1"] {
        for name in &names[rested..] {
            bed.guest(name)?
                .write(&format!("{SYSFS}/auto_return"), on)?;
        }
        std::thread::sleep(NOTICED);
    }
    let end = Instant::now() + READY;
    let (mut last, mut since) = (Vec::new(), Instant::now());
    while since.elapsed() < QUIET {
        ensure!(Instant::now() < end, "guests do not come to rest: {last:?}");
        let size = |name: &String| {
            bed.guest(name)?
                .read_number(&format!("{SYSFS}/info/current_kb"))
        };
        let now = names.iter().map(size).collect::<Result<Vec<_>>>()?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Says where the memory is.
fn tell(
    bed: &Bed,
    side: Side,
    names: &[String],
    before: (u64, u64),
    now: (u64, u64),
) -> Result<()> {
    if side == Side::Area {
        println!("dom0's module: {}", figures(&bed.dom0(), &OWNER)?);
    }
    let mut guests = 0;
    for name in names {
        guests += bed.xen_memory_kib(name)? << 10;
    }
    let host = mib(before.0) - mib(now.0);
    println!(
        "{} guests at rest: {:.1} MiB theirs, {:.1} Xen's for them, {:.1} dom0's",
        names.len(),
        mib(guests),
        host - mib(guests),
        mib(before.1) - mib(now.1),
    );
    let guest = bed.guest(&names[names.len() - 1])?;
    let text = guest.read("/proc/meminfo")?;
    let lines = text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let kb: u64 = rest.split_whitespace().next()?.parse().ok()?;
        let told = [
            "MemTotal",
            "MemFree",
            "Cached",
            "AnonPages",
            "Mapped",
            "Shmem",
            "SReclaimable",
            "SUnreclaim",
            "PageTables",
            "KernelStack",
            "Percpu",
        ];
        told.contains(&name).then(|| format!("{name} {kb}"))
    });
    println!("  of the last: {}", lines.collect::<Vec<_>>().join(", "));
    Ok(())
}

/// What a process that lives for a second has of files that nobody has read before
/// (`tests/xen/client/touched.c`): the area's pages, by all that are not executed.
fn first_touch(guest: &Machine<'_>) -> Result<f64> {
    let line = format!("cp /bin/touched /tmp/; chroot {ROOT} python3 /brief.py");
    let told = places::shell(guest, &line)?;
    println!("a process of a second has {}", told.trim());
    let count = |name| places::number_after(&told, name);
    let (area, cached) = (count("area's:")?, count("cached:")?);
    Ok(area as f64 / (area + cached) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_end_where_metrics_are_taken() {
        assert_eq!(groups(1), [1..=1]);
        assert_eq!(groups(3), [1..=1, 2..=2, 3..=3]);
        assert_eq!(groups(8), [1..=1, 2..=2, 3..=4, 5..=8]);
    }
}
