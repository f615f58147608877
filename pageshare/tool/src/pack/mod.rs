// SPDX-License-Identifier: GPL-2.0

//! Files become the blocks of a tree.

mod content;
mod numbers;
mod text;

use crate::area::format::{
    BLOCK, Counts, DIGEST, Digest, Entry, Inode, Layout, Seal, Superblock, VALUE_MAX, Xattr,
};
use crate::area::names;
use crate::files::{Block, File, Files, What};
use crate::image::Image;
use anyhow::{Context, Result, ensure};
pub(crate) use content::Contents;
use numbers::Numbers;
use std::collections::{BTreeMap, HashMap};
use text::{Place, Strings};

/// An extended attribute whose text has a place.
struct Attribute {
    name: Place,
    value: Place,
}

/// All that a tree is made of, before it is known how much that is.
#[derive(Default)]
struct Parts {
    strings: Strings,
    /// The names of all entries, in their order.
    names: Vec<Place>,
    /// The targets of all links, by the number of the inode.
    targets: HashMap<u32, Place>,
    xattrs: Vec<Attribute>,
    /// Where each set of attributes starts: equal ones are there once.
    sets: HashMap<BTreeMap<Vec<u8>, Vec<u8>>, u32>,
}

/// Makes a tree of files. All of their content is read once.
pub fn pack(files: Files) -> Result<Image> {
    pack_with(files, |_| ())
}

/// As [`pack`]; `progress` gets the size of each regular file that has been read, in bytes.
pub fn pack_with(files: Files, progress: impl FnMut(u64)) -> Result<Image> {
    let numbers = Numbers::new(&files)?;
    let mut parts = Parts::default();
    parts.gather(&files, &numbers)?;
    let contents = Contents::read(&files, &numbers, progress)?;
    let counts = Counts {
        inodes: count(numbers.order.len())?,
        entries: count(numbers.entries.len())?,
        extents: count(contents.runs())?,
        xattrs: count(parts.xattrs.len())?,
        text: count(parts.strings.bytes().len())?,
        data: count(contents.sources.len())?,
    };
    let layout = Layout::new(counts).context("more blocks than a tree can have")?;
    let mut blocks = Blocks::new(&layout);
    parts.write(&files, &numbers, &contents, &layout, &mut blocks)?;
    let (superblock, digest) = blocks.seal(&layout, &contents)?;
    Ok(Image::new(superblock, digest, blocks.0, contents, files))
}

fn count(of: usize) -> Result<u32> {
    u32::try_from(of).context("more of something than a tree can have")
}

impl Parts {
    fn gather(&mut self, files: &Files, numbers: &Numbers) -> Result<()> {
        for entry in &numbers.entries {
            let shown = entry.name.escape_ascii();
            ensure!(
                names::is_file(&entry.name),
                "a file cannot be named \"{shown}\""
            );
            self.names.push(self.strings.short(&entry.name)?);
        }
        for (number, file) in numbers.files(files) {
            if let What::Link(target) = &file.what {
                self.targets.insert(number, self.strings.short(target)?);
            }
            self.attributes(file)?;
        }
        Ok(())
    }

    fn attributes(&mut self, file: &File) -> Result<()> {
        let set = &file.attributes.xattrs;
        if set.is_empty() || self.sets.contains_key(set) {
            return Ok(());
        }
        u16::try_from(set.len()).context("more extended attributes than a file can have")?;
        self.sets.insert(set.clone(), count(self.xattrs.len())?);
        for (name, value) in set {
            let shown = name.escape_ascii();
            ensure!(
                names::is_xattr(name) && value.len() <= VALUE_MAX as usize,
                "the extended attribute \"{shown}\" is impossible"
            );
            self.xattrs.push(Attribute {
                name: self.strings.short(name)?,
                value: self.strings.any(value)?,
            });
        }
        Ok(())
    }

    fn write(
        &self,
        files: &Files,
        numbers: &Numbers,
        contents: &Contents,
        layout: &Layout,
        blocks: &mut Blocks,
    ) -> Result<()> {
        for (at, chunk) in self.strings.bytes().chunks(BLOCK).enumerate() {
            blocks.write(layout.text((at * BLOCK) as u32), chunk)?;
        }
        for (index, (entry, name)) in (0..).zip(numbers.entries.iter().zip(&self.names)) {
            let record = Entry {
                name: layout.short_run(name.at, name.len).context("lost text")?,
                inode: entry.inode,
                kind: entry.kind,
            };
            blocks.write(layout.entry(index), &record.encode())?;
        }
        for (index, attribute) in (0..).zip(&self.xattrs) {
            let (name, value) = (attribute.name, attribute.value);
            let record = Xattr {
                name: layout.short_run(name.at, name.len).context("lost text")?,
                value: layout.run(value.at, value.len).context("lost text")?,
            };
            blocks.write(layout.xattr(index), &record.encode())?;
        }
        for (index, run) in (0..).zip(contents.all_runs()) {
            let record = run
                .record(layout)
                .context("a run of blocks that cannot be")?;
            blocks.write(layout.extent(index), &record.encode())?;
        }
        for (number, file) in numbers.files(files) {
            let inode = self.inode(number, file, numbers, contents);
            // As its readers will see it: what they would refuse is not made.
            let record = inode.encode();
            let read = Inode::decode(&record, number, layout);
            ensure!(read == Ok(inode), "impossible values: {inode:?}");
            blocks.write(layout.inode(number), &record)?;
        }
        Ok(())
    }

    fn inode(&self, number: u32, file: &File, numbers: &Numbers, contents: &Contents) -> Inode {
        let attributes = &file.attributes;
        let place = &numbers.places[number as usize - 1];
        let (mut size, mut blocks) = (0, 0);
        let (first, count) = match &file.what {
            What::Directory(_) => place.range,
            What::Regular(content) => {
                let runs = contents.of(number);
                size = content.size();
                blocks = runs.blocks;
                (runs.first, runs.count)
            }
            What::Link(_) => {
                let target = self.targets.get(&number).copied().unwrap_or_default();
                size = target.len.into();
                (target.at, 0)
            }
            What::Device { major, minor, .. } => (*major, *minor),
            What::Fifo | What::Socket => (0, 0),
        };
        Inode {
            mode: (u16::from(file.what.kind().number()) << 12) | attributes.permissions,
            xattrs: attributes.xattrs.len() as u16,
            uid: attributes.uid,
            gid: attributes.gid,
            links: place.links,
            size,
            modified: attributes.modified,
            first_xattr: self.sets.get(&attributes.xattrs).copied().unwrap_or(0),
            first,
            count,
            parent: place.parent,
            entry: place.entry,
            blocks,
        }
    }
}

/// The blocks of a tree that are not content.
struct Blocks(Vec<Block>);

impl Blocks {
    fn new(layout: &Layout) -> Self {
        Self(vec![[0; BLOCK]; layout.metadata() as usize])
    }

    fn write(&mut self, place: Option<(u32, usize)>, bytes: &[u8]) -> Result<()> {
        let (block, offset) = place.context("no place in the tree")?;
        self.0[block as usize][offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// Puts all digests where they belong, and the superblock. Returns that and the tree's digest.
    fn seal(&mut self, layout: &Layout, contents: &Contents) -> Result<(Superblock, Digest)> {
        let mut topmost = [0; DIGEST];
        // Those of a level are complete when all blocks with larger numbers have got theirs.
        for block in (1..layout.blocks()).rev() {
            let digest = match layout.data().index(block) {
                Some(index) => contents.sources[index as usize].digest,
                None => crate::digest(&self.0[block as usize]),
            };
            match layout.seal(block).context("no place for a digest")? {
                Seal::At { block, offset } => self.write(Some((block, offset)), &digest)?,
                Seal::Superblock => topmost = digest,
                Seal::Tree => (),
            }
        }
        let superblock = Superblock::new(*layout, contents.referenced(), topmost)
            .context("more content than a tree can have")?;
        self.write(Some((0, 0)), &superblock.encode())?;
        Ok((superblock, crate::digest(&self.0[0])))
    }
}
