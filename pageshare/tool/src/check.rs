// SPDX-License-Identifier: GPL-2.0

//! Whether a tree is all that it should be, also where its readers do not look.

use crate::area::format::{BLOCK, Digest, Inode, Kind, ROOT, Seal, TARGET_MAX};
use crate::area::tree::{Blocks, Fault, Name, Run, Tree};
use crate::files::Block;
use anyhow::{Context, Error, Result, anyhow, ensure};
use std::collections::HashMap;

/// What there is in a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Directories.
    pub directories: u64,
    /// Regular files.
    pub regular: u64,
    /// Files of other kinds.
    pub other: u64,
    /// Bytes of all regular files, holes among them.
    pub bytes: u64,
    /// Blocks of content of all regular files, one that is in several places counted for each.
    pub referenced: u64,
    /// Blocks of content, each counted once.
    pub unique: u64,
    /// Blocks that describe the files.
    pub metadata: u64,
}

/// Reads all of a tree, and fails if anything in it is wrong, or it is not the one of that digest.
pub fn check<B>(blocks: B, digest: &Digest) -> Result<Summary>
where
    B: Blocks,
    B::Error: Into<Error>,
{
    let tree = Tree::open(blocks).map_err(told)?;
    let walk = Walk {
        tree: &tree,
        summary: Summary::default(),
        links: HashMap::new(),
    };
    walk.digests(digest)?;
    walk.all()
}

fn told<E: Into<Error>>(fault: Fault<E>) -> Error {
    match fault {
        Fault::Unread(error) => error.into(),
        Fault::Flaw(flaw) => anyhow!("{flaw}"),
    }
}

struct Walk<'a, B> {
    tree: &'a Tree<B>,
    summary: Summary,
    /// How many names each inode has.
    links: HashMap<u32, u32>,
}

impl<B> Walk<'_, B>
where
    B: Blocks,
    B::Error: Into<Error>,
{
    fn read(&self, block: u32) -> Result<Block> {
        let mut bytes = [0; BLOCK];
        let read = self.tree.blocks().read(block, 0, &mut bytes);
        read.map_err(Into::into)?;
        Ok(bytes)
    }

    fn digests(&self, of_tree: &Digest) -> Result<()> {
        let layout = self.tree.layout();
        for block in 0..layout.blocks() {
            let should = match layout.seal(block).context("a block without a digest")? {
                Seal::Tree => *of_tree,
                Seal::Superblock => *self.tree.superblock().digest(),
                Seal::At { block, offset } => {
                    let digests = self.read(block)?;
                    let found = digests[offset..].first_chunk();
                    *found.context("half a digest")?
                }
            };
            let is = crate::digest(&self.read(block)?);
            ensure!(is == should, "block {block} has another digest");
        }
        Ok(())
    }

    fn all(mut self) -> Result<Summary> {
        let layout = self.tree.layout();
        let root = self.tree.inode(ROOT).map_err(told)?.context("no root")?;
        self.inode(ROOT, &root).context("the root")?;
        let mut waiting = vec![(ROOT, root)];
        while let Some((number, directory)) = waiting.pop() {
            let named = |name: &Name| format!("{name:?} in directory {number}");
            let mut last = None;
            let (mut name, mut at, mut links) = (Name::new(), 0, 2);
            while let Some(entry) = self
                .tree
                .read_directory(&directory, at, &mut name)
                .map_err(told)?
            {
                let ordered = last.as_deref() < Some(name.bytes());
                ensure!(ordered, "{} is out of order", named(&name));
                last = Some(name.bytes().to_vec());
                let found = self.tree.lookup(number, &directory, name.bytes());
                let (child, inode) = found.map_err(told)?.with_context(|| named(&name))?;
                ensure!(child == entry.inode, "{} is another file", named(&name));
                let first = self.named(child, &inode).with_context(|| named(&name))?;
                if inode.kind() == Some(Kind::Directory) {
                    ensure!(first, "{} has two names", named(&name));
                    waiting.push((child, inode));
                    links += 1;
                }
                at += 1;
            }
            ensure!(
                directory.links == links,
                "directory {number} has {links} links"
            );
        }
        for (&number, &links) in &self.links {
            let inode = self.tree.inode(number).map_err(told)?;
            let sound = inode.is_some_and(|inode| inode.links == links);
            ensure!(sound, "inode {number} has {links} links");
        }
        let inodes = self.summary.directories + self.summary.regular + self.summary.other;
        ensure!(
            inodes == layout.counts().inodes.into(),
            "there are lost inodes"
        );
        let referenced = self.tree.superblock().referenced();
        ensure!(self.summary.referenced == referenced, "wrong sum of blocks");
        self.summary.unique = layout.data().blocks.into();
        self.summary.metadata = layout.metadata().into();
        Ok(self.summary)
    }

    /// Looks at what has a name. Returns whether that is the first name that it has.
    fn named(&mut self, number: u32, inode: &Inode) -> Result<bool> {
        if inode.kind() == Some(Kind::Directory) {
            self.inode(number, inode)?;
            return Ok(true);
        }
        let links = self.links.entry(number).or_default();
        *links += 1;
        if *links > 1 {
            return Ok(false);
        }
        let mut name = Name::new();
        let own = self.tree.own_name(number, inode, &mut name);
        own.map_err(told).context("its own name")?;
        self.inode(number, inode)?;
        Ok(true)
    }

    fn inode(&mut self, number: u32, inode: &Inode) -> Result<()> {
        match inode.kind().context("of no kind")? {
            Kind::Directory => self.summary.directories += 1,
            Kind::Regular => {
                self.summary.regular += 1;
                self.summary.bytes = self.summary.bytes.saturating_add(inode.size);
                self.content(inode)?;
            }
            kind => {
                self.summary.other += 1;
                let target = self.tree.target(inode, &mut [0; TARGET_MAX]);
                let has_target = target.map_err(told)?.is_some();
                ensure!(
                    has_target == (kind == Kind::Link),
                    "inode {number} has no target"
                );
            }
        }
        self.xattrs(inode)
    }

    fn content(&mut self, file: &Inode) -> Result<()> {
        let (mut at, mut blocks) = (0, 0);
        while let Some(run) = self.tree.map(file, at).map_err(told)? {
            at += run.count();
            if let Run::Data { count, .. } = run {
                blocks += u64::from(count);
            }
        }
        ensure!(
            at == file.file_blocks() && blocks == file.blocks,
            "wrong number of blocks"
        );
        self.summary.referenced += blocks;
        Ok(())
    }

    fn xattrs(&self, inode: &Inode) -> Result<()> {
        let mut last = None;
        let mut name = Name::new();
        for at in 0..inode.xattrs {
            let xattr = self.tree.xattr(inode, at, &mut name).map_err(told)?;
            let xattr = xattr.context("an attribute is not there")?;
            ensure!(
                last.as_deref() < Some(name.bytes()),
                "attributes are out of order"
            );
            last = Some(name.bytes().to_vec());
            let mut value = vec![0; xattr.value.len() as usize];
            self.tree.text(xattr.value, &mut value).map_err(told)?;
        }
        Ok(())
    }
}
