// SPDX-License-Identifier: GPL-2.0
//! What only some boots have: a network, and the programs below `/tools`.

use crate::init;
use anyhow::{Context, Result, bail, ensure};
use rustix::mount::{MountFlags, mount, mount_bind_recursive};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// For a device's back end to answer.
const LIMIT: Duration = Duration::from_secs(20);
const TOOLS: &str = "/tools";

/// dom0: the bridge; the modules of this run's files; the tools.
pub fn dom0() -> Result<()> {
    std::os::unix::fs::symlink("/bed/modules", "/modules").context("link /modules")?;
    if init::value_of("bed.address").is_some() {
        run("ip link add xenbr0 type bridge stp_state 0 forward_delay 0")?;
        network("xenbr0")?;
    }
    tools("/dev/vdc")
}

/// A guest: the interface, the tools.
pub fn guest() -> Result<()> {
    network("eth0")?;
    tools("/dev/xvda")
}

fn network(interface: &str) -> Result<()> {
    let Some(address) = init::value_of("bed.address") else {
        return Ok(());
    };
    wait_for(&format!("/sys/class/net/{interface}"))?;
    run("ip link set lo up")?;
    run(&format!("ip addr add {address} dev {interface}"))?;
    run(&format!("ip link set {interface} up"))
}

fn tools(disk: &str) -> Result<()> {
    if !init::has_word("bed.tools") {
        return Ok(());
    }
    wait_for(disk)?;
    std::fs::create_dir_all(TOOLS)?;
    mount(disk, TOOLS, "ext4", MountFlags::RDONLY, None)
        .with_context(|| format!("mount {disk}"))?;
    for inner in ["/dev", "/proc", "/sys", "/run", "/tmp"] {
        mount_bind_recursive(inner, format!("{TOOLS}{inner}"))
            .with_context(|| format!("bind {inner}"))?;
    }
    Ok(())
}

fn wait_for(path: &str) -> Result<()> {
    let start = Instant::now();
    while !Path::new(path).exists() {
        if start.elapsed() > LIMIT {
            bail!("{path} does not appear");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn run(words: &str) -> Result<()> {
    let mut words_of = words.split(' ');
    let program = words_of.next().unwrap_or_default();
    let output = Command::new(program)
        .args(words_of)
        .output()
        .with_context(|| format!("start {program}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{words}: {}", told.trim());
    Ok(())
}
