// SPDX-License-Identifier: GPL-2.0
//! Ramdisks: load the drivers, put the real root in place, go on there. dom0's does, and that of a guest whose root
//! is a tree of another domain's.

use crate::init;
use anyhow::{Context, Result, bail, ensure};
use rustix::mount::{MountFlags, mount, mount_move};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Disk of the cached root, made new at each start by QEMU's snapshot mode.
const ROOT_DISK: &str = "/dev/vda";
/// Disk of this run's files.
const RUN_DISK: &str = "/dev/vdb";
/// Where the real root is put first.
const ROOT: &str = "/root";
/// What initramfs-tools has around the script that mounts a root.
const MOUNT_ROOT: &str = "panic() { echo \"$1\"; exit 1; }\n. /scripts/pageshare\nmountroot";

/// Never returns but by an error.
pub fn switch_to_dom0() -> Result<()> {
    init::mount_at("sysfs", "/sys", "sysfs")?;
    init::mount_at("devtmpfs", "/dev", "devtmpfs")?;
    init::load_modules()?;
    mount_disk(ROOT_DISK, ROOT, MountFlags::NOATIME)?;
    mount_disk(RUN_DISK, "/root/bed", MountFlags::RDONLY)?;
    enter_root(&["dev", "proc", "sys"])?;
    Err(Command::new("/bed/agent").arg("dom0").exec()).context("start /bed/agent")
}

/// Has the root mounted by the script for initramfs-tools, as in a guest of Debian's.
pub fn switch_to_shared() -> Result<()> {
    std::fs::create_dir_all(ROOT)?;
    let mut shell = Command::new("/bin/busybox");
    shell.args(["sh", "-c", MOUNT_ROOT]).env("PATH", init::PATH);
    shell.env("rootmnt", ROOT);
    shell.env("ROOT", init::value_of("root").unwrap_or_default());
    let output = shell.output().context("start a shell")?;
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    ensure!(output.status.success(), "no root: {}", told.trim());
    enter_root(&["dev", "proc", "sys", "run", "tmp"])
}

/// Makes what is mounted at `ROOT` the root of this process, with these file systems in it.
fn enter_root(inner: &[&str]) -> Result<()> {
    for name in inner {
        mount_move(format!("/{name}"), format!("{ROOT}/{name}"))
            .with_context(|| format!("move /{name}"))?;
    }
    std::env::set_current_dir(ROOT)?;
    mount_move(".", "/").context("move the root")?;
    rustix::process::chroot(".").context("chroot")?;
    std::env::set_current_dir("/")?;
    Ok(())
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
