// SPDX-License-Identifier: GPL-2.0

//! Whether a tree has the files that it was made of, by all the ways that readers have.

use pageshare::area::format::{Inode, Kind, ROOT, TARGET_MAX};
use pageshare::area::tree::{Name, Run, Tree};
use pageshare::{Content, Files, Image, NodeId, What};
use std::collections::{BTreeMap, HashMap};

struct Compared<'a> {
    files: &'a Files,
    image: &'a Image,
    tree: Tree<&'a Image>,
    numbers: HashMap<NodeId, u32>,
}

/// Panics where a tree is not the files.
pub fn assert_same(files: &Files, image: &Image) {
    let mut compared = Compared {
        files,
        image,
        tree: Tree::open(image).unwrap(),
        numbers: HashMap::new(),
    };
    let root = compared.tree.inode(ROOT).unwrap().unwrap();
    compared.file(0, ROOT, &root);
    let mut numbers: Vec<_> = compared.numbers.values().copied().collect();
    numbers.sort_unstable();
    let inodes = compared.tree.layout().counts().inodes;
    assert!(numbers.into_iter().eq(1..=inodes));
    assert!(compared.tree.inode(0).unwrap().is_none());
    assert!(compared.tree.inode(inodes + 1).unwrap().is_none());
}

impl Compared<'_> {
    fn file(&mut self, id: NodeId, number: u32, inode: &Inode) {
        // Another name of the same file leads to the same inode.
        if let Some(known) = self.numbers.insert(id, number) {
            assert_eq!(known, number);
            return;
        }
        assert_eq!(self.tree.inode(number).unwrap(), Some(*inode));
        let file = &self.files.0[id];
        let attributes = &file.attributes;
        assert_eq!(inode.kind(), Some(file.what.kind()));
        assert_eq!(inode.mode & 0o7777, attributes.permissions);
        assert_eq!([inode.uid, inode.gid], [attributes.uid, attributes.gid]);
        assert_eq!(inode.modified, attributes.modified);
        self.xattrs(inode, &attributes.xattrs);
        let mut target = [0; TARGET_MAX];
        let len = self.tree.target(inode, &mut target).unwrap();
        let target = len.map(|len| &target[..len]);
        match &file.what {
            What::Directory(names) => self.directory(number, inode, names),
            What::Regular(content) => self.content(inode, content.as_ref()),
            What::Link(text) => assert_eq!(target, Some(&text[..])),
            What::Device { major, minor, .. } => {
                assert_eq!([inode.first, inode.count], [*major, *minor]);
            }
            What::Fifo | What::Socket => (),
        }
        if file.what.kind() != Kind::Link {
            assert_eq!(target, None);
        }
        if file.what.kind() != Kind::Regular {
            assert_eq!(self.tree.map(inode, 0).unwrap(), None);
        }
    }

    fn directory(&mut self, number: u32, inode: &Inode, names: &BTreeMap<Vec<u8>, NodeId>) {
        let mut name = Name::new();
        let mut subdirectories = 0;
        for (at, (expected, &id)) in (0..).zip(names) {
            let entry = self.tree.read_directory(inode, at, &mut name).unwrap();
            let entry = entry.unwrap();
            assert_eq!(name.bytes(), expected);
            let (child, found) = self.tree.lookup(number, inode, expected).unwrap().unwrap();
            assert_eq!((entry.inode, Some(entry.kind)), (child, found.kind()));
            let absent = [&expected[..], &[1]].concat();
            if !names.contains_key(&absent) {
                assert!(self.tree.lookup(number, inode, &absent).unwrap().is_none());
            }
            if entry.kind == Kind::Directory {
                subdirectories += 1;
                let (parent, back) = self.tree.parent(&found).unwrap();
                assert_eq!((parent, back), (number, *inode));
                self.tree.own_name(child, &found, &mut name).unwrap();
                assert_eq!(name.bytes(), expected);
            }
            self.file(id, child, &found);
        }
        assert_eq!(inode.links, 2 + subdirectories);
        let end = names.len() as u64;
        for at in [end, end + 1, u64::MAX] {
            assert!(
                self.tree
                    .read_directory(inode, at, &mut name)
                    .unwrap()
                    .is_none()
            );
        }
        for absent in [&b""[..], b"\xff\xff", b"\x01"] {
            if !names.contains_key(absent) {
                assert!(self.tree.lookup(number, inode, absent).unwrap().is_none());
            }
        }
    }

    fn xattrs(&self, inode: &Inode, expected: &BTreeMap<Vec<u8>, Vec<u8>>) {
        let mut name = Name::new();
        for (at, (key, value)) in (0..).zip(expected) {
            let xattr = self.tree.xattr(inode, at, &mut name).unwrap().unwrap();
            assert_eq!(name.bytes(), key);
            let found = self.tree.find_xattr(inode, key).unwrap();
            assert_eq!(found, Some(xattr.value));
            let mut bytes = vec![0; xattr.value.len() as usize];
            self.tree.text(xattr.value, &mut bytes).unwrap();
            assert_eq!(&bytes, value);
        }
        let end = expected.len() as u16;
        assert!(self.tree.xattr(inode, end, &mut name).unwrap().is_none());
        assert!(
            self.tree
                .find_xattr(inode, b"user.absent")
                .unwrap()
                .is_none()
        );
    }

    fn content(&self, inode: &Inode, content: &dyn Content) {
        assert_eq!(inode.size, content.size());
        let mut expected = BTreeMap::new();
        let mut keep = |at, block: &[u8; 4096]| {
            if *block != [0; 4096] {
                expected.insert(at, *block);
            }
            Ok(())
        };
        content.blocks(&mut keep).unwrap();
        assert_eq!(inode.blocks, expected.len() as u64);
        let mut at = 0;
        while let Some(run) = self.tree.map(inode, at).unwrap() {
            // From the middle of a run on, there is the rest of it.
            let middle = run.count() / 2;
            let rest = match run {
                Run::Hole(count) => Run::Hole(count - middle),
                Run::Data { start, count } => Run::Data {
                    start: start + middle as u32,
                    count: count - middle as u32,
                },
            };
            assert_eq!(self.tree.map(inode, at + middle).unwrap(), Some(rest));
            match run {
                Run::Hole(count) => assert!(expected.range(at..at + count).next().is_none()),
                Run::Data { start, count } => {
                    for index in 0..count {
                        let block = self.image.block(start + index).unwrap();
                        assert_eq!(expected.get(&(at + u64::from(index))), Some(&block));
                    }
                }
            }
            at += run.count();
        }
        assert_eq!(at, inode.size.div_ceil(4096));
        assert_eq!(self.tree.map(inode, u64::MAX).unwrap(), None);
    }
}
