// SPDX-License-Identifier: GPL-2.0
//! Where things are: the clone, its outputs, the cache, what the set-up has made.

use crate::describe::Flavour;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// A path below the clone.
pub fn clone_path(relative: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join(relative)
}

/// A path as people outside the build root know it: below the clone.
pub fn for_people(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(clone_path("")).unwrap_or(path).display()
}

/// A file below `build/` that `make` should have made.
pub fn built(relative: &str) -> Result<PathBuf> {
    let path = clone_path("build").join(relative);
    ensure!(
        path.exists(),
        "{} is missing: run `make` first",
        for_people(&path)
    );
    Ok(path)
}

/// A module that `make` should have made for a kernel flavour.
pub fn module(flavour: Flavour, name: &str) -> Result<PathBuf> {
    built(&format!("{}/{name}.ko", flavour.name()))
}

/// What the set-up passes on in the environment.
fn given(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable).with_context(|| {
        format!("{variable} is not set: start the bed by `make`, which sets it")
    })?;
    let path = PathBuf::from(path);
    ensure!(
        path.exists(),
        "{variable}: {} does not exist",
        path.display()
    );
    Ok(path)
}

/// The kernel directory of a flavour.
pub fn kernel(flavour: Flavour) -> Result<PathBuf> {
    given(match flavour {
        Flavour::Stock => "XENOXIDE_KERNEL_STOCK",
        Flavour::Kunit => "XENOXIDE_KERNEL_KUNIT",
        Flavour::Kasan => "XENOXIDE_KERNEL_KASAN",
    })
}

/// Image of dom0's root.
pub fn dom0_image() -> Result<PathBuf> {
    given("XENOXIDE_DOM0")
}

/// Programs for guests, and what ours are made with.
pub fn tools() -> Result<PathBuf> {
    given("XENOXIDE_TOOLS")
}

/// Root file systems of Debian's releases, a folder for each.
pub fn trees() -> Result<PathBuf> {
    given("XENOXIDE_TREES")
}

/// The hypervisor, unpacked.
pub fn xen() -> Result<PathBuf> {
    given("XENOXIDE_XEN")
}

/// The bed's own folder in the cache.
pub fn cache() -> Result<PathBuf> {
    let path = given("XENOXIDE_CACHE")?.join("bed");
    std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(path)
}

/// The agent, built beside the running program.
pub fn agent() -> Result<PathBuf> {
    beside("agent")
}

/// A program of the clone's, built beside the running one.
pub fn beside(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let mut beside = program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name));
    beside.find(|path| path.is_file()).with_context(|| {
        format!(
            "no {name} beside {}: run `cargo build --bins`",
            program.display()
        )
    })
}
