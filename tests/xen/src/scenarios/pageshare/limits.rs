// SPDX-License-Identifier: GPL-2.0
//! What Xen lets a domain have is all used.

use super::returns::figure;
use super::{End, Ends, FEW, FEW_FRAMES, MADE, MOUNT};
use anyhow::{Result, ensure};

/// More than either of the guest's tables has.
const PAGES: u64 = 3000;

/// A member that may not map as much as it reads, and an owner that may not grant as much as is read of it: reading
/// is slower, and right.
pub fn limited(ends: &Ends<'_>) -> Result<()> {
    let few = End::new(ends.bed, FEW)?;
    let done = both_roles(ends, few);
    let gone = ends.bed.destroy(FEW);
    done.and(gone)
}

fn both_roles(ends: &Ends<'_>, few: End<'_>) -> Result<()> {
    let (granted, mapped) = (u64::from(FEW_FRAMES.0) * 512, u64::from(FEW_FRAMES.1) * 256);
    let of_dom0 = Ends {
        bed: ends.bed,
        owner: End::new(ends.bed, ends.owner.machine.name())?,
        member: few,
    };
    read(&of_dom0, "to-few", mapped)?;
    of_dom0.member.machine.rmmod("pageshare")?;
    let of_few = Ends {
        bed: ends.bed,
        owner: End::new(ends.bed, FEW)?,
        member: End::new(ends.bed, ends.member.machine.name())?,
    };
    read(&of_few, "of-few", granted)
}

/// Reads a file with more pages than `most`, which is as much as can be mapped at once, twice.
fn read(ends: &Ends<'_>, area: &str, most: u64) -> Result<()> {
    let make = format!("dd if=/dev/urandom of={MADE}/file bs=4096 count={PAGES} 2>/dev/null");
    ends.owner.shell(&make)?;
    ends.share(area, "tree", MADE)?;
    ends.mount(&format!("{area}/tree"))?;
    let sum = |end: &End<'_>, at: &str| end.shell(&format!("sha256sum < {at}/file"));
    let made = sum(&ends.owner, MADE)?;
    let ours = |name: &str| figure(&ends.member, &format!("member/{name}"));
    for round in ["first", "second"] {
        let found = sum(&ends.member, MOUNT)?;
        ensure!(found == made, "{area}, {round}: {found} instead of {made}");
        let (mapped, evicted) = (ours("mapped")?, ours("evicted")?);
        ensure!(
            mapped > 0 && mapped <= most && evicted > 0,
            "{area}, {round}: {mapped} of {most} are mapped, {evicted} were given back"
        );
    }
    let failed = ours("failed")?;
    ensure!(failed > 0, "{area}: there was room for all");
    println!(
        "# {area}: {PAGES} pages read twice with {most} at once: {} asked, {failed} failed",
        ours("asked")?
    );
    ends.umount()?;
    ends.wait_until_nothing_is_granted(area)
}
