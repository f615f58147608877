// SPDX-License-Identifier: GPL-2.0
//! dom0's ramdisk: load the drivers, put the real root in place, go on there.

use crate::init;
use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, mount, mount_move};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Disk of the cached root, made new at each start by QEMU's snapshot mode.
const ROOT_DISK: &str = "/dev/vda";
/// Disk of this run's files.
const RUN_DISK: &str = "/dev/vdb";

/// Never returns but by an error.
pub fn switch_to_dom0() -> Result<()> {
    init::mount_at("sysfs", "/sys", "sysfs")?;
    init::mount_at("devtmpfs", "/dev", "devtmpfs")?;
    init::load_modules()?;
    mount_disk(ROOT_DISK, "/root", MountFlags::NOATIME)?;
    mount_disk(RUN_DISK, "/root/bed", MountFlags::RDONLY)?;
    for inner in ["dev", "proc", "sys"] {
        mount_move(format!("/{inner}"), format!("/root/{inner}"))
            .with_context(|| format!("move /{inner}"))?;
    }
    std::env::set_current_dir("/root")?;
    mount_move(".", "/").context("move the root")?;
    rustix::process::chroot(".").context("chroot")?;
    std::env::set_current_dir("/")?;
    Err(Command::new("/bed/agent").arg("dom0").exec()).context("start /bed/agent")
}

fn mount_disk(disk: &str, target: &str, flags: MountFlags) -> Result<()> {
    let start = Instant::now();
    while !Path::new(disk).exists() {
        if start.elapsed() > Duration::from_secs(10) {
            bail!("{disk} does not appear");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::create_dir_all(target)?;
    mount(disk, target, "ext4", flags, None).with_context(|| format!("mount {disk}"))
}
