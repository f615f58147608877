// SPDX-License-Identifier: GPL-2.0
//! Root file systems of Debian's releases, which the set-up makes: a disk image with some of them.

use crate::place;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// What is mounted into the image where it is mounted itself.
const FOLDERS: [&str; 5] = ["dev", "proc", "sys", "run", "tmp"];

/// Makes an image of ext4 with a directory for each of the releases, what is in `added` on top of that, and room
/// for as much again. Its blocks, and so its holes, are as large as those of an area.
pub fn make_image(image: &Path, releases: &[&str], added: &Path) -> Result<()> {
    for name in FOLDERS {
        fs::create_dir_all(added.join(name))?;
    }
    let made = place::trees()?;
    let mut kib = kib_of(added)?;
    for release in releases {
        kib += kib_of(&made.join(release))?;
    }
    if image.exists() {
        fs::remove_file(image)?;
    }
    let line = r#"set -o pipefail
        made=$1 added=$2 image=$3 size=$4
        shift 4
        tar -cf - -C "$made" "$@" -C "$added" . |
            mke2fs -q -t ext4 -b 4096 -m 0 -O ^has_journal -d - "$image" "$size""#;
    let size = format!("{}k", kib * 5 / 2);
    let paths = [&made, added, image].map(|path| path.to_string_lossy().into_owned());
    let mut words = vec!["-ec", line, "bash"];
    words.extend(paths.iter().map(String::as_str));
    words.push(&size);
    words.extend(releases);
    let done = duct::cmd("bash", words).stdout_null().run();
    done.map(drop)
        .with_context(|| format!("make {}", image.display()))
}

/// What a folder takes, in KiB.
fn kib_of(folder: &Path) -> Result<u64> {
    let told = duct::cmd!("du", "-s", "-k", folder).read()?;
    let word = told.split_whitespace().next();
    Ok(word.context("du says nothing")?.parse()?)
}
