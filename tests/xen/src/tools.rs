// SPDX-License-Identifier: GPL-2.0
//! More programs for dom0 and guests: a read-only disk image that the set-up makes, mounted at `/tools`.

use crate::place;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// In guests.
pub const FRONT_MODULES: [&str; 2] = ["xen_blkfront", "ext4"];
/// In dom0.
pub const BACK_MODULE: &str = "xen_blkback";
/// A guest's disk in `xl.cfg`'s words.
pub const DISK: &str =
    "disk=[\"format=raw,vdev=xvda,access=ro,script=/bed/scripts/block,target=/dev/vdc\"]\n";
/// Tells where the disk is.
pub const SCRIPT: &str = include_str!("scripts/block");
/// What tells an agent to mount them.
pub const WORD: &str = "bed.tools";

/// The disk image.
pub fn image() -> Result<PathBuf> {
    Ok(place::tools()?.join("image"))
}

/// A program below `/tools` with its arguments, as it is to be run: it has the machine's own `/dev`, `/proc`,
/// `/sys`, `/run` and `/tmp`.
pub fn command<'a>(argv: &[&'a str]) -> Vec<&'a str> {
    [&["chroot", "/tools"], argv].concat()
}

/// A program for libxenvchan, made when it is needed: `tests/xen/client/vchan.c`.
pub fn vchan() -> Result<PathBuf> {
    let folder = place::clone_path("build/client");
    std::fs::create_dir_all(&folder)?;
    let (program, sdk) = (folder.join("vchan"), place::tools()?.join("sdk"));
    let source = place::clone_path("tests/xen/client/vchan.c");
    let include = format!("-I{}", sdk.join("include").display());
    let libraries = format!("-L{}", sdk.join("lib").display());
    let flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s"];
    let mut words: Vec<String> = flags.map(String::from).into();
    // It counts what is copied.
    words.extend(["-Wl,--wrap=memcpy".into(), "-o".into()]);
    words.push(program.display().to_string());
    words.extend([include, source.display().to_string(), libraries]);
    let names = ["vchan", "store", "evtchn", "gnttab", "toollog", "toolcore"];
    words.extend(names.map(|name| format!("-lxen{name}")));
    duct::cmd("gcc", words).run().context("compile vchan.c")?;
    Ok(program)
}
