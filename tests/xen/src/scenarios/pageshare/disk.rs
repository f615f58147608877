// SPDX-License-Identifier: GPL-2.0
//! Images of disks, read as disks.

use super::{End, Ends, GRANTED, LIMIT, MADE, MOUNT, STATE};
use anyhow::{Result, ensure};
use bed::Program;

/// Room for fewer pages than an image has.
const FEW_PAGES: &str = "pages=128";
/// So that the area can be made again.
const UUID: &str = "3b5d1a7e-52a4-4e2e-9f0a-6f4be2f0f7ad";
const DISK: &str = "/dev/pageshare0";

/// A disk is what its image is, in both kinds of guests, and is read once by its owner.
pub fn disk(ends: &Ends<'_>) -> Result<()> {
    let others = ["pv1", "pvh1"].into_iter();
    let mut others = others.filter(|name| *name != ends.member.machine.name());
    let second = End::new(ends.bed, others.next().unwrap_or_default())?;
    second.machine.rmmod("pageshare")?;
    second.machine.insmod("pageshare", &[FEW_PAGES])?;
    let done = both(ends, &second);
    // Whatever has come of it: disks end with the module.
    let undone = second.shell(&format!("umount {MOUNT} 2>/dev/null || true"));
    let undone = undone.and_then(|_| second.machine.rmmod("pageshare"));
    done.and(undone)
}

fn both(ends: &Ends<'_>, second: &End<'_>) -> Result<()> {
    share(ends)?;
    let whole = ends.owner.shell(&format!(
        "(cat {MADE}/plain.img; head -c 212 /dev/zero) | sha256sum"
    ))?;
    let first = &ends.member;
    attach(first, "area/plain")?;
    shape(first)?;
    reads(first, &whole)?;
    refuses_writes(first)?;
    let filled = "cat /sys/class/misc/pageshare/owner/filled";
    let before = ends.owner.shell(filled)?;
    attach(second, "area/plain/image")?;
    reads(second, &whole)?;
    ensure!(
        ends.owner.shell(filled)? == before,
        "the owner has read its file again"
    );
    partitions(second)?;
    refusals(first)?;
    comes_and_goes(ends, first, second)?;
    lost(ends, second, &whole)
}

/// Makes an area with two images: one alone, one beside another file.
fn share(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(&format!(
        "cp /bed/plain.img {MADE}/; mkdir -p {MADE}/disks/deep
         cp --sparse=always /bed/parted.img {MADE}/disks/deep/; echo text > {MADE}/disks/readme"
    ))?;
    again(ends)
}

fn again(ends: &Ends<'_>) -> Result<()> {
    let add = format!("pageshare add --state {STATE}");
    ends.owner.shell(&format!(
        "pageshare create --uuid {UUID} --size 64 --mapped 64 area
         pageshare allow area 'allow *'
         {add} area/plain {MADE}/plain.img
         {add} area/parted {MADE}/disks"
    ))?;
    Ok(())
}

fn attach(end: &End<'_>, source: &str) -> Result<()> {
    let disk = end.shell(&format!("pageshare attach {source}"))?;
    ensure!(disk.trim() == DISK, "{source} is {disk}");
    Ok(())
}

/// What the kernel knows of the disk.
fn shape(end: &End<'_>) -> Result<()> {
    let seen = end.shell(
        "cd /sys/block/pageshare0
         cat size ro queue/logical_block_size queue/physical_block_size queue/read_ahead_kb \
             queue/discard_max_bytes",
    )?;
    let seen: Vec<_> = seen.split_whitespace().collect();
    ensure!(
        seen == ["16385", "1", "512", "4096", "512", "0"],
        "the disk has {seen:?}"
    );
    Ok(())
}

/// The disk is its image, read by one after the other and by two at once; and so is what is in it.
fn reads(end: &End<'_>, whole: &str) -> Result<()> {
    let sum = end.shell(&format!(
        "echo 3 > /proc/sys/vm/drop_caches; dd if={DISK} bs=10000 2>/dev/null | sha256sum"
    ))?;
    ensure!(sum == whole, "{sum} instead of {whole}");
    let two = end.shell(&format!(
        "echo 3 > /proc/sys/vm/drop_caches
         dd if={DISK} bs=4k skip=1000 2>/dev/null | sha256sum > /tmp/beside & \
         dd if={DISK} bs=1M 2>/dev/null | sha256sum
         wait; dd if={DISK} bs=4k skip=1000 2>/dev/null | sha256sum | cmp - /tmp/beside"
    ))?;
    ensure!(two == whole, "by two at once: {two} instead of {whole}");
    holds_files(end, DISK)
}

/// All files are there, as they were before there was an image.
fn holds_files(end: &End<'_>, disk: &str) -> Result<()> {
    end.shell(&format!(
        "mount -t ext4 -o ro {disk} {MOUNT}; cd {MOUNT}
         sha256sum -c /etc/sums > /tmp/sums || {{ grep -v OK /tmp/sums; false; }}
         cd /; umount {MOUNT}"
    ))?;
    Ok(())
}

/// Nobody can write it, or make that it can be written; and nobody can remove it while it is used.
fn refuses_writes(end: &End<'_>) -> Result<()> {
    end.shell(&format!("mount -t ext4 -o ro {DISK} {MOUNT}"))?;
    end.refusal(&format!("echo one > {MOUNT}/file"))?;
    let why = end.refusal(&format!("pageshare detach {DISK}"))?;
    ensure!(why.contains("is open"), "{why}");
    ensure!(
        end.machine.rmmod("pageshare").is_err(),
        "the module can be unloaded while its disk is mounted"
    );
    end.shell(&format!("umount {MOUNT}"))?;
    for line in ["true", "blockdev --setrw /dev/pageshare0"] {
        let write = format!("{line}; dd if=/dev/zero of={DISK} bs=4k count=1 conv=notrunc,fsync");
        end.refusal(&write)?;
    }
    Ok(())
}

/// Partitions are found; the other files of a tree do not matter.
fn partitions(end: &End<'_>) -> Result<()> {
    let disk = end.shell("pageshare attach --owner 0 area/parted/deep/parted.img")?;
    ensure!(disk.trim() == "/dev/pageshare1", "{disk}");
    holds_files(end, "/dev/pageshare1p1")?;
    end.shell("pageshare detach /dev/pageshare1; ! test -e /dev/pageshare1")?;
    Ok(())
}

/// Each with a clear error, and no disk comes of it.
fn refusals(end: &End<'_>) -> Result<()> {
    let wrong = format!("--digest {} area/plain", "0".repeat(64));
    for (source, says) in [
        ("area/parted", "not the one regular file"),
        ("area/parted/deep", "Is a directory"),
        ("area/parted/readme/more", "Not a directory"),
        ("area/parted/nothing", "has none"),
        ("area/nothing", "has none"),
        ("nothing", "has none"),
        ("--owner 40000 area/plain", "not the one"),
        (&wrong, "another digest"),
    ] {
        let why = end.refusal(&format!("pageshare attach {source}"))?;
        ensure!(why.contains(says), "{source}: {why}");
    }
    for (disk, says) in [
        ("/dev/pageshare9", "there is none"),
        ("/dev/null", "no disk"),
    ] {
        let why = end.refusal(&format!("pageshare detach {disk}"))?;
        ensure!(why.contains(says), "{disk}: {why}");
    }
    let disks = end.shell("cd /sys/block; echo pageshare*")?;
    ensure!(disks.trim() == "pageshare0", "there are {disks}");
    Ok(())
}

/// Nothing is left of disks that are removed, one by one or with the module.
fn comes_and_goes(ends: &Ends<'_>, first: &End<'_>, second: &End<'_>) -> Result<()> {
    first.shell(&format!("pageshare detach {DISK}; ! test -e {DISK}"))?;
    for _ in 0..10 {
        attach(first, "area/plain")?;
        first.shell(&format!(
            "dd if={DISK} bs=4k count=200 of=/dev/null 2>/dev/null; pageshare detach {DISK}"
        ))?;
    }
    attach(first, "area/plain")?;
    first.machine.rmmod("pageshare")?;
    second.machine.rmmod("pageshare")?;
    ends.wait_until_nothing_is_granted("area")?;
    ensure!(ends.area("area", GRANTED)? == 0, "pages stay granted");
    first.machine.insmod("pageshare", &[])?;
    second.machine.insmod("pageshare", &[FEW_PAGES])?;
    attach(second, "area/plain")
}

/// With its owner gone the disk has errors, and with its owner back again it is what it was.
fn lost(ends: &Ends<'_>, end: &End<'_>, whole: &str) -> Result<()> {
    end.shell(&format!("mount -t ext4 -o ro {DISK} {MOUNT}"))?;
    ends.owner.machine.rmmod("pageshare")?;
    let read = "echo 3 > /proc/sys/vm/drop_caches; dd bs=64k of=/dev/null if=";
    for what in [DISK.to_string(), format!("{MOUNT}/0/deep/1500000")] {
        let line = format!("{read}{what}");
        let program = Program::new(&["sh", "-ec", &line]).limit(LIMIT);
        let output = end.machine.exec(&program)?;
        ensure!(
            output.status == 1 && output.stderr.contains("error"),
            "{what}: {output:?}"
        );
    }
    ends.owner.machine.insmod("pageshare", &[])?;
    again(ends)?;
    end.shell(&format!("umount {MOUNT}"))?;
    reads(end, whole)?;
    end.shell(&format!("pageshare detach {DISK}"))?;
    Ok(())
}

/// A guest goes on reading its disk after it was saved and restored, and so does what it reads just
/// then.
pub fn saved(ends: &Ends<'_>) -> Result<()> {
    share(ends)?;
    let whole = ends.owner.shell(&format!(
        "(cat {MADE}/plain.img; head -c 212 /dev/zero) | sha256sum"
    ))?;
    let member = &ends.member;
    attach(member, "area/plain")?;
    member.shell(&format!("mount -t ext4 -o ro {DISK} {MOUNT}"))?;
    let reader = format!(
        "(cd {MOUNT}; while ! test -e /tmp/enough; do echo 3 > /proc/sys/vm/drop_caches
         sha256sum -c /etc/sums > /tmp/sums || echo wrong >> /tmp/wrong; echo >> /tmp/rounds; done) \
         > /dev/null 2>&1 &"
    );
    member.shell(&format!(
        "rm -f /tmp/enough /tmp/wrong; : > /tmp/rounds; {reader}"
    ))?;
    super::super::saved_and_restored(ends.bed, member.machine.name())?;
    member.shell(
        "n=$(wc -l < /tmp/rounds); while test $(wc -l < /tmp/rounds) -lt $((n + 2)); do sleep 1; done
         touch /tmp/enough; sleep 1; ! test -e /tmp/wrong",
    )?;
    member.shell(&format!(
        "while ! umount {MOUNT}; do sleep 1; done 2>/dev/null"
    ))?;
    reads(member, &whole)?;
    member.shell(&format!("pageshare detach {DISK}"))?;
    Ok(())
}
