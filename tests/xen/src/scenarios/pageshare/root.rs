// SPDX-License-Identifier: GPL-2.0
//! Whole trees of Debian's: as the root of a guest, and out of images of file systems.

use super::torture::SEED;
use super::{End, LIMIT, MOUNT};
use anyhow::{Context, Result, ensure};
use bed::{Bed, Program};
use std::time::{Duration, Instant};

/// The area, and its tree that is a root.
pub const AREA: &str = "roots";
pub const TREE: &str = "trixie";
/// dom0's disk with the trees and what belongs to them, to be found there by guests as well.
pub const TOOLS: &str = "/tools";
/// A part of the tree, of which there are images: their names, and what file systems they are.
pub const PART: &str = "usr/lib/python3.13";
pub const IMAGES: [&str; 2] = ["squashfs", "erofs"];

const STATE: &str = "/tools/state";
/// Where a root's tree is mounted below its overlay.
const BELOW: &str = "/run/pageshare/tree";
/// How often each of so many processes reads something.
const TIMES: u32 = 60;
const PROCESSES: u32 = 3;
/// For programs that read everything.
const LONG: Duration = Duration::from_secs(400);

/// dom0 creates an area.
pub fn create(bed: &Bed) -> Result<()> {
    let dom0 = owner(bed);
    dom0.machine.insmod("pageshare", &[])?;
    let lines = format!(
        "pageshare create --size 512 --mapped 512 {AREA}; pageshare allow {AREA} 'allow *'"
    );
    dom0.shell(&lines).map(drop)
}

/// And adds the tree.
pub fn share(bed: &Bed) -> Result<()> {
    let line = format!("$add {AREA}/{TREE} {TOOLS}/{TREE}");
    add(&owner(bed), &line)
}

/// And adds the images, each as it is and with the files in it.
pub fn share_images(bed: &Bed) -> Result<()> {
    let lines = IMAGES.map(|kind| {
        format!(
            "mkdir -p /mnt/{kind}; mount -t {kind} -o ro,loop {TOOLS}/images/{kind} /mnt/{kind}
             $add {AREA}/{kind}-image {TOOLS}/images/{kind}
             $add {AREA}/{kind}-files /mnt/{kind}"
        )
    });
    add(&owner(bed), &lines.join("\n"))
}

/// Runs lines in which `$add` adds a tree, while dom0 may write to its disk.
fn add(dom0: &End<'_>, lines: &str) -> Result<()> {
    let lines = format!(
        "PATH=$PATH:/bed
         mount -o remount,rw {TOOLS}
         add='pageshare add --state {STATE}'
         {lines}
         sync; mount -o remount,ro {TOOLS}"
    );
    long(dom0, &lines).map(drop)
}

fn owner(bed: &Bed) -> End<'_> {
    End {
        machine: bed.dom0(),
    }
}

/// A guest runs from the tree: its programs are what they were, and it can install another.
pub fn root(bed: &Bed, name: &str) -> Result<()> {
    bed.create(name)?;
    bed.wait_for_guest(name)?;
    let guest = End {
        machine: bed.guest(name)?,
    };
    let mounts = guest.machine.read("/proc/mounts")?;
    for line in [
        "overlay / overlay",
        &format!("{AREA}/{TREE} {BELOW} pageshare ro"),
    ] {
        ensure!(mounts.contains(line), "{line:?} is not in {mounts}");
    }
    programs(&guest)?;
    torture(bed, &guest, TREE, BELOW)?;
    long(
        &guest,
        "cd /; cat var/lib/dpkg/info/*.md5sums | md5sum --quiet --ignore-missing -c -",
    )?;
    bed.destroy(name)
}

/// Programs of different kinds, and one that changes the root.
fn programs(guest: &End<'_>) -> Result<()> {
    let told = long(
        guest,
        "export LC_ALL=de_DE.UTF-8
         python3 -c 'import icu, sqlite3, ssl, xml.dom.minidom
print(icu.Locale(\"de\").getDisplayCountry(icu.Locale(\"de\")), 6 * 7)'
         perl -e 'print \"perl \", 6 * 7, \"\\n\"'
         find / -xdev -type f | sort | tail -n 1 > /dev/null
         mkdir -p /tmp/made/DEBIAN /tmp/made/usr/bin
         printf 'Package: made\\nVersion: 1\\nArchitecture: all\\nMaintainer: me <me@example.org>\\nDescription: made\\n' \
             > /tmp/made/DEBIAN/control
         printf '#!/bin/sh\\necho installed\\n' > /tmp/made/usr/bin/made
         chmod 755 /tmp/made/usr/bin/made
         dpkg-deb --build --root-owner-group /tmp/made /tmp/made.deb > /dev/null
         dpkg --install /tmp/made.deb > /dev/null
         made; dpkg --verify made
         rm /usr/bin/mksquashfs; ! test -e /usr/bin/mksquashfs",
    )?;
    for word in ["42", "perl 42", "installed"] {
        ensure!(told.lines().any(|line| line.ends_with(word)), "{told}");
    }
    Ok(())
}

/// Reads a tree in all ways at once, and compares it with the original on a disk, while its owner wants it back
/// again and again.
fn torture(bed: &Bed, guest: &End<'_>, original: &str, copy: &str) -> Result<()> {
    let output = "/tmp/torture";
    let torture =
        format!("{TOOLS}/bin/torture {TOOLS}/{original} {copy} {PROCESSES} {SEED} {TIMES}");
    let line = format!("if {torture}; then echo done; else echo failed; fi");
    guest.machine.spawn(&["sh", "-c", &line], output)?;
    let owner = owner(bed);
    let start = Instant::now();
    loop {
        owner.shell(&format!("pageshare withdraw {AREA}"))?;
        guest.shell("echo 3 > /proc/sys/vm/drop_caches")?;
        let told = guest.machine.read(output)?;
        ensure!(!told.contains("failed"), "{told}");
        if told.contains("done") {
            return Ok(());
        }
        ensure!(start.elapsed() < LONG, "{told}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A guest whose tree has another digest than it was told does not start.
pub fn refused(bed: &Bed, name: &str) -> Result<()> {
    bed.create(name)?;
    let Err(error) = bed.wait_for_guest(name) else {
        anyhow::bail!("{name} has started");
    };
    let told = format!("{error:#}");
    ensure!(told.contains("as the root"), "{told}");
    Ok(())
}

/// Images of compressed file systems are disks, and the files in them can be shared.
pub fn images(bed: &Bed, name: &str) -> Result<()> {
    let guest = End::new(bed, name)?;
    for kind in IMAGES {
        let disk = guest.shell(&format!("pageshare attach --owner 0 {AREA}/{kind}-image"))?;
        let disk = disk.trim();
        read_exactly(&owner(bed), &guest, disk).with_context(|| format!("{kind} as a disk"))?;
        guest.shell(&format!("mount -t {kind} -o ro {disk} {MOUNT}"))?;
        torture(bed, &guest, &format!("{TREE}/{PART}"), MOUNT)
            .with_context(|| format!("{kind} as a disk"))?;
        guest.shell(&format!("umount {MOUNT}; pageshare detach {disk}"))?;
        guest.shell(&format!(
            "mount -t pageshare -o owner=0 {AREA}/{kind}-files {MOUNT}"
        ))?;
        torture(bed, &guest, &format!("{TREE}/{PART}"), MOUNT)
            .with_context(|| format!("files out of {kind}"))?;
        guest.shell(&format!("umount {MOUNT}"))?;
    }
    guest.machine.rmmod("pageshare")
}

/// Blocks of a disk that are read here and there, each by itself, are all that dom0 reads of its own.
fn read_exactly(dom0: &End<'_>, guest: &End<'_>, disk: &str) -> Result<()> {
    const BLOCKS: u64 = 20;
    let read = |first: u64| {
        let blocks = (0..BLOCKS).map(|block| (first + 30 * block).to_string());
        guest.shell(&format!(
            "for block in {}; do
                dd if={disk} of=/dev/null bs=4096 count=1 iflag=direct skip=$block 2>/dev/null
             done",
            blocks.collect::<Vec<_>>().join(" ")
        ))
    };
    // It was just written.
    dom0.shell("echo 1 > /proc/sys/vm/drop_caches")?;
    // What describes the tree is here then, and where dom0's file system has the file.
    read(0)?;
    let sectors = || -> Result<u64> {
        let told = dom0.shell(&format!(
            "while read -r device folder rest; do
                if [ $folder = {TOOLS} ]; then read -r a b sectors rest < /sys/block/${{device##*/}}/stat; fi
             done < /proc/mounts
             echo $sectors"
        ))?;
        Ok(told.trim().parse()?)
    };
    let before = sectors()?;
    read(15)?;
    let read = sectors()? - before;
    // What is there already, for another guest, is not read at all.
    ensure!(
        read <= BLOCKS * 8,
        "{read} sectors for {BLOCKS} blocks of 8"
    );
    Ok(())
}

/// Runs a line that may take long in a guest's shell; answers what it prints.
fn long(end: &End<'_>, line: &str) -> Result<String> {
    let program = Program::new(&["sh", "-ec", line]).limit(LONG.max(LIMIT));
    Ok(end.machine.exec(&program)?.ok()?.stdout)
}
