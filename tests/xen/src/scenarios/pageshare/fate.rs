// SPDX-License-Identifier: GPL-2.0
//! A member or an owner comes to its end.

use super::{End, Ends, LIMIT, MADE, MOUNT, POLL};
use anyhow::{Result, ensure};
use bed::Bed;
use std::time::Instant;

/// A member that is destroyed has nothing left at its owner; one whose owner is destroyed reads what it
/// has mapped, gets an error for the rest, and can unmount.
pub fn destroyed(ends: &Ends<'_>) -> Result<()> {
    let make = format!("dd if=/dev/urandom of={MADE}/file bs=4096 count=400 2>/dev/null");
    ends.owner.shell(&make)?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    ends.member
        .shell(&format!("cat {MOUNT}/file > /dev/null"))?;
    let member = ends.member.machine.name();
    let domid = ends.domid(&ends.member)?;
    ends.bed.destroy(member)?;
    ends.wait_until_nothing_is_granted("area")?;
    wait_until_gone(ends.bed, domid)?;

    let member = End::new(ends.bed, member)?;
    let ends = Ends {
        bed: ends.bed,
        owner: End::new(ends.bed, ends.owner.machine.name())?,
        member,
    };
    let domid = ends.domid(&ends.member)?;
    ends.owner
        .shell(&format!("pageshare allow area 'allow {domid}'"))?;
    ends.mount("area/tree")?;
    let half = format!("dd if={MOUNT}/file bs=4096 count=200 2>/dev/null | sha256sum");
    let sum = ends.member.shell(&half)?;
    let owner = ends.domid(&ends.owner)?;
    ends.bed.destroy(ends.owner.machine.name())?;
    ensure!(
        ends.member.shell(&half)? == sum,
        "what was mapped is something else"
    );
    ends.member
        .refusal(&format!("cat {MOUNT}/file > /dev/null"))?;
    // What nobody reads any more is given back, though the tree stays mounted.
    ends.member
        .shell("echo 1 > /sys/class/misc/pageshare/member/idle_seconds")?;
    wait_until_gone(ends.bed, owner)?;
    ends.umount()
}

/// Waits until nothing is left of a domain, not even a zombie.
pub fn wait_until_gone(bed: &Bed, domid: u32) -> Result<()> {
    let start = Instant::now();
    loop {
        let list = bed.dom0().run(&["xl", "list"])?.ok()?.stdout;
        let mut words = list
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        if !words.any(|word| word == domid.to_string()) {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "a zombie is left: {list}");
        std::thread::sleep(POLL);
    }
}
