// SPDX-License-Identifier: GPL-2.0
//! What PID 1 owes its machine: file systems, modules, orphans, and an end.

use crate::early;
use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};
use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Modules to load at start: a file of paths, in order.
const LOAD_LIST: &str = "/modules/load";

/// Where programs are.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/xen-4.20/bin";

/// Mounts one file system; an error names it.
pub fn mount_at(source: &str, target: &str, kind: &str) -> Result<()> {
    fs::create_dir_all(target).with_context(|| format!("make {target}"))?;
    mount(source, target, kind, MountFlags::empty(), None)
        .with_context(|| format!("mount {kind} on {target}"))
}

/// The file systems every machine has.
pub fn mount_basics() -> Result<()> {
    for (kind, target) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        if Path::new(target).join("kmsg").exists() {
            continue;
        }
        mount_at(kind, target, kind)?;
    }
    Ok(())
}

/// A guest's file systems and modules.
pub fn prepare_guest() -> Result<()> {
    mount_basics()?;
    mount_at("devpts", "/dev/pts", "devpts")?;
    for target in ["/dev/shm", "/run", "/tmp"] {
        mount_at("tmpfs", target, "tmpfs")?;
    }
    for (kind, target) in [
        ("debugfs", "/sys/kernel/debug"),
        ("tracefs", "/sys/kernel/tracing"),
    ] {
        if Path::new(target).exists() {
            mount_at(kind, target, kind)?;
        }
    }
    // Only an oops or a panic, which raise the level again, may write between the frames.
    fs::write("/proc/sys/kernel/printk", "1 4 1 7")?;
    load_modules()?;
    if value_of("boot").as_deref() == Some("pageshare") {
        early::switch_to_shared()?;
    }
    Ok(())
}

/// Loads the modules the ramdisk lists.
pub fn load_modules() -> Result<()> {
    let Ok(list) = fs::read_to_string(LOAD_LIST) else {
        return Ok(());
    };
    for path in list.lines() {
        insmod(path, "").with_context(|| format!("insmod {path}"))?;
    }
    Ok(())
}

/// Loads one module.
pub fn insmod(path: &str, params: &str) -> Result<()> {
    let file = fs::File::open(path)?;
    finit_module(&file, &CString::new(params)?, 0)?;
    Ok(())
}

/// Whether the kernel's command line has this word.
pub fn has_word(word: &str) -> bool {
    words().iter().any(|known| known == word)
}

/// What stands behind `name` and `=` on the kernel's command line.
pub fn value_of(name: &str) -> Option<String> {
    let words = words();
    let mut values = words.iter().filter_map(|word| word.split_once('='));
    values
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.into())
}

fn words() -> Vec<String> {
    let line = fs::read_to_string("/proc/cmdline").or_else(|_| {
        mount_at("proc", "/proc", "proc").map_err(std::io::Error::other)?;
        fs::read_to_string("/proc/cmdline")
    });
    let line = line.unwrap_or_default();
    line.split_whitespace().map(String::from).collect()
}

/// Runs the agent proper as a child, so that PID 1 does nothing but collect orphans.
pub fn supervise(role: &str) -> Result<()> {
    let mut agent = Command::new("/proc/self/exe");
    let child = agent
        .arg(role)
        .env("PATH", PATH)
        .spawn()
        .context("start the agent")?;
    loop {
        match rustix::process::wait(rustix::process::WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() as u32 == child.id() => {
                last_words(&format!("agent: {role} ended: {status:?}"));
                power_off()?;
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for children"),
        }
    }
}

/// Ends the machine.
pub fn power_off() -> Result<()> {
    rustix::fs::sync();
    reboot(RebootCommand::PowerOff).context("power off")
}

/// Writes where the kernel's own last words go.
pub fn last_words(text: &str) {
    let _ = fs::write("/dev/kmsg", format!("<0>{text}\n"));
}
