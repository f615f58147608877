// SPDX-License-Identifier: GPL-2.0

//! Trees of any files.

mod common;

use common::assert_same;
use pageshare::area::format::Stamp;
use pageshare::{Attributes, Block, Content, File, Files, NodeId, What, check, pack};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A file in memory: each block of content has one byte all over.
#[derive(Clone, Debug)]
struct Patterns {
    size: u64,
    blocks: BTreeMap<u64, u8>,
}

impl Content for Patterns {
    fn size(&self) -> u64 {
        self.size
    }

    fn blocks(
        &self,
        take: &mut dyn FnMut(u64, &Block) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for &at in self
            .blocks
            .keys()
            .filter(|&&at| at < self.size.div_ceil(4096))
        {
            take(at, &self.block(at)?)?;
        }
        Ok(())
    }

    fn block(&self, index: u64) -> anyhow::Result<Block> {
        let mut block = [0; 4096];
        let len = (self.size - index * 4096).min(4096) as usize;
        block[..len].fill(self.blocks.get(&index).copied().unwrap_or(0));
        Ok(block)
    }
}

#[derive(Clone, Debug)]
enum Model {
    Directory(BTreeMap<Vec<u8>, Node>),
    Regular(Patterns),
    Link(Vec<u8>),
    Device(bool, u32, u32),
    Fifo,
    Socket,
}

#[derive(Clone, Debug)]
struct Node {
    attributes: Attributes,
    model: Model,
}

/// A tree, and more names for some of its files: in which directory, and for what.
#[derive(Clone, Debug)]
struct Forest {
    root: Node,
    more: Vec<(prop::sample::Index, Vec<u8>, prop::sample::Index)>,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![b'a'..=b'd', any::<u8>()]
        .prop_map(|byte| if matches!(byte, 0 | b'/') { b'x' } else { byte });
    let bytes = prop_oneof![9 => vec(byte, 1..6), 1 => vec(b'a'..=b'b', 250..=255)];
    bytes.prop_filter("no name", |name| name != b"." && name != b"..")
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let value = prop_oneof![vec(any::<u8>(), 0..9), Just(vec![7; 9000])];
    let xattrs = prop_oneof![
        3 => Just(BTreeMap::new()),
        1 => btree_map(name(), value, 1..4),
    ];
    let stamp = (any::<i64>(), 0..1_000_000_000u32);
    (0..0o10000u16, any::<[u16; 2]>(), stamp, xattrs).prop_map(
        |(permissions, [uid, gid], (seconds, nanoseconds), xattrs)| Attributes {
            permissions,
            uid: uid.into(),
            gid: gid.into(),
            modified: Stamp {
                seconds,
                nanoseconds,
            },
            xattrs,
        },
    )
}

fn regular() -> impl Strategy<Value = Patterns> {
    let at = prop_oneof![9 => 0..12u64, 1 => 0..1u64 << 51];
    let blocks = btree_map(at, 0..4u8, 0..12);
    (
        blocks,
        prop_oneof![9 => 0..50_000u64, 1 => 0..=i64::MAX as u64],
    )
        .prop_map(|(blocks, size)| Patterns { size, blocks })
}

fn model() -> impl Strategy<Value = Node> {
    let target = prop_oneof![vec(1..=255u8, 1..20), vec(1..=255u8, 4000..=4095)];
    let leaf = prop_oneof![
        4 => regular().prop_map(Model::Regular),
        1 => target.prop_map(Model::Link),
        1 => (any::<bool>(), 0..4096u32, 0..1u32 << 20)
            .prop_map(|(block, major, minor)| Model::Device(block, major, minor)),
        1 => Just(Model::Fifo),
        1 => Just(Model::Socket),
    ];
    let node =
        |model| (attributes(), model).prop_map(|(attributes, model)| Node { attributes, model });
    node(leaf.boxed()).prop_recursive(4, 60, 8, move |below| {
        node(
            btree_map(name(), below, 0..8)
                .prop_map(Model::Directory)
                .boxed(),
        )
    })
}

fn forest() -> impl Strategy<Value = Forest> {
    let below = btree_map(name(), model(), 0..8).prop_map(Model::Directory);
    let root = (attributes(), below).prop_map(|(attributes, model)| Node { attributes, model });
    let more = vec(
        (
            any::<prop::sample::Index>(),
            name(),
            any::<prop::sample::Index>(),
        ),
        0..4,
    );
    (root, more).prop_map(|(root, more)| Forest { root, more })
}

impl Node {
    fn put(&self, files: &mut Vec<File>) -> NodeId {
        let id = files.len();
        files.push(File {
            attributes: self.attributes.clone(),
            what: What::Fifo,
        });
        files[id].what = match &self.model {
            Model::Directory(names) => {
                let put = |(name, node): (&Vec<u8>, &Node)| (name.clone(), node.put(files));
                What::Directory(names.iter().map(put).collect())
            }
            Model::Regular(patterns) => What::Regular(Box::new(patterns.clone())),
            Model::Link(target) => What::Link(target.clone()),
            &Model::Device(block, major, minor) => What::Device {
                block,
                major,
                minor,
            },
            Model::Fifo => What::Fifo,
            Model::Socket => What::Socket,
        };
        id
    }
}

impl Forest {
    fn files(&self) -> Files {
        let mut files = Vec::new();
        self.root.put(&mut files);
        let is_directory = |&id: &NodeId| matches!(files[id].what, What::Directory(_));
        let (directories, others): (Vec<_>, Vec<_>) = (0..files.len()).partition(is_directory);
        for (directory, name, target) in &self.more {
            if others.is_empty() {
                break;
            }
            let directory = directories[directory.index(directories.len())];
            if let What::Directory(names) = &mut files[directory].what {
                let target = others[target.index(others.len())];
                names.entry(name.clone()).or_insert(target);
            }
        }
        Files(files)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn trees_have_the_files_that_they_were_made_of(forest in forest()) {
        let image = pack(forest.files()).unwrap();
        assert_same(&forest.files(), &image);
        let summary = check(&image, image.digest()).unwrap();
        prop_assert_eq!(summary.referenced, image.superblock().referenced());
        prop_assert_eq!(summary.unique, image.digests().count() as u64);
        // The same files, the same bytes.
        let again = pack(forest.files()).unwrap();
        prop_assert_eq!(image.digest(), again.digest());
    }

    #[test]
    fn each_byte_is_under_the_digest(forest in forest(), at: prop::sample::Index, bit in 0..8u32) {
        let image = pack(forest.files()).unwrap();
        let mut blocks = image.metadata().to_vec();
        let at = at.index(blocks.len() * 4096);
        blocks[at / 4096][at % 4096] ^= 1 << bit;
        let spoiled = Spoiled { image: &image, blocks };
        prop_assert!(check(spoiled, image.digest()).is_err());
    }
}

/// A tree of which a byte has changed.
struct Spoiled<'a> {
    image: &'a pageshare::Image,
    blocks: Vec<Block>,
}

impl pageshare::area::tree::Blocks for Spoiled<'_> {
    type Error = anyhow::Error;

    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> anyhow::Result<()> {
        let bytes = match self.blocks.get(block as usize) {
            Some(block) => *block,
            None => self.image.block(block)?,
        };
        to.copy_from_slice(&bytes[offset..offset + to.len()]);
        Ok(())
    }
}

fn directory(names: &[(&[u8], NodeId)]) -> File {
    File {
        attributes: Attributes::default(),
        what: What::Directory(
            names
                .iter()
                .map(|&(name, id)| (name.to_vec(), id))
                .collect(),
        ),
    }
}

fn regular_file(size: u64, blocks: &[(u64, u8)]) -> File {
    File {
        attributes: Attributes::default(),
        what: What::Regular(Box::new(Patterns {
            size,
            blocks: blocks.iter().copied().collect(),
        })),
    }
}

#[test]
fn equal_blocks_are_there_once() {
    let files = || {
        Files(vec![
            directory(&[(b"a", 1), (b"b", 2), (b"c", 3)]),
            regular_file(5 * 4096, &[(0, 1), (1, 2), (3, 0), (4, 1)]),
            regular_file(2 * 4096, &[(0, 1), (1, 2)]),
            // Half a block of what is whole elsewhere is another block.
            regular_file(4096 + 2048, &[(0, 2), (1, 1)]),
        ])
    };
    let image = pack(files()).unwrap();
    assert_same(&files(), &image);
    assert_eq!(image.superblock().referenced(), 7);
    assert_eq!(image.digests().count(), 3);
    assert_eq!(image.zeroes(), 1);
    let extents = image.superblock().layout().counts().extents;
    // 1 2 | 1, 1 2, 2 1'
    assert_eq!(extents, 2 + 1 + 1);
}

#[test]
fn impossible_files_are_refused() {
    let refused = |files: Vec<File>| pack(Files(files)).err().map(|error| error.to_string());
    assert!(refused(vec![directory(&[])]).is_none());
    for name in [&b"."[..], b"..", b"a/b", b"a\0"] {
        let found = refused(vec![directory(&[(name, 1)]), regular_file(0, &[])]);
        assert!(found.unwrap().contains("cannot be named"));
    }
    let twice = refused(vec![directory(&[(b"a", 1), (b"b", 1)]), directory(&[])]);
    assert_eq!(twice.unwrap(), "a directory with two names");
    let circle = refused(vec![directory(&[(b"a", 0)])]);
    assert_eq!(circle.unwrap(), "a directory with two names");
    let huge = refused(vec![directory(&[(b"a", 1)]), regular_file(1 << 63, &[])]);
    assert!(huge.unwrap().contains("impossible values"));
}
