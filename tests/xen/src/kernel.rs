// SPDX-License-Identifier: GPL-2.0
//! Kernel directories: the kernel itself, unpacked, and its modules in load order.

use crate::describe::Flavour;
use crate::place;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A kernel and its modules.
pub struct Kernel {
    folder: PathBuf,
    modules: PathBuf,
    needs: HashMap<String, (PathBuf, Vec<PathBuf>)>,
    builtin: Vec<String>,
}

impl Kernel {
    /// Opens the kernel directory of a flavour.
    pub fn open(flavour: Flavour) -> Result<Self> {
        let folder = place::kernel(flavour)?;
        let path = folder.join("release");
        let release = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let modules = folder.join("modules/lib/modules").join(release.trim());
        // A kernel without modules has neither list.
        let builtin = fs::read_to_string(modules.join("modules.builtin")).unwrap_or_default();
        let needs = fs::read_to_string(modules.join("modules.dep")).unwrap_or_default();
        Ok(Self {
            needs: needs.lines().filter_map(parse_needs).collect(),
            builtin: builtin
                .lines()
                .map(|line| module_name(Path::new(line)))
                .collect(),
            folder,
            modules,
        })
    }

    /// The kernel as an ELF file: nobody under emulation should have to unpack it.
    pub fn vmlinux(&self) -> Result<PathBuf> {
        let packed = self.folder.join("vmlinuz");
        let meta = fs::metadata(&packed).with_context(|| format!("{}", packed.display()))?;
        let name = format!(
            "vmlinux-{:x}-{:x}-{:x}",
            meta.ino(),
            meta.size(),
            meta.mtime()
        );
        let cache = place::cache()?;
        let ready = cache.join(name);
        if !ready.exists() {
            let elf = unpack_image(&fs::read(&packed)?)
                .with_context(|| format!("unpack {}", packed.display()))?;
            let mut file = tempfile::NamedTempFile::new_in(&cache)?;
            file.write_all(&elf)?;
            file.persist(&ready)?;
        }
        Ok(ready)
    }

    /// Named modules and all they need, unpacked, in the order to load them; built-in ones are left out.
    pub fn modules(&self, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let mut order: Vec<&Path> = Vec::new();
        for name in names {
            let name = name.replace('-', "_");
            if self.builtin.contains(&name) {
                continue;
            }
            let Some((path, needs)) = self.needs.get(&name) else {
                bail!("{} has no module {name}", self.modules.display());
            };
            for path in needs.iter().rev().chain([path]) {
                if !order.contains(&path.as_path()) {
                    order.push(path);
                }
            }
        }
        order
            .into_iter()
            .map(|path| Ok((module_name(path), self.module_bytes(path)?)))
            .collect()
    }

    fn module_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let path = self.modules.join(path);
        let program = match path.extension().and_then(|end| end.to_str()) {
            Some("ko") => return fs::read(&path).with_context(|| format!("{}", path.display())),
            Some("xz") => "xz",
            Some("zst") => "zstd",
            Some("gz") => "gzip",
            _ => bail!("{}: not a module", path.display()),
        };
        let output = duct::cmd!(program, "-dc", &path).stdout_capture().run();
        Ok(output
            .with_context(|| format!("unpack {}", path.display()))?
            .stdout)
    }
}

/// `kernel/fs/ext4/ext4.ko.xz` is `ext4`, and the kernel spells dashes as underscores.
fn module_name(path: &Path) -> String {
    let file = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    file.split(".ko")
        .next()
        .unwrap_or_default()
        .replace('-', "_")
}

/// A line of modules.dep: a module, then what it needs, nearest first.
fn parse_needs(line: &str) -> Option<(String, (PathBuf, Vec<PathBuf>))> {
    let (path, needs) = line.split_once(':')?;
    let needs = needs.split_whitespace().map(PathBuf::from).collect();
    Some((module_name(Path::new(path)), (path.into(), needs)))
}

/// Takes the ELF file out of a bzImage.
fn unpack_image(image: &[u8]) -> Result<Vec<u8>> {
    // Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length.
    let word = |at: usize| -> Result<usize> {
        let bytes = image.get(at..at + 4).context("too short")?;
        Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    ensure!(image.get(0x202..0x206) == Some(b"HdrS"), "not a bzImage");
    let start = (usize::from(image[0x1f1]) + 1) * 512 + word(0x248)?;
    let payload = image
        .get(start..start + word(0x24c)?)
        .context("cut short")?;
    // All but gzip have the unpacked size behind them.
    let (program, tail) = match payload {
        [0x1f, 0x8b, ..] => ("gzip", 0),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", 4),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => ("xz", 4),
        [0x7f, b'E', b'L', b'F', ..] => return Ok(payload.to_vec()),
        _ => bail!("packed in an unknown way"),
    };
    let packed = &payload[..payload.len() - tail];
    Ok(duct::cmd!(program, "-dc")
        .stdin_bytes(packed)
        .stdout_capture()
        .run()?
        .stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_needs() {
        let line = "kernel/drivers/xen/xen-gntdev.ko.xz: kernel/a/b.ko.xz kernel/c.ko";
        let (name, (path, needs)) = parse_needs(line).unwrap();
        assert_eq!(name, "xen_gntdev");
        assert_eq!(path, PathBuf::from("kernel/drivers/xen/xen-gntdev.ko.xz"));
        assert_eq!(
            needs,
            [
                PathBuf::from("kernel/a/b.ko.xz"),
                PathBuf::from("kernel/c.ko")
            ]
        );
        assert_eq!(module_name(Path::new("kernel/lib/crc/crc16.ko")), "crc16");
    }

    #[test]
    fn a_bare_elf_comes_out_of_an_image() {
        let mut image = vec![0; 2048];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x24c].copy_from_slice(&16u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&8u32.to_le_bytes());
        image[1040..1048].copy_from_slice(b"\x7fELF1234");
        assert_eq!(unpack_image(&image).unwrap(), b"\x7fELF1234");
        assert!(unpack_image(b"short").is_err());
    }
}
