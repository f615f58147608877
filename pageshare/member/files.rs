// SPDX-License-Identifier: GPL-2.0

//! A tree as a file system.

use super::{
    blocks::Blocks,
    held::Frame,
    tree::{
        self,
        error,
        File, //
    }, //
};
use crate::{
    area::{
        ahead::With,
        format::{
            BLOCK,
            DIGEST,
            ROOT,
            TARGET_MAX, //
        },
        names::Source,
        tree::{
            Name,
            Run,
            Tree, //
        },
        wire::Label, //
    },
    driver::Driver,
    failure::Failure,
    linux::{
        timing::check_killed,
        work::Worker, //
    },
    vfs::{
        Attributes,
        FileSystem,
        Locked,
        Mount,
        Request,
        Seek,
        Statfs, //
    },
    window::{
        Screen,
        Shown, //
    },
    xen::domain::{
        self,
        DomId,
        Kind, //
    }, //
};
use core::ops::Range;
use kernel::{
    iov::IovIterDest,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::Arc, //
};

/// Sectors of 512 bytes in a block.
const SECTORS: u64 = 8;

/// A tree that is mounted.
pub(crate) struct Files {
    tree: Tree<Blocks>,
    screen: Screen,
}

/// Pages of a file whose blocks follow each other, too.
pub(crate) struct Pages {
    /// The number of the file.
    file: u64,
    /// Which page is the first.
    index: u64,
    /// Which block is the first.
    block: u32,
    count: u32,
}

/// What stands for a file, where the file system keeps inodes.
pub(crate) struct Node {
    number: u32,
    file: File,
}

/// The number of the domain that a mount option names; dom0 if there is none.
fn owner(option: Option<&[u8]>) -> Result<DomId> {
    let Some(text) = option else {
        return DomId::new(0).ok_or(EINVAL);
    };
    let text = core::str::from_utf8(text).map_err(|_| EINVAL)?;
    text.parse().ok().and_then(DomId::new).ok_or(EINVAL)
}

/// The digest that a mount option names.
fn digest(option: &[u8]) -> Result<[u8; DIGEST]> {
    let mut digest = [0; DIGEST];
    let text = core::str::from_utf8(option).map_err(|_| EINVAL)?;
    if text.len() != 2 * DIGEST || !text.is_ascii() {
        return Err(EINVAL);
    }
    for (at, byte) in (0..).step_by(2).zip(&mut digest) {
        let digits = text.get(at..at + 2).ok_or(EINVAL)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| EINVAL)?;
    }
    Ok(digest)
}

impl Files {
    fn blocks(&self) -> &Blocks {
        self.tree.blocks()
    }
}

impl FileSystem for Files {
    const NAME: &'static CStr = c"pageshare";
    const MAGIC: usize = u32::from_le_bytes(*b"PgSh") as usize;
    const OPTIONS: &'static [&'static CStr] = &[c"owner", c"digest"];

    type State = Worker<Driver>;
    type Node = Node;
    type Frame<'a> = Frame<'a>;
    type Shown<'a> = Shown<'a>;
    type Run = Pages;

    fn attach(driver: &Worker<Driver>, request: &Request<'_>) -> Result<Arc<Self>> {
        let source = request.source().and_then(Source::parse);
        let Some(source) = source else {
            request.error(fmt!("the source is <area> or <area>/<tree>"));
            return Err(EINVAL);
        };
        let domain = owner(request.option(c"owner")).inspect_err(|_| {
            request.error(fmt!("owner is the number of a domain"));
        })?;
        let wanted = request.option(c"digest").map(digest).transpose();
        let wanted = wanted.inspect_err(|_| {
            request.error(fmt!("digest is 64 hexadecimal digits"));
        })?;
        let area = Label::new(source.area).ok_or(EINVAL)?;
        let name = match source.tree {
            Some(tree) => Label::new(tree).ok_or(EINVAL)?,
            None => Label::NONE,
        };
        let owner = driver.owner(domain).inspect_err(|_| {
            request.error(fmt!("domain {domain} cannot be the owner"));
        })?;
        let tree = tree::open(owner, (area, name), wanted.as_ref()).inspect_err(|&why| {
            if why == ENOENT {
                request.error(fmt!("domain {domain} has no such area for this domain"));
            } else if why == Failure::NotConnected.into() {
                request.error(fmt!("domain {domain} does not answer"));
            } else if why == Failure::Stale.into() {
                request.error(fmt!("the tree has another digest"));
            }
        })?;
        let mount = Arc::pin_init(Mount::new(), GFP_KERNEL)?;
        let screen = tree.blocks().owner().add_screen(mount)?;
        Ok(Arc::new(Self { tree, screen }, GFP_KERNEL)?)
    }

    fn mount(&self) -> &Mount {
        self.screen.mount()
    }

    fn uuid(&self) -> [u8; 16] {
        let mut uuid = [0; 16];
        let digest = self.blocks().digest().iter();
        uuid.iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = *from);
        uuid
    }

    fn root(&self) -> u64 {
        ROOT.into()
    }

    fn statfs(&self) -> Statfs {
        let superblock = self.tree.superblock();
        Statfs {
            blocks: superblock.referenced(),
            files: superblock.layout().counts().inodes.into(),
        }
    }

    fn show_options(&self, out: &SeqFile) {
        seq_print!(out, ",owner={}", self.blocks().owner().domain());
    }

    fn inode(&self, number: u64) -> Result<Option<(Attributes, Node)>> {
        let Ok(number) = u32::try_from(number) else {
            return Ok(None);
        };
        let Some(inode) = self.tree.inode(number).map_err(error)? else {
            return Ok(None);
        };
        let digest = self.blocks().digest().first_chunk();
        let attributes = Attributes {
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            links: inode.links,
            size: inode.size,
            sectors: inode.blocks.saturating_mul(SECTORS),
            modified: (inode.modified.seconds, inode.modified.nanoseconds),
            device: (inode.first, inode.count),
            generation: digest.map_or(0, |first| u32::from_le_bytes(*first)),
        };
        let file = File::new(inode);
        Ok(Some((attributes, Node { number, file })))
    }

    fn lookup(&self, directory: &Node, name: &[u8]) -> Result<Option<u64>> {
        let found = self
            .tree
            .lookup(directory.number, directory.file.inode(), name)
            .map_err(error)?;
        Ok(found.map(|(number, _)| number.into()))
    }

    fn read_directory(
        &self,
        directory: &Node,
        from: u64,
        emit: &mut dyn FnMut(&[u8], u64, u8) -> bool,
    ) -> Result {
        let mut name = Name::new();
        for at in from.. {
            let entry = self
                .tree
                .read_directory(directory.file.inode(), at, &mut name);
            let Some(entry) = entry.map_err(error)? else {
                break;
            };
            if !emit(name.bytes(), entry.inode.into(), entry.kind.number()) {
                break;
            }
        }
        Ok(())
    }

    fn parent(&self, directory: &Node) -> Result<u64> {
        let (number, _) = self.tree.parent(directory.file.inode()).map_err(error)?;
        Ok(number.into())
    }

    fn target(&self, link: &Node, to: &mut [u8; TARGET_MAX]) -> Result<usize> {
        let len = self.tree.target(link.file.inode(), to).map_err(error)?;
        len.ok_or(EINVAL)
    }

    fn xattr(&self, node: &Node, name: &[u8], to: &mut [u8]) -> Result<Option<usize>> {
        let value = self
            .tree
            .find_xattr(node.file.inode(), name)
            .map_err(error)?;
        let Some(value) = value else {
            return Ok(None);
        };
        let len = value.len() as usize;
        if let Some(to) = to.get_mut(..len) {
            self.tree.text(value, to).map_err(error)?;
        }
        Ok(Some(len))
    }

    fn xattrs(&self, node: &Node, each: &mut dyn FnMut(&[u8]) -> Result) -> Result {
        let mut name = Name::new();
        for at in 0..node.file.inode().xattrs {
            let found = self.tree.xattr(node.file.inode(), at, &mut name);
            if found.map_err(error)?.is_some() {
                each(name.bytes())?;
            }
        }
        Ok(())
    }

    fn read(&self, file: &Node, at: u64, to: &mut IovIterDest<'_>) -> Result {
        tree::copy(&self.tree, &file.file, at, to, |left, _| With::InFile(left))
    }

    fn seek(&self, file: &Node, at: u64, to: Seek) -> Result<Option<u64>> {
        let mut at = at;
        while at < file.file.inode().size {
            let first = at / BLOCK as u64;
            let run = self.tree.map(file.file.inode(), first).map_err(error)?;
            let run = run.ok_or(Failure::Unclean)?;
            let here = match to {
                Seek::Data => matches!(run, Run::Data { .. }),
                Seek::Hole => matches!(run, Run::Hole(_)),
            };
            if here {
                return Ok(Some(at));
            }
            at = (first + run.count()) * BLOCK as u64;
            check_killed()?;
        }
        Ok(None)
    }

    fn fill(&self, file: &Node, index: u64, page: &mut [u8]) -> Result {
        let at = index * BLOCK as u64;
        tree::stretches(&self.tree, &file.file, (at, BLOCK as u64), |stretch| {
            // A page is a block: there is one stretch.
            if let (Some((block, left)), 0) = (stretch.block, stretch.offset) {
                self.blocks().copy(block, left, page)?;
            }
            Ok(stretch.len)
        })
    }

    fn has_frames(&self) -> bool {
        domain::kind() != Some(Kind::Pv)
    }

    fn frame(&self, file: &Node, index: u64) -> Result<Option<Frame<'_>>> {
        let run = file.file.map(&self.tree, index)?;
        let Some(Run::Data { start, count }) = run else {
            return Ok(None);
        };
        let held = self.blocks().hold_content(start, count - 1)?;
        Ok(held.frame(&self.screen, (file.number.into(), index)))
    }

    fn run(&self, file: &Node, index: u64, indexes: Range<u64>) -> Result<Option<Pages>> {
        let run = file.file.map(&self.tree, indexes.start)?;
        let (at, run) = match run {
            Some(run) if indexes.start.saturating_add(run.count()) > index => {
                (indexes.start, Some(run))
            }
            // It is in another run: what goes before that has a fault of its own.
            _ => (index, file.file.map(&self.tree, index)?),
        };
        let Some(Run::Data { start, count }) = run else {
            return Ok(None);
        };
        let most = u32::try_from(indexes.end - at).unwrap_or(u32::MAX);
        Ok(Some(Pages {
            file: file.number.into(),
            index: at,
            block: start,
            count: count.min(most),
        }))
    }

    fn show(&self, run: &Pages) {
        for (index, block) in (run.index..).zip(run.block..).take(run.count as usize) {
            if let Some(held) = self.blocks().glance(block) {
                held.show(&self.screen, (run.file, index));
            }
        }
    }

    fn frames_at_hand<'a>(
        &'a self,
        run: &Pages,
        locked: &'a Locked,
        mut each: impl FnMut(u64, Shown<'a>),
    ) {
        let place = |ahead| self.screen.place(run.file, run.index + u64::from(ahead));
        self.blocks()
            .shown((run.block, run.count), place, locked, |ahead, frames| {
                each(run.index + u64::from(ahead), frames);
            });
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.blocks().owner().remove_screen(&self.screen);
    }
}
