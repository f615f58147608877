// SPDX-License-Identifier: GPL-2.0
//! Guests whose root is a tree of dom0's, and guests that read images of file systems: with a disk of their own
//! beside, which has the originals.

use super::{check_logs, tell_boot};
use crate::report::Suite;
use crate::scenarios::client;
use crate::scenarios::pageshare::root::{self, AREA, IMAGES, PART, TREE};
use anyhow::{Context, Result};
use bed::{Bed, Guest, Host, Kind, place, trees};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2700);
const DOM0_MIB: u32 = 704;
const GUEST_MIB: u32 = 384;
/// What mounts a root.
const SCRIPT: &str = "pageshare/initramfs/pageshare";

/// What is run, in this order.
pub const NAMES: [&str; 2] = ["pageshare_root", "pageshare_images"];

/// Runs the chosen ones.
pub fn run(suite: &Suite, chosen: &[&str], accel: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("trees.ext4");
    let added = folder.path().join("added");
    fill(&added)?;
    trees::make_image(&image, &[TREE], &added)?;
    let tool = place::beside("pageshare")?;
    let mut host = Host::new("pageshare-root")
        .limit(LIMIT)
        .dom0_mib(DOM0_MIB)
        .accel(accel)
        .dom0_module("pageshare")
        .dom0_kernel_module("loop")
        .file(&tool, "pageshare")
        .tools_image(&image);
    for kind in IMAGES {
        host = host.dom0_kernel_module(kind);
    }
    for kind in [Kind::Pv, Kind::Pvh] {
        let root = rooted(&format!("{kind}-root"), kind, "");
        let mut reader = Guest::new(&format!("{kind}1"), kind).memory_mib(GUEST_MIB);
        for kind in IMAGES {
            reader = reader.kernel_module(kind);
        }
        let reader = reader.module("pageshare").file(&tool, "bin/pageshare");
        host = host.guest(root.tools()).guest(reader.tools().later());
    }
    let wrong = format!(",digest={} rootwait=1", "0".repeat(64));
    host = host.guest(rooted("wrong", Kind::Pvh, &wrong));
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    root::create(&bed).context("dom0 creates an area")?;
    let kinds = [Kind::Pv, Kind::Pvh];
    if chosen.contains(&NAMES[0]) {
        root::share(&bed).context("dom0 shares a tree")?;
        for kind in kinds {
            let name = format!("{kind}-root");
            suite.run(&format!("{} {name}", NAMES[0]), || root::root(&bed, &name));
        }
        suite.run(&format!("{} another digest", NAMES[0]), || {
            root::refused(&bed, "wrong")
        });
    }
    if chosen.contains(&NAMES[1]) {
        root::share_images(&bed).context("dom0 shares images")?;
        for kind in kinds {
            let name = format!("{kind}1");
            suite.run(&format!("{} {name}", NAMES[1]), || {
                root::images(&bed, &name)
            });
        }
    }
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}

/// A guest that finds its root in the area.
fn rooted(name: &str, kind: Kind, words: &str) -> Guest {
    let words = format!("boot=pageshare root={AREA}/{TREE} rootflags=owner=0{words}");
    Guest::new(name, kind)
        .memory_mib(GUEST_MIB)
        .first_module("pageshare")
        .kernel_module("overlay")
        .file(place::clone_path(SCRIPT), "scripts/pageshare")
        .cmdline(&words)
        .later()
}

/// What the disk has besides trees: the program that compares, and images of a part of the tree, by programs of
/// the tree's own.
fn fill(added: &Path) -> Result<()> {
    let (images, programs) = (added.join("images"), added.join("bin"));
    for folder in [&images, &programs] {
        std::fs::create_dir_all(folder)?;
    }
    client::compile(
        "64",
        "torture",
        "tests/xen/client",
        &programs.join("torture"),
    )?;
    let made = place::trees()?.join(TREE);
    let (part, library) = (made.join(PART), made.join("usr/lib/x86_64-linux-gnu"));
    let [squashfs, erofs] = IMAGES.map(|kind| images.join(kind));
    let squashfs_image = duct::cmd!(
        made.join("usr/bin/mksquashfs"),
        &part,
        &squashfs,
        "-quiet",
        "-no-progress"
    );
    let erofs_image = duct::cmd!(
        made.join("usr/bin/mkfs.erofs"),
        "-zlz4hc",
        "-Eforce-inode-extended",
        &erofs,
        &part
    );
    for command in [squashfs_image, erofs_image] {
        let command = command.env("LD_LIBRARY_PATH", &library);
        let done = command.stdout_null().stderr_capture().run();
        done.context("make images of file systems")?;
    }
    Ok(())
}
