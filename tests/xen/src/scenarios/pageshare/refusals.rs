// SPDX-License-Identifier: GPL-2.0
//! What is not to be had, and what nobody may do.

use super::{Ends, MADE, MOUNT, STATE};
use anyhow::{Context, Result, ensure};

const MEMBER_PAGES: &str = "/sys/class/misc/pageshare/owner/member_pages";

/// Each with a clear error, and nothing changes.
pub fn refused(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(&format!("echo one > {MADE}/file"))?;
    ends.share("area", "tree", MADE)?;
    let (owner, own) = (ends.domid(&ends.owner)?, ends.domid(&ends.member)?);
    let mount = |options: &str, source: &str| {
        let line = format!("mount -t pageshare -o {options} {source} {MOUNT}");
        ends.member.refusal(&line)
    };
    let there = format!("owner={owner}");
    for source in ["nothing", "area/nothing", "other/tree"] {
        let why = mount(&there, source)?;
        ensure!(why.contains("No such file"), "{source}: {why}");
    }
    for source in ["area/tree/more", "/area", "area//", "-x"] {
        mount(&there, source)?;
    }
    let wrong = "0".repeat(64);
    for options in [
        "owner=x".into(),
        "owner=-1".into(),
        "owner=40000".into(),
        format!("owner={own}"),
        format!("{there},digest=12"),
        format!("{there},digest={wrong}"),
        format!("{there},unknown=1"),
    ] {
        mount(&options, "area/tree")?;
    }
    // Who is not named does not learn that there is an area.
    ends.owner.shell("pageshare allow area 'deny *'")?;
    let why = mount(&there, "area/tree")?;
    ensure!(why.contains("No such file"), "{why}");
    // dom0 knows guests' UUIDs.
    let path = ends.bed.xenstore_read(ends.member.machine.name(), "vm")?;
    let uuid = path.trim().strip_prefix("/vm/").context(path.clone())?;
    let other = "00000000-0000-0000-0000-00000000002a";
    for rule in [
        format!("allow uuid {other}"),
        format!("deny uuid {uuid}' 'allow *"),
    ] {
        ends.owner
            .shell(&format!("pageshare allow area '{rule}'"))?;
        let why = mount(&there, "area/tree")?;
        ensure!(why.contains("No such file"), "{rule}: {why}");
    }
    ends.owner
        .shell(&format!("pageshare allow area 'allow uuid {uuid}'"))?;
    ends.mount("area/tree")?;
    for line in [
        "echo two > file",
        "rm file",
        "touch new",
        "chmod 600 file",
        "mkdir new",
    ] {
        let why = ends.member.refusal(&format!("cd {MOUNT}; {line}"))?;
        ensure!(why.contains("Read-only"), "{line}: {why}");
    }
    ends.member
        .refusal(&format!("mount -o remount,rw {MOUNT} && touch {MOUNT}/new"))?;
    for (line, says) in [
        ("pageshare create area", "there is such an area"),
        ("pageshare create -- -x", "a name is"),
        ("pageshare create --size 0 none", "from 1 to 65536 MiB"),
        (
            "pageshare create --mapped 65537 none",
            "from 1 to 65536 MiB",
        ),
        ("pageshare verify none", "there is no tree"),
        ("pageshare stat none", "no such area, tree or directory"),
        ("pageshare add nothing/tree /proc/self", "no such area"),
        ("pageshare allow area 'permit 5'", "a rule is"),
        ("pageshare rm area", "somebody has"),
        ("pageshare rm area/nothing", "there is none"),
    ] {
        let why = ends.owner.refusal(line)?;
        ensure!(why.contains(says), "{line}: {why}");
    }
    for pages in ["127", "1048577"] {
        ends.owner
            .refusal(&format!("echo {pages} > {MEMBER_PAGES}"))?;
    }
    ends.owner.shell(&format!("echo 128 > {MEMBER_PAGES}"))?;
    ends.umount()?;
    spoiled(ends)
}

/// A tree whose file has changed: the owner does not grant what is in it.
fn spoiled(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(&format!(
        "echo another > {MADE}/file  # what it had before is in the area already
         pageshare add --state {STATE} area/spoiled {MADE}
         cd {STATE}/area
         last=$(($(stat -c %s spoiled) - 1))
         printf x | dd of=spoiled bs=1 seek=$last conv=notrunc 2>/dev/null"
    ))?;
    let why = ends
        .owner
        .refusal(&format!("pageshare verify --state {STATE} area/spoiled"))?;
    ensure!(why.contains("has another digest"), "{why}");
    ends.mount("area/spoiled")?;
    let why = ends.member.refusal(&format!("cat {MOUNT}/file"))?;
    ensure!(why.contains("Input/output error"), "{why}");
    ends.umount()
}
