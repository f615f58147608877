// SPDX-License-Identifier: GPL-2.0

//! Trees that nobody would make: what readers say of each.

use pageshare::area::format::{Entry, Extent, Flaw, Inode, Kind, ROOT, TARGET_MAX};
use pageshare::area::tree::{Blocks, Fault, Name, Run, Tree};
use pageshare::{Attributes, Block, Content, File, Files, What, pack};

/// All blocks of a tree.
struct Spoiled(Vec<Block>);

impl Blocks for &Spoiled {
    type Error = ();

    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> Result<(), ()> {
        let block = self.0.get(block as usize).ok_or(())?;
        to.copy_from_slice(&block[offset..offset + to.len()]);
        Ok(())
    }
}

fn file(what: What) -> File {
    File {
        attributes: Attributes::default(),
        what,
    }
}

fn directory(names: &[(&str, usize)]) -> File {
    let bytes = |&(name, id): &(&str, usize)| (name.as_bytes().to_vec(), id);
    file(What::Directory(names.iter().map(bytes).collect()))
}

/// `/a/b/c`, `/file` and `/link`, with the numbers 2, 5, 6, 3 and 4.
fn tree() -> Spoiled {
    // Blocks 1, 2, none, 1, 2.
    let content: Vec<u8> = [1, 2, 0, 1, 2].map(|byte| [byte; 4096]).concat();
    let image = pack(Files(vec![
        directory(&[("a", 1), ("file", 4), ("link", 5)]),
        directory(&[("b", 2)]),
        directory(&[("c", 3)]),
        directory(&[]),
        file(What::Regular(Box::new(content) as Box<dyn Content>)),
        file(What::Link(b"a/b".to_vec())),
    ]))
    .unwrap();
    let all = 0..image.superblock().layout().blocks();
    Spoiled(all.map(|block| image.block(block).unwrap()).collect())
}

impl Spoiled {
    fn open(&self) -> Tree<&Self> {
        Tree::open(self).unwrap()
    }

    fn bytes(&mut self, place: Option<(u32, usize)>, bytes: &[u8]) {
        let (block, offset) = place.unwrap();
        self.0[block as usize][offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn inode(&self, number: u32) -> Inode {
        self.open().inode(number).unwrap().unwrap()
    }

    fn set_inode(&mut self, number: u32, change: impl FnOnce(&mut Inode)) {
        let mut inode = self.inode(number);
        change(&mut inode);
        let place = self.open().layout().inode(number);
        self.bytes(place, &inode.encode());
    }

    fn set_entry(&mut self, index: u32, change: impl FnOnce(&mut Entry)) {
        let layout = *self.open().layout();
        let (block, offset) = layout.entry(index).unwrap();
        let record = &self.0[block as usize][offset..offset + Entry::SIZE];
        let mut entry = Entry::decode(record, &layout).unwrap();
        change(&mut entry);
        self.bytes(layout.entry(index), &entry.encode());
    }

    fn lookup(&self, directory: u32, name: &str) -> Result<Option<u32>, Fault<()>> {
        let inode = self.inode(directory);
        let found = self.open().lookup(directory, &inode, name.as_bytes())?;
        Ok(found.map(|(number, _)| number))
    }
}

#[test]
fn the_tree_is_as_it_is_said_to_be() {
    let tree = tree();
    let numbers = [
        (1, "a", 2),
        (2, "b", 5),
        (5, "c", 6),
        (1, "file", 3),
        (1, "link", 4),
    ];
    for (directory, name, number) in numbers {
        assert_eq!(tree.lookup(directory, name), Ok(Some(number)), "{name}");
    }
    // What is no directory has no names.
    assert_eq!(tree.lookup(3, "a"), Ok(None));
}

#[test]
fn a_directory_has_one_name() {
    let alias = Err(Fault::Flaw(Flaw::Alias));
    let enter = |index: u32, inode: u32| {
        let mut tree = tree();
        tree.set_entry(index, |entry| {
            entry.inode = inode;
            entry.kind = Kind::Directory;
        });
        tree
    };
    // The root in itself, by the entry that it says to have, and by another one.
    assert_eq!(enter(0, ROOT).lookup(ROOT, "a"), alias);
    assert_eq!(enter(1, ROOT).lookup(ROOT, "file"), alias);
    // The same directory by a second name, there or elsewhere, and by one of its own below it.
    let mut twice = enter(1, 2);
    assert_eq!(twice.lookup(ROOT, "file"), alias);
    assert_eq!(twice.lookup(ROOT, "a"), Ok(Some(2)));
    assert_eq!(enter(1, 6).lookup(ROOT, "file"), alias);
    assert_eq!(enter(3, 2).lookup(2, "b"), alias);
    // By an entry for something else.
    twice.set_entry(1, |entry| entry.kind = Kind::Regular);
    assert_eq!(twice.lookup(ROOT, "file"), alias);
    // It moved: one name again, but another one.
    twice.set_entry(1, |entry| entry.kind = Kind::Directory);
    twice.set_inode(2, |inode| inode.entry = 1);
    assert_eq!(twice.lookup(ROOT, "file"), Ok(Some(2)));
    assert_eq!(twice.lookup(ROOT, "a"), alias);
}

#[test]
fn an_inode_knows_where_it_is() {
    let own_name = |tree: &Spoiled, number: u32| {
        let mut name = Name::new();
        let inode = tree.inode(number);
        let found = tree.open().own_name(number, &inode, &mut name);
        found.map(|()| name.bytes().to_vec())
    };
    let flaw = Err(Fault::Flaw(Flaw::Inode));
    let mut tree = tree();
    assert_eq!(own_name(&tree, 5), Ok(b"b".to_vec()));
    assert_eq!(own_name(&tree, ROOT), flaw);
    // An entry that is another's, one that is elsewhere, a parent that is no directory.
    tree.set_inode(5, |inode| inode.entry = 4);
    assert_eq!(own_name(&tree, 5), flaw);
    tree.set_inode(5, |inode| (inode.entry, inode.parent) = (3, ROOT));
    assert_eq!(own_name(&tree, 5), flaw);
    tree.set_inode(5, |inode| inode.parent = 3);
    assert_eq!(own_name(&tree, 5), flaw);
    let inode = tree.inode(5);
    assert!(matches!(
        tree.open().parent(&inode),
        Err(Fault::Flaw(Flaw::Inode))
    ));
}

#[test]
fn names_are_names() {
    for name in [b"fi/e", b"fi\0e"] {
        let mut tree = tree();
        let layout = *tree.open().layout();
        // Of five names `file` is the second: its text follows that of the first.
        tree.bytes(layout.text(1), name);
        let root = tree.inode(ROOT);
        let found = tree.open().read_directory(&root, 1, &mut Name::new());
        assert_eq!(found, Err(Fault::Flaw(Flaw::Name)));
        assert_eq!(tree.lookup(ROOT, "file"), Err(Fault::Flaw(Flaw::Name)));
    }
    let mut tree = tree();
    let link = tree.inode(4);
    let layout = *tree.open().layout();
    tree.bytes(layout.text(link.first), b"a\0b");
    let target = tree.open().target(&link, &mut [0; TARGET_MAX]);
    assert_eq!(target, Err(Fault::Flaw(Flaw::Name)));
}

#[test]
fn runs_end_with_their_file() {
    let mut tree = tree();
    let file = tree.inode(3);
    let layout = *tree.open().layout();
    let start = layout.data().first;
    let runs = |tree: &Spoiled, at| tree.open().map(&tree.inode(3), at);
    let data = |start, count| Ok(Some(Run::Data { start, count }));
    assert_eq!(file.count, 2);
    assert_eq!(runs(&tree, 0), data(start, 2));
    assert_eq!(runs(&tree, 1), data(start + 1, 1));
    assert_eq!(runs(&tree, 2), Ok(Some(Run::Hole(1))));
    assert_eq!(runs(&tree, 3), data(start, 2));
    assert_eq!(runs(&tree, 5), Ok(None));
    // The file ends before its last run does, and before its hole.
    tree.set_inode(3, |inode| (inode.size, inode.blocks) = (4 * 4096 - 1, 3));
    assert_eq!(runs(&tree, 3), data(start, 1));
    tree.set_inode(3, |inode| (inode.size, inode.blocks) = (3 * 4096, 2));
    assert_eq!(runs(&tree, 2), Ok(Some(Run::Hole(1))));
    tree.set_inode(3, |inode| inode.size = i64::MAX as u64);
    assert_eq!(runs(&tree, 5), Ok(Some(Run::Hole((1 << 51) - 5))));
    // Runs that are out of order: some are not found, and nothing else happens.
    let far = Extent::new(1 << 40, 1, start, &layout).unwrap();
    tree.bytes(layout.extent(file.first), &far.encode());
    assert_eq!(runs(&tree, 3), data(start, 2));
    assert_eq!(runs(&tree, 0), Ok(Some(Run::Hole(3))));
}
