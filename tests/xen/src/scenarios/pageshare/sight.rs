// SPDX-License-Identifier: GPL-2.0
//! What the owner counts is what the hypervisor counts.

use super::returns::figure;
use super::{Ends, MADE, MOUNT};
use anyhow::{Context, Result, ensure};

/// Pages of the file. Few: the hypervisor prints a line for each, and its log is small.
const PAGES: u32 = 60;

/// Compares after some pages were read, after all were, and after they were given back.
pub fn counted(ends: &Ends<'_>) -> Result<()> {
    let make = format!("dd if=/dev/urandom of={MADE}/file bs=4096 count={PAGES} 2>/dev/null");
    ends.owner.shell(&make)?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    let mut last = 0;
    for pages in [PAGES / 2, PAGES] {
        let read = format!("dd if={MOUNT}/file of=/dev/null bs=4096 count={pages} 2>/dev/null");
        ends.member.shell(&read)?;
        let granted = same(ends)?;
        ensure!(
            granted >= last.max(pages.into()),
            "{granted} pages are granted when {pages} were read"
        );
        last = granted;
    }
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")?;
    let granted = same(ends)?;
    ensure!(granted == 0, "{granted} pages stay granted");
    Ok(())
}

/// What both count.
fn same(ends: &Ends<'_>) -> Result<u64> {
    let granted = figure(&ends.owner, "owner/granted")?;
    let active = active(ends)?;
    ensure!(
        active == granted,
        "{granted} pages are granted, and the hypervisor has {active} active entries"
    );
    Ok(granted)
}

/// Entries of the owner's grant table that the member has mapped.
fn active(ends: &Ends<'_>) -> Result<u64> {
    let dom0 = ends.bed.dom0();
    let log = "xl dmesg -c > /dev/null; xl debug-keys g; xl dmesg";
    let log = dom0.run(&["sh", "-ec", log])?.ok()?.stdout;
    let (owner, member) = (ends.domid(&ends.owner)?, ends.domid(&ends.member)?);
    let table = format!("grant-table for remote d{owner} ");
    let (_, rest) = log.split_once(&table).with_context(|| log.clone())?;
    let rest = rest.split("grant-table for remote").next();
    let lines = rest.unwrap_or_default().lines();
    // The entry, in brackets; who has mapped it; and more.
    let mapper = |line: &str| {
        line.split_once("[0x")?
            .1
            .split_whitespace()
            .nth(1)?
            .parse()
            .ok()
    };
    let members = lines
        .filter_map(mapper)
        .filter(|&domid: &u32| domid == member);
    Ok(members.count() as u64)
}
