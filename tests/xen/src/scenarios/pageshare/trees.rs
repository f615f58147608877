// SPDX-License-Identifier: GPL-2.0
//! Trees come and go while others are read; what they have in common is there once.

use super::{Ends, FILLED, GOT, MADE, MOUNT, MOUNTS, READ, UNIQUE};
use anyhow::{Result, ensure};

/// Two trees with the same content have its pages once, and none is filled before it is read.
pub fn once(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(&format!(
        "mkdir {MADE}/one {MADE}/two
         dd if=/dev/urandom of={MADE}/one/file bs=4096 count=500 2>/dev/null
         cp {MADE}/one/file {MADE}/two/other"
    ))?;
    ends.share("area", "one", &format!("{MADE}/one"))?;
    let before = ends.area("area", UNIQUE)?;
    ends.owner.shell(&format!(
        "pageshare add --state {} area/two {MADE}/two",
        super::STATE
    ))?;
    let after = ends.area("area", UNIQUE)?;
    ensure!(
        before >= 500 && after < before + 20,
        "{before}, then {after} pages"
    );
    ensure!(
        ends.area("area", FILLED)? == 0,
        "pages are filled before they are read"
    );
    for (source, from_files) in [("area/one", true), ("area/two", false)] {
        let counts = || Ok::<_, anyhow::Error>([ends.area("area", GOT)?, ends.area("area", READ)?]);
        let [got, read] = counts()?;
        ends.mount(source)?;
        ends.member.shell(&format!("cat {MOUNT}/* > /dev/null"))?;
        let filled = ends.area("area", FILLED)?;
        ensure!(
            (500..530).contains(&filled),
            "{source}: {filled} pages are filled"
        );
        let [got, read] = [counts()?[0] - got, counts()?[1] - read];
        ensure!(
            got >= 500 && (read >= 500) == from_files,
            "{source}: {got} pages were got, {read} read"
        );
        ends.umount()?;
    }
    apart(ends)
}

/// Another area has nothing of what that has, though it is the same: its members cannot tell.
fn apart(ends: &Ends<'_>) -> Result<()> {
    ends.share("apart", "one", &format!("{MADE}/one"))?;
    let (pages, filled) = (ends.area("apart", UNIQUE)?, ends.area("apart", FILLED)?);
    ensure!(
        pages >= 500 && filled == 0,
        "of {pages} pages {filled} are there before they are read"
    );
    ends.mount("apart/one")?;
    ends.member.shell(&format!("cat {MOUNT}/* > /dev/null"))?;
    let [got, read] = [ends.area("apart", GOT)?, ends.area("apart", READ)?];
    ensure!(
        got >= 500 && read == got,
        "of {got} pages that were got {read} were read"
    );
    ends.umount()
}

/// Who has mounted a tree goes on reading it, whatever becomes of its name.
pub fn replaced(ends: &Ends<'_>) -> Result<()> {
    let write = |text: &str| {
        ends.owner.shell(&format!(
            "cd {MADE}; for i in $(seq 200); do echo {text} $i > $i; done"
        ))
    };
    let read = |text: &str, from: u32, to: u32| {
        let read = ends
            .member
            .shell(&format!("cd {MOUNT}; cat $(seq {from} {to})"))?;
        let wanted = (from..=to).map(|i| format!("{text} {i}"));
        ensure!(read.lines().eq(wanted), "files {from} to {to} are {read:?}");
        anyhow::Ok(())
    };
    let add = format!("pageshare add --state {} area/tree {MADE}", super::STATE);
    write("old")?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    read("old", 1, 50)?;
    write("new")?;
    ends.owner.shell(&add)?;
    read("old", 40, 150)?;
    ends.owner
        .shell(&format!("pageshare rm --state {} area/tree", super::STATE))?;
    read("old", 1, 200)?;
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")?;
    ensure!(ends.area("area", UNIQUE)? == 0, "pages are left of no tree");
    ends.owner.shell(&add)?;
    ends.mount("area/tree")?;
    read("new", 1, 200)?;
    ensure!(ends.area("area", MOUNTS)? == 1, "not one mount");
    ends.umount()
}
