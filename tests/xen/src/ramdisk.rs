// SPDX-License-Identifier: GPL-2.0
//! Ramdisks: newc archives, not compressed, as unpacking costs more under emulation than reading.

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A ramdisk in the making.
#[derive(Default)]
pub struct Ramdisk {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    inode: u32,
}

impl Ramdisk {
    /// With `agent` as its first program.
    pub fn with_agent(agent: &Path) -> Result<Self> {
        let mut disk = Self::default();
        disk.copy(agent, "init")?;
        Ok(disk)
    }

    /// Adds a copy of a file, as executable as the original.
    pub fn copy(&mut self, from: &Path, to: &str) -> Result<()> {
        let context = || format!("{}", from.display());
        let bytes = fs::read(from).with_context(context)?;
        let mode = fs::metadata(from)
            .with_context(context)?
            .permissions()
            .mode()
            & 0o777;
        self.add(to, ModeFileType::Regular, mode, &bytes)
    }

    /// Adds a plain file.
    pub fn text(&mut self, to: &str, bytes: &[u8]) -> Result<()> {
        self.add(to, ModeFileType::Regular, 0o644, bytes)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, to: &str, target: &str) -> Result<()> {
        self.add(to, ModeFileType::Symlink, 0o777, target.as_bytes())
    }

    /// Adds modules, and the list that has them loaded at start.
    pub fn modules(&mut self, modules: &[(String, Vec<u8>)]) -> Result<()> {
        let mut list = String::new();
        for (name, bytes) in modules {
            let path = format!("modules/kernel/{name}.ko");
            self.text(&path, bytes)?;
            list += &format!("/{path}\n");
        }
        self.text("modules/load", list.as_bytes())
    }

    /// Adds busybox under all of its names.
    pub fn busybox(&mut self, program: &Path) -> Result<()> {
        self.copy(program, "bin/busybox")?;
        let names = duct::cmd!(program, "--list")
            .read()
            .context("busybox --list")?;
        for name in names.lines().filter(|&name| name != "busybox") {
            self.link(&format!("bin/{name}"), "busybox")?;
        }
        self.link("sbin", "bin")
    }

    /// The archive.
    pub fn finish(self) -> Result<Vec<u8>> {
        Ok(trailer(self.bytes)?)
    }

    fn add(&mut self, path: &str, kind: ModeFileType, mode: u32, bytes: &[u8]) -> Result<()> {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            if self.folders.insert(path[..at].to_string()) {
                self.entry(&path[..at], ModeFileType::Directory, 0o755, b"")?;
            }
        }
        self.entry(path, kind, mode, bytes)
    }

    fn entry(&mut self, path: &str, kind: ModeFileType, mode: u32, bytes: &[u8]) -> Result<()> {
        self.inode += 1;
        let builder = Builder::new(path)
            .ino(self.inode)
            .mode(mode)
            .set_mode_file_type(kind);
        let mut file = builder.write(&mut self.bytes, u32::try_from(bytes.len())?);
        file.write_all(bytes)?;
        file.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut disk = Ramdisk::default();
        disk.text("/a/b/c", b"text").unwrap();
        disk.link("a/b/d", "c").unwrap();
        let mut bytes = &disk.finish().unwrap()[..];
        let mut found = Vec::new();
        loop {
            let reader = cpio::NewcReader::new(bytes).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            found.push((reader.entry().name().to_string(), reader.entry().mode()));
            bytes = reader.finish().unwrap();
        }
        let want = [
            ("a", 0o040755),
            ("a/b", 0o040755),
            ("a/b/c", 0o100644),
            ("a/b/d", 0o120777),
        ];
        assert_eq!(found, want.map(|(name, mode)| (name.to_string(), mode)));
    }
}
