// SPDX-License-Identifier: GPL-2.0

//! The files of a directory.

use crate::area::format::{BLOCK, Kind, Stamp};
use crate::files::{Attributes, Block, Content, File, Files, NodeId, What};
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{SeekFrom, major, minor, seek};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The name of a file that is added by itself.
const ALONE: &[u8] = b"image";

/// Returns the files in a directory and below, in the same file system. A regular file, such as the
/// image of a disk, is returned as `image` in a directory.
pub fn scan(root: &Path) -> Result<Files> {
    let mut files = Vec::new();
    let mut known = HashMap::new();
    let mut directories = HashMap::new();
    let root = root.canonicalize().with_context(|| shown(root))?;
    let metadata = fs::metadata(&root).with_context(|| shown(&root))?;
    if metadata.is_file() {
        return alone(&root, &metadata).with_context(|| shown(&root));
    }
    for entry in WalkDir::new(&root).same_file_system(true) {
        let entry = entry?;
        let path = entry.path();
        let metadata = fs::symlink_metadata(path).with_context(|| shown(path))?;
        let place = (metadata.dev(), metadata.ino());
        let id = match known.get(&place) {
            Some(&id) if !metadata.is_dir() => id,
            _ => {
                let id = files.len();
                files.push(file(path, &metadata).with_context(|| shown(path))?);
                known.insert(place, id);
                id
            }
        };
        if metadata.is_dir() {
            directories.insert(path.to_path_buf(), id);
        }
        if entry.depth() > 0 {
            let parent: Option<&NodeId> = path.parent().and_then(|parent| directories.get(parent));
            let parent = *parent.context("a directory was moved while it was read")?;
            if let What::Directory(names) = &mut files[parent].what {
                names.insert(entry.file_name().as_bytes().to_vec(), id);
            }
        }
    }
    let is_directory = matches!(files.first(), Some(root) if root.what.kind() == Kind::Directory);
    ensure!(
        is_directory,
        "{} is neither a directory nor a regular file",
        root.display()
    );
    Ok(Files(files))
}

/// A directory with one file, which anybody may look into.
fn alone(path: &Path, metadata: &Metadata) -> Result<Files> {
    let image = file(path, metadata)?;
    let root = File {
        attributes: Attributes {
            permissions: 0o755,
            xattrs: BTreeMap::new(),
            ..image.attributes.clone()
        },
        what: What::Directory(BTreeMap::from([(ALONE.to_vec(), 1)])),
    };
    Ok(Files(vec![root, image]))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn file(path: &Path, metadata: &Metadata) -> Result<File> {
    let kind = Kind::from_number((metadata.mode() >> 12) as u8);
    let what = match kind.context("a file of an unknown kind")? {
        Kind::Directory => What::Directory(BTreeMap::new()),
        Kind::Regular => What::Regular(Box::new(OnDisk {
            path: path.to_path_buf(),
            size: metadata.size(),
        })),
        Kind::Link => What::Link(fs::read_link(path)?.into_os_string().into_vec()),
        kind @ (Kind::BlockDevice | Kind::CharDevice) => What::Device {
            block: kind == Kind::BlockDevice,
            major: major(metadata.rdev()),
            minor: minor(metadata.rdev()),
        },
        Kind::Fifo => What::Fifo,
        Kind::Socket => What::Socket,
    };
    Ok(File {
        attributes: Attributes {
            permissions: (metadata.mode() & 0o7777) as u16,
            uid: metadata.uid(),
            gid: metadata.gid(),
            modified: Stamp {
                seconds: metadata.mtime(),
                nanoseconds: metadata.mtime_nsec() as u32,
            },
            xattrs: xattrs(path)?,
        },
        what,
    })
}

/// The extended attributes that may be read; some file systems, or images of them, have none.
fn xattrs(path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let names = match xattr::list(path) {
        Ok(names) => names,
        Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => {
            return Ok(BTreeMap::new());
        }
        Err(error) => return Err(error.into()),
    };
    let mut found = BTreeMap::new();
    for name in names {
        if let Some(value) = xattr::get(path, &name)? {
            found.insert(name.into_vec(), value);
        }
    }
    Ok(found)
}

/// A regular file on a disk.
struct OnDisk {
    path: PathBuf,
    size: u64,
}

impl OnDisk {
    fn open(&self) -> Result<fs::File> {
        fs::File::open(&self.path).with_context(|| shown(&self.path))
    }

    fn read(&self, file: &fs::File, index: u64) -> Result<Block> {
        let mut block = [0; BLOCK];
        let at = index * BLOCK as u64;
        let len = self.size.saturating_sub(at).min(BLOCK as u64) as usize;
        let read = file.read_exact_at(&mut block[..len], at);
        match read {
            Ok(()) => Ok(block),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                bail!("{} was cut while it was read", self.path.display())
            }
            Err(error) => Err(error).with_context(|| shown(&self.path)),
        }
    }
}

impl Content for OnDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn blocks(&self, take: &mut dyn FnMut(u64, &Block) -> Result<()>) -> Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        let file = self.open()?;
        let mut at = 0;
        while at < self.size {
            let data = match seek(&file, SeekFrom::Data(at)) {
                Ok(data) => data,
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error).with_context(|| shown(&self.path)),
            };
            let end = seek(&file, SeekFrom::Hole(data)).unwrap_or(self.size);
            let blocks = data / BLOCK as u64..end.min(self.size).div_ceil(BLOCK as u64);
            for index in blocks.start.max(at.div_ceil(BLOCK as u64))..blocks.end {
                take(index, &self.read(&file, index)?)?;
            }
            at = end.next_multiple_of(BLOCK as u64);
        }
        Ok(())
    }

    fn block(&self, index: u64) -> Result<Block> {
        self.read(&self.open()?, index)
    }
}
