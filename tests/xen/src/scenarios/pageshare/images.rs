// SPDX-License-Identifier: GPL-2.0
//! Images of disks, made before the machines boot.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Sizes of files, in bytes.
const SIZES: [usize; 16] = [
    0, 1, 511, 512, 513, 1023, 1025, 4095, 4096, 4097, 10_000, 65_537, 131_072, 300_001, 700_000,
    1_500_000,
];
/// What is left of the last sector of a plain image.
const REST: u64 = 300;
/// Where the partition begins, in sectors.
const START: u32 = 2048;
const SECTOR: u64 = 512;

/// Two images with the same files: an ext4 file system of small blocks, with an end that is no whole
/// sector; and one of large blocks in a partition, with holes.
pub struct Images {
    folder: TempDir,
}

impl Images {
    /// Makes them.
    pub fn make() -> Result<Self> {
        let this = Self {
            folder: tempfile::tempdir()?,
        };
        let tree = this.path("tree");
        fill(&tree)?;
        let list = "find . -type f -exec sha256sum {} +";
        let sums = duct::cmd!("sh", "-ec", list).dir(&tree).read()?;
        fs::write(this.sums(), sums + "\n")?;
        make_ext4(&tree, &this.plain(), "1024", "8m")?;
        let plain = File::options().write(true).open(this.plain())?;
        plain.write_all_at(&[0xa5; REST as usize], plain.metadata()?.len())?;
        let inner = this.path("inner");
        make_ext4(&tree, &inner, "4096", "16m")?;
        partition(&inner, &this.parted())?;
        Ok(this)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The one with small blocks.
    pub fn plain(&self) -> PathBuf {
        self.path("plain.img")
    }

    /// The one with a partition.
    pub fn parted(&self) -> PathBuf {
        self.path("parted.img")
    }

    /// The checksums of all files, as sha256sum(1) wants them.
    pub fn sums(&self) -> PathBuf {
        self.path("sums")
    }
}

/// Makes a directory with files that look like chance, but are always the same.
fn fill(tree: &Path) -> Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for (at, size) in (0..).zip(SIZES) {
        let folder = tree.join(format!("{}/deep", at % 3));
        fs::create_dir_all(&folder)?;
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend(state.to_le_bytes());
        }
        let mut file = File::create(folder.join(format!("{size}")))?;
        file.write_all(&bytes[..size])?;
    }
    Ok(())
}

fn make_ext4(tree: &Path, image: &Path, block: &str, size: &str) -> Result<()> {
    let command = duct::cmd!(
        "mke2fs", "-q", "-t", "ext4", "-b", block, "-d", tree, image, size
    );
    let made = command.stdout_null().stderr_capture().run();
    made.map(drop).context("mke2fs")
}

/// Puts a file system into a partition of a disk.
fn partition(inner: &Path, disk: &Path) -> Result<()> {
    let bytes = fs::read(inner)?;
    let mut first = [0; SECTOR as usize];
    let sectors = u32::try_from(bytes.len() as u64 / SECTOR)?;
    let entry = &mut first[446..462];
    entry[4] = 0x83;
    entry[8..12].copy_from_slice(&START.to_le_bytes());
    entry[12..].copy_from_slice(&sectors.to_le_bytes());
    first[510..].copy_from_slice(&[0x55, 0xaa]);
    let file = File::create(disk)?;
    file.write_all_at(&first, 0)?;
    for (at, block) in (0..).step_by(4096).zip(bytes.chunks(4096)) {
        if block.iter().any(|&byte| byte != 0) {
            file.write_all_at(block, u64::from(START) * SECTOR + at)?;
        }
    }
    file.set_len(u64::from(START) * SECTOR + bytes.len() as u64)?;
    Ok(())
}
