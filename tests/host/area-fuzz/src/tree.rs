// SPDX-License-Identifier: GPL-2.0

//! A tree whose owner writes to its blocks: before it is looked at, and between any two looks.

use pageshare::{Attributes, Block, Content, File, Files, What, pack};
use shared_area::area::format::{Inode, Kind, ROOT, Stamp, TARGET_MAX};
use shared_area::area::names;
use shared_area::area::tree::{Blocks, Fault, Name, Run, Tree};
use socket_link_fuzz::bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

/// Inodes, and entries of a directory, that one attack looks at.
const LOOKS: usize = 60;

/// All blocks of some good trees.
fn good() -> &'static [Vec<Block>] {
    static GOOD: OnceLock<Vec<Vec<Block>>> = OnceLock::new();
    GOOD.get_or_init(|| [deep(), wide()].map(blocks).to_vec())
}

fn blocks(files: Vec<File>) -> Vec<Block> {
    let image = pack(Files(files)).unwrap();
    let all = 0..image.superblock().layout().blocks();
    all.map(|block| image.block(block).unwrap()).collect()
}

fn file(what: What) -> File {
    File {
        attributes: Attributes {
            permissions: 0o755,
            modified: Stamp {
                seconds: 1 << 30,
                nanoseconds: 5,
            },
            ..Attributes::default()
        },
        what,
    }
}

fn directory(names: &[(&str, usize)]) -> File {
    let names = names.iter();
    let bytes = |&(name, id): &(&str, usize)| (name.as_bytes().to_vec(), id);
    file(What::Directory(names.map(bytes).collect()))
}

/// A few files of all kinds, some levels down.
fn deep() -> Vec<File> {
    // Each third block is a hole, and the others are two that alternate.
    let striped: Vec<_> = (0..20 * 4096).map(|at| (at / 4096 % 3) as u8).collect();
    let mut all = vec![
        directory(&[("a", 1), ("link", 4), ("pipe", 5), ("tty", 6)]),
        directory(&[("b", 2), ("one", 7), ("two", 7)]),
        directory(&[("c", 3)]),
        directory(&[("file", 8), ("same", 7)]),
        file(What::Link(b"a/b/c/file".to_vec())),
        file(What::Fifo),
        file(What::Device {
            block: false,
            major: 5,
            minor: 0,
        }),
        file(What::Regular(Box::new(striped))),
        file(What::Regular(Box::new(b"short".to_vec()))),
    ];
    all[8].attributes.xattrs = BTreeMap::from([
        (
            b"security.selinux".to_vec(),
            b"system_u:object_r:etc_t".to_vec(),
        ),
        (b"user.long".to_vec(), vec![1; 5000]),
    ]);
    all
}

/// A directory with more entries than a block has, and their names in several blocks, too.
fn wide() -> Vec<File> {
    let names: Vec<_> = (0..300).map(|at| format!("{at:030}")).collect();
    let named: Vec<_> = names.iter().map(|name| &name[..]).zip(1..).collect();
    let empty = |_| file(What::Regular(Box::new(Vec::<u8>::new()) as Box<dyn Content>));
    [directory(&named)]
        .into_iter()
        .chain((0..300).map(empty))
        .collect()
}

struct Owner<'a> {
    blocks: RefCell<Vec<Block>>,
    bytes: RefCell<Bytes<'a>>,
    /// How many blocks there are, as far as the reader knows.
    limit: Cell<u32>,
    /// Whether it writes while it is looked at.
    restless: bool,
}

impl Owner<'_> {
    /// Changes a word somewhere.
    fn write(&self) {
        let mut bytes = self.bytes.borrow_mut();
        let mut blocks = self.blocks.borrow_mut();
        // Mostly what stands at the start of a block.
        let mask = if bytes.byte() < 200 { 0xfc } else { 0xffc };
        let offset = (bytes.word() & mask) as usize;
        let count = blocks.len();
        let block = &mut blocks[bytes.byte() as usize % count];
        let (word, _) = block[offset..].split_first_chunk_mut::<4>().unwrap();
        *word = bytes.like(u32::from_le_bytes(*word)).to_le_bytes();
    }
}

impl Blocks for &Owner<'_> {
    type Error = ();

    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> Result<(), ()> {
        assert!(block < self.limit.get() && offset + to.len() <= 4096);
        let chance = if self.restless {
            self.bytes.borrow_mut().byte()
        } else {
            0
        };
        match chance {
            100..=140 => self.write(),
            141..=145 => return Err(()),
            _ => (),
        }
        let blocks = self.blocks.borrow();
        let block = blocks.get(block as usize).ok_or(())?;
        to.copy_from_slice(&block[offset..offset + to.len()]);
        Ok(())
    }
}

/// Plays an owner against a reader.
pub fn attack(bytes: &[u8]) -> u64 {
    let mut bytes = Bytes::new(bytes);
    let good = good();
    let blocks = good[bytes.byte() as usize % good.len()].clone();
    let writes = bytes.byte() % 24;
    let restless = bytes.byte() & 1 != 0;
    let owner = Owner {
        blocks: RefCell::new(blocks),
        bytes: RefCell::new(bytes),
        limit: Cell::new(1),
        restless,
    };
    (0..writes).for_each(|_| owner.write());
    let mut reader = Reader {
        owner: &owner,
        wrong: 0,
    };
    reader.all();
    reader.wrong
}

struct Reader<'a, 'b> {
    owner: &'a Owner<'b>,
    wrong: u64,
}

type Open<'a, 'b> = Tree<&'a Owner<'b>>;

impl<'a, 'b> Reader<'a, 'b> {
    /// Counts what is wrong, and takes what is not.
    fn right<T>(&mut self, result: Result<T, Fault<()>>) -> Option<T> {
        self.wrong += u64::from(result.is_err());
        result.ok()
    }

    fn all(&mut self) {
        let tree = Tree::open(self.owner);
        let Some(tree) = self.right(tree) else {
            return;
        };
        self.owner.limit.set(tree.layout().blocks());
        // As an export handle has it: any number.
        let number = self.owner.bytes.borrow_mut().like(ROOT);
        if let Some(Some(inode)) = self.right(tree.inode(number)) {
            self.inode(&tree, number, &inode);
        }
        let Some(Some(root)) = self.right(tree.inode(ROOT)) else {
            return;
        };
        let mut waiting = vec![(ROOT, root)];
        let mut entered = HashSet::new();
        while let Some((number, inode)) = waiting.pop() {
            if entered.len() == LOOKS {
                break;
            }
            // A directory is entered once: there are no circles.
            if inode.kind() == Some(Kind::Directory) {
                assert!(entered.insert(number) || self.owner.restless);
            }
            self.inode(&tree, number, &inode);
            waiting.extend(self.directory(&tree, number, &inode));
        }
    }

    fn directory(&mut self, tree: &Open<'a, 'b>, number: u32, inode: &Inode) -> Vec<(u32, Inode)> {
        let mut name = Name::new();
        let mut below = Vec::new();
        let start = self.owner.bytes.borrow_mut().like(0).into();
        for at in (0..LOOKS as u64).chain(start..start + 3) {
            let entry = tree.read_directory(inode, at, &mut name);
            let Some(Some(entry)) = self.right(entry) else {
                continue;
            };
            assert!(names::is_file(name.bytes()) && at < inode.count.into());
            let found = tree.lookup(number, inode, name.bytes());
            let Some(Some((child, found))) = self.right(found) else {
                continue;
            };
            let same = child == entry.inode && found.kind() == Some(entry.kind);
            if !self.owner.restless && same {
                below.push((child, found));
            }
            if found.kind() == Some(Kind::Directory) {
                assert!(child > number && found.parent == number);
            }
        }
        // Names that are there twice, and entries that were looked at twice.
        below.sort_by_key(|&(child, _)| child);
        below.dedup_by_key(|&mut (child, _)| child);
        below
    }

    fn inode(&mut self, tree: &Open<'a, 'b>, number: u32, inode: &Inode) {
        let mut name = Name::new();
        if let Some((parent, _)) = self.right(tree.parent(inode)) {
            assert!(inode.kind() != Some(Kind::Directory) || parent < number || number == ROOT);
        }
        if let Some(()) = self.right(tree.own_name(number, inode, &mut name)) {
            assert!(names::is_file(name.bytes()));
        }
        let mut target = [0; TARGET_MAX];
        if let Some(Some(len)) = self.right(tree.target(inode, &mut target)) {
            assert!(len > 0 && !target[..len].contains(&0));
        }
        self.xattrs(tree, inode);
        self.content(tree, inode);
    }

    fn xattrs(&mut self, tree: &Open<'a, 'b>, inode: &Inode) {
        let mut name = Name::new();
        for at in 0..inode.xattrs.min(8) {
            if let Some(Some(xattr)) = self.right(tree.xattr(inode, at, &mut name)) {
                assert!(names::is_xattr(name.bytes()));
                let mut value = vec![0; xattr.value.len() as usize];
                self.right(tree.text(xattr.value, &mut value));
            }
            self.right(tree.find_xattr(inode, name.bytes()));
        }
        self.right(tree.find_xattr(inode, b"user.long"));
    }

    fn content(&mut self, tree: &Open<'a, 'b>, inode: &Inode) {
        let data = tree.layout().data();
        let mut at = 0;
        for step in 0..LOOKS as u64 {
            let run = tree.map(inode, at);
            match self.right(run) {
                Some(Some(run)) => {
                    assert!(run.count() > 0 && at + run.count() <= inode.file_blocks());
                    if let Run::Data { start, count } = run {
                        assert!(data.index(start).is_some());
                        assert!(data.index(start + (count - 1)).is_some());
                    }
                    at += run.count();
                }
                _ if step == 0 => at = u64::from(self.owner.bytes.borrow_mut().word()),
                _ => break,
            }
        }
    }
}
