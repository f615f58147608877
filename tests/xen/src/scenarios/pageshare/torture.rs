// SPDX-License-Identifier: GPL-2.0
//! A tree is read in every way there is, and compared with a copy of it, while its owner takes it back and
//! others come and go.

use super::returns::Watch;
use super::{Ends, MADE, MOUNT, STATE};
use anyhow::{Context, Result, ensure};
use bed::Program;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// What real programs have: many small files, links, some large ones.
const REAL: [&str; 2] = ["/usr/share/perl", "/usr/lib/python3.13/encodings"];
/// Where a domain finds it: dom0, and guests.
const PACKED: [&str; 2] = ["/bed/tree.tar", "/tree.tar"];
/// How many processes read.
const READERS: &str = "3";
/// Where chance begins.
pub const SEED: &str = "20261122";
/// Where it is mounted beside, again and again.
const BESIDE: &str = "/tmp/mounted-beside";
/// Operations that a run has to come to, for each time that content is taken back.
const LEAST: u64 = 1;
/// For each time that content is taken back, or mounted.
const CYCLE_LIMIT: Duration = Duration::from_secs(8);
const REST_LIMIT: Duration = Duration::from_secs(120);

/// The tree, packed.
pub struct Tree {
    folder: TempDir,
}

impl Tree {
    /// Packs it.
    pub fn pack() -> Result<Self> {
        let this = Self {
            folder: tempfile::tempdir()?,
        };
        let mut arguments = vec!["-cf".into(), this.packed().into_os_string()];
        arguments.extend(REAL.map(Into::into));
        let made = duct::cmd("tar", arguments).stderr_capture().run();
        made.map(drop).context("tar")?;
        Ok(this)
    }

    /// The file.
    pub fn packed(&self) -> PathBuf {
        self.folder.path().join("tree.tar")
    }
}

/// Makes the tree in a domain, the same in each.
fn unpack(ends: &Ends<'_>) -> Result<()> {
    for (end, packed) in [&ends.owner, &ends.member].into_iter().zip(PACKED) {
        end.shell(&format!(
            "cd {MADE}; tar xf {packed}
             seq 70000 > text
             cp text sparse; truncate -s 3000000 sparse; echo end >> sparse
             : > nothing; ln -s sparse link; ln text again
             mknod null c 1 3; chmod 4751 text; chown 1234:4321 sparse
             find . -exec touch -hd '2001-02-03 04:05:06' {{}} +"
        ))?;
    }
    Ok(())
}

/// Does that so many times in a domain (`tests/xen/client/cycles.c`).
fn repeat(end: &super::End<'_>, times: u32, words: &str) -> Result<()> {
    let line = format!("PATH=$PATH:/bed\ncycles {words} {times}");
    let limit = REST_LIMIT + CYCLE_LIMIT * times;
    let program = ["sh", "-ec", &line];
    let output = end.machine.exec(&Program::new(&program).limit(limit))?;
    output.ok().map(drop)
}

/// So many times the content is taken back, and as often the tree is mounted beside.
pub fn torture(ends: &Ends<'_>, times: u32) -> Result<()> {
    unpack(ends)?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    ends.member.shell(&format!("mkdir -p {BESIDE}"))?;
    let owner = ends.domid(&ends.owner)?;
    let watch = Watch::over(&ends.member, |stop| {
        ["/bin/torture", MADE, MOUNT, READERS, SEED, stop]
            .map(String::from)
            .into()
    })?;
    let attach = format!("mount area/tree owner={owner} {BESIDE} text {MADE}/text");
    let (taken, attached) = std::thread::scope(|scope| {
        let taken = scope.spawn(|| repeat(&ends.owner, times, "withdraw area"));
        let attached = repeat(&ends.member, times, &attach);
        (taken.join().unwrap_or_else(|_| unreachable!()), attached)
    });
    let operations = watch.stop()?;
    println!("# {times} times withdrawn and mounted in {operations} operations on files");
    taken.context("withdraw")?;
    attached.context("mount")?;
    ensure!(
        operations > LEAST * u64::from(times),
        "{operations} operations only"
    );
    let verified = ends
        .owner
        .shell(&format!("pageshare verify --state {STATE} area"));
    verified.context("verify")?;
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")
}
