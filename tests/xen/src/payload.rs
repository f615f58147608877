// SPDX-License-Identifier: GPL-2.0
//! The files of one run: ramdisks, kernels and configurations, on a disk for dom0.

use crate::describe::{Flavour, Guest, Host};
use crate::kernel::Kernel;
use crate::ramdisk::Ramdisk;
use crate::{network, place, tools};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What dom0 cannot do without.
const DOM0_MODULES: [&str; 7] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "ext4",
    "xen_evtchn",
    "xen_gntdev",
    "xenfs",
];
/// What the disk for dom0 has.
const FOLDERS: [&str; 4] = ["kernels", "guests", "modules", "scripts"];
const BUSYBOX: &str = "/bin/busybox";

/// Files QEMU is started with.
pub struct Files {
    /// dom0's kernel, unpacked.
    pub dom0_kernel: PathBuf,
    /// dom0's ramdisk.
    pub dom0_ramdisk: PathBuf,
    /// Disk image of all the rest.
    pub payload: PathBuf,
}

/// Makes the files of a run below `folder`.
pub fn make(host: &Host, folder: &Path) -> Result<Files> {
    let tree = folder.join("payload");
    let [kernels, guests, modules, scripts] = FOLDERS.map(|name| tree.join(name));
    for folder in [&kernels, &guests, &modules, &scripts] {
        fs::create_dir_all(folder)?;
    }
    let agent = place::agent()?;
    let mut opened: HashMap<Flavour, Kernel> = HashMap::new();
    for flavour in host
        .guests
        .iter()
        .map(|guest| guest.flavour)
        .chain([Flavour::Stock])
    {
        opened.insert(flavour, Kernel::open(flavour)?);
    }
    for guest in &host.guests {
        let kernel = &opened[&guest.flavour];
        copy_once(&kernel.vmlinux()?, &kernels.join(guest.flavour.name()))?;
        let disk = guest_ramdisk(guest, kernel, &agent)?;
        fs::write(guests.join(format!("{}.img", guest.name)), disk)?;
        fs::write(guests.join(format!("{}.cfg", guest.name)), guest.config())?;
    }
    for name in &host.dom0_modules {
        let file = modules.join(format!("{name}.ko"));
        fs::copy(place::module(Flavour::Stock, name)?, file)?;
    }
    for (name, text) in [("vif", network::SCRIPT), ("block", tools::SCRIPT)] {
        let path = scripts.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    fs::copy(&agent, tree.join("agent"))?;
    fs::write(tree.join("shellrc"), include_str!("shellrc"))?;
    for (from, name) in &host.files {
        fs::copy(from, tree.join(name)).with_context(|| format!("copy {}", from.display()))?;
    }
    let stock = &opened[&Flavour::Stock];
    let dom0_ramdisk = folder.join("dom0.img");
    let mut disk = Ramdisk::with_agent(&agent)?;
    let more = host.more_dom0_modules();
    disk.modules(&stock.modules(&[&DOM0_MODULES, &more[..]].concat())?)?;
    fs::write(&dom0_ramdisk, disk.finish()?)?;
    let payload = folder.join("payload.ext4");
    make_image(&tree, &payload)?;
    Ok(Files {
        dom0_kernel: stock.vmlinux()?,
        dom0_ramdisk,
        payload,
    })
}

fn guest_ramdisk(guest: &Guest, kernel: &Kernel, agent: &Path) -> Result<Vec<u8>> {
    let mut disk = Ramdisk::with_agent(agent)?;
    disk.busybox(Path::new(BUSYBOX))?;
    disk.text("etc/profile", include_bytes!("guest-profile"))?;
    disk.text("etc/hostname", guest.name.as_bytes())?;
    let mut loaded = Vec::new();
    for name in &guest.first_modules {
        let file = place::module(guest.flavour, name)?;
        loaded.push((name.clone(), fs::read(file)?));
    }
    loaded.extend(kernel.modules(&guest.all_kernel_modules())?);
    disk.modules(&loaded)?;
    for name in &guest.modules {
        let module = place::module(guest.flavour, name)?;
        disk.text(&format!("modules/{name}.ko"), &stripped(&module)?)?;
    }
    for (from, to) in &guest.files {
        disk.copy(from, to)?;
    }
    disk.finish()
}

/// A module without what is for debuggers: nine tenths of it, which the guest would read at each insmod.
fn stripped(module: &Path) -> Result<Vec<u8>> {
    let file = tempfile::NamedTempFile::new()?;
    duct::cmd!("strip", "--strip-debug", "-o", file.path(), module)
        .run()
        .with_context(|| format!("strip {}", module.display()))?;
    Ok(fs::read(file.path())?)
}

fn copy_once(from: &Path, to: &Path) -> Result<()> {
    if !to.exists() && fs::hard_link(from, to).is_err() {
        fs::copy(from, to).with_context(|| format!("copy {}", from.display()))?;
    }
    Ok(())
}

fn make_image(tree: &Path, image: &Path) -> Result<()> {
    let mut bytes = 0;
    for folder in ["."].into_iter().chain(FOLDERS).map(|name| tree.join(name)) {
        for entry in fs::read_dir(folder)? {
            bytes += entry?.metadata()?.len();
        }
    }
    // Enough for ext4's own needs on top.
    let size = format!("{}k", bytes / 1024 * 21 / 20 + 2048);
    let features = "^has_journal,^metadata_csum";
    let command = duct::cmd!(
        "mke2fs", "-q", "-t", "ext4", "-O", features, "-m", "0", "-N", "64", "-d", tree, image,
        size
    );
    let output = command
        .stdout_null()
        .stderr_capture()
        .unchecked()
        .run()
        .context("start mke2fs")?;
    let words = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "make the disk of this run's files: {}",
        words.trim()
    );
    Ok(())
}
