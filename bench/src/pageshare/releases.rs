// SPDX-License-Identifier: GPL-2.0
//! The roots that guests run from: trees of Debian's releases that the set-up makes, each with the service and
//! with a file of random bytes, on one disk.

use anyhow::{Context, Result};
use bed::{place, trees};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a guest runs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    Trixie,
    Bookworm,
}

impl Release {
    /// Its name, in paths and of a tree in an area.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trixie => "trixie",
            Self::Bookworm => "bookworm",
        }
    }
}

/// Trees of releases.
pub struct Releases {
    /// As the set-up has made them.
    made: PathBuf,
    /// What they have besides.
    added: PathBuf,
    /// A disk with all of that, a directory for each, and with room for as much again.
    pub image: PathBuf,
}

impl Releases {
    /// Makes a disk of some, each with so large a file of random bytes: the same one, or its own.
    pub fn make(releases: &[Release], data_mib: u32, own_data: bool) -> Result<Self> {
        let place = place::clone_path("build/bench");
        let this = Self {
            made: place::trees()?,
            added: place.join("added"),
            image: place.join("releases.ext4"),
        };
        if this.added.exists() {
            fs::remove_dir_all(&this.added).context("remove what was added last")?;
        }
        let service = place::clone_path("bench/src/pageshare/service.py");
        let brief = place::clone_path("bench/src/pageshare/brief.py");
        let mut first: Option<PathBuf> = None;
        for release in releases {
            let folder = this.added.join(release.name());
            fs::create_dir_all(folder.join("data"))?;
            fs::copy(&service, folder.join("service.py"))?;
            fs::copy(&brief, folder.join("brief.py"))?;
            let data = folder.join("data/data");
            match &first {
                Some(other) if !own_data => drop(fs::copy(other, &data)?),
                _ => random(&data, u64::from(data_mib) << 20)?,
            }
            first.get_or_insert(data);
        }
        let names: Vec<&str> = releases.iter().map(|release| release.name()).collect();
        trees::make_image(&this.image, &names, &this.added)?;
        Ok(this)
    }

    /// A file of one of them.
    pub fn open(&self, release: Release, path: &str) -> Result<File> {
        let below = |folder: &Path| File::open(folder.join(release.name()).join(path));
        below(&self.added)
            .or_else(|_| below(&self.made))
            .with_context(|| format!("{}: {path}", release.name()))
    }
}

fn random(path: &Path, bytes: u64) -> Result<()> {
    let mut source = File::open("/dev/urandom")?.take(bytes);
    std::io::copy(&mut source, &mut File::create(path)?)?;
    Ok(())
}
