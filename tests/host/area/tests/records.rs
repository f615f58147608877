// SPDX-License-Identifier: GPL-2.0

//! Records as bytes.

use proptest::prelude::*;
use shared_area::area::format::{
    Counts, Entry, Extent, Flaw, Inode, Kind, Layout, Stamp, Superblock, Xattr, FILE_BLOCKS_MAX,
    HEAD, ROOT,
};
use shared_area::area::tree::Run;

const COUNTS: Counts = Counts {
    inodes: 100,
    entries: 200,
    extents: 300,
    xattrs: 40,
    text: 3 * 4096,
    data: 500,
};

const KINDS: [Kind; 7] = [
    Kind::Fifo,
    Kind::CharDevice,
    Kind::Directory,
    Kind::BlockDevice,
    Kind::Regular,
    Kind::Link,
    Kind::Socket,
];

fn layout() -> Layout {
    Layout::new(COUNTS).unwrap()
}

/// A good inode of number 50.
fn inode(kind: Kind) -> Inode {
    let (size, first, count) = match kind {
        Kind::Regular => (1_000_000, 10, 20),
        Kind::Directory => (0, 30, 40),
        Kind::Link => (11, 5, 0),
        Kind::CharDevice | Kind::BlockDevice => (0, 8, 1),
        Kind::Fifo | Kind::Socket => (0, 0, 0),
    };
    Inode {
        mode: (u16::from(kind.number()) << 12) | 0o4755,
        xattrs: 2,
        uid: 1000,
        gid: 0,
        links: 3,
        size,
        modified: Stamp {
            seconds: -1,
            nanoseconds: 999_999_999,
        },
        first_xattr: 38,
        first,
        count,
        parent: 49,
        entry: 199,
        blocks: if kind == Kind::Regular { 245 } else { 0 },
    }
}

fn is_read(inode: &Inode, number: u32) -> bool {
    match Inode::decode(&inode.encode(), number, &layout()) {
        Ok(found) => {
            assert_eq!(found, *inode);
            true
        }
        Err(flaw) => {
            assert_eq!(flaw, Flaw::Inode);
            false
        }
    }
}

/// Whether the inode is refused once `spoil` has been there, and read without it.
fn is_spoiled(kind: Kind, spoil: impl FnOnce(&mut Inode)) -> bool {
    let mut inode = inode(kind);
    assert!(is_read(&inode, 50), "{kind:?}");
    spoil(&mut inode);
    !is_read(&inode, 50)
}

#[test]
fn inodes_of_all_kinds_have_bounds() {
    for kind in KINDS {
        assert_eq!(inode(kind).kind(), Some(kind));
        assert!(is_spoiled(kind, |inode| inode.mode &= 0xfff));
        assert!(is_spoiled(kind, |inode| inode.mode = 3 << 12));
        assert!(is_spoiled(kind, |inode| inode.uid = u32::MAX));
        assert!(is_spoiled(kind, |inode| inode.gid = u32::MAX));
        assert!(is_spoiled(kind, |inode| inode.links = 0));
        assert!(is_spoiled(kind, |inode| inode.modified.nanoseconds = 1_000_000_000));
        assert!(is_spoiled(kind, |inode| inode.xattrs = 3));
        assert!(is_spoiled(kind, |inode| inode.first_xattr = u32::MAX));
        assert!(is_spoiled(kind, |inode| inode.parent = 0));
        assert!(is_spoiled(kind, |inode| inode.parent = 101));
        assert!(is_spoiled(kind, |inode| inode.entry = 200));
        assert!(!is_spoiled(kind, |inode| inode.xattrs = 0));
        assert!(!is_spoiled(kind, |inode| inode.mode |= 0o7777));
        assert!(!is_spoiled(kind, |inode| inode.modified.seconds = i64::MIN));
    }
}

#[test]
fn kinds_have_bounds_of_their_own() {
    let file = Kind::Regular;
    assert!(is_spoiled(file, |inode| inode.first = 281));
    assert!(is_spoiled(file, |inode| inode.count = u32::MAX));
    assert!(is_spoiled(file, |inode| inode.blocks = 246));
    assert!(is_spoiled(file, |inode| inode.size = 1 << 63));
    assert!(!is_spoiled(file, |inode| inode.size = (1 << 63) - 1));
    assert!(!is_spoiled(file, |inode| inode.parent = 51));

    let directory = Kind::Directory;
    assert!(is_spoiled(directory, |inode| inode.first = 161));
    assert!(is_spoiled(directory, |inode| inode.size = 1));
    assert!(is_spoiled(directory, |inode| inode.blocks = 1));
    assert!(is_spoiled(directory, |inode| inode.parent = 50));
    assert!(is_spoiled(directory, |inode| inode.parent = 51));

    let link = Kind::Link;
    assert!(is_spoiled(link, |inode| inode.size = 0));
    assert!(is_spoiled(link, |inode| inode.size = 4092));
    assert!(!is_spoiled(link, |inode| inode.size = 4091));
    assert!(is_spoiled(link, |inode| (inode.first, inode.size) = (4096, 4096)));
    assert!(is_spoiled(link, |inode| inode.first = 3 * 4096));
    assert!(is_spoiled(link, |inode| inode.size = 1 << 32));
    assert!(is_spoiled(link, |inode| inode.count = 1));

    let device = Kind::BlockDevice;
    assert!(is_spoiled(device, |inode| inode.first = 1 << 12));
    assert!(is_spoiled(device, |inode| inode.count = 1 << 20));
    assert!(is_spoiled(device, |inode| inode.size = 1));
    assert!(!is_spoiled(device, |inode| inode.count = (1 << 20) - 1));

    assert!(is_spoiled(Kind::Fifo, |inode| inode.first = 1));
    assert!(is_spoiled(Kind::Socket, |inode| inode.count = 1));
    assert!(is_spoiled(Kind::Fifo, |inode| inode.size = 1));
}

#[test]
fn the_root_is_in_itself() {
    let root = Inode {
        parent: ROOT,
        entry: 0,
        ..inode(Kind::Directory)
    };
    assert!(is_read(&root, ROOT));
    assert!(!is_read(&Inode { parent: 2, ..root }, ROOT));
    assert!(!is_read(&Inode { entry: 1, ..root }, ROOT));
    let file = Inode {
        parent: ROOT,
        entry: 0,
        ..inode(Kind::Regular)
    };
    assert!(!is_read(&file, ROOT) && is_read(&file, 2));
}

#[test]
fn links_have_targets() {
    let target = |inode: &Inode| inode.target(&layout()).map(|text| (text.at(), text.len()));
    assert_eq!(target(&inode(Kind::Link)), Some((5, 11)));
    assert_eq!(target(&inode(Kind::Directory)), None);
    assert_eq!(target(&inode(Kind::Regular)), None);
}

#[test]
fn superblocks_have_bounds() {
    let good = Superblock::new(layout(), 600, [7; 32]).unwrap().encode();
    let with = |at: usize, bytes: &[u8]| {
        let mut spoiled = good;
        spoiled[at..at + bytes.len()].copy_from_slice(bytes);
        Superblock::decode(&spoiled)
    };
    let read = with(0, b"P").unwrap();
    assert_eq!((read.referenced(), read.digest()), (600, &[7; 32]));
    assert_eq!(read.layout(), &layout());
    assert_eq!(with(0, b"p"), Err(Flaw::Magic));
    assert_eq!(with(8, &[2]), Err(Flaw::Version));
    assert_eq!(with(12, &[1]), Err(Flaw::Version));
    // One more block, inode, byte of text that needs a block, block of content.
    assert_eq!(with(16, &[good[16] ^ 1]), Err(Flaw::Size));
    assert_eq!(with(20, &[0; 4]), Err(Flaw::Size));
    assert_eq!(with(36, &[1, 0x30]), Err(Flaw::Size));
    assert_eq!(with(40, &[0xff; 4]), Err(Flaw::Size));
    assert_eq!(with(44, &[2]), Err(Flaw::Version));
    assert_eq!(with(55, &[1]), Err(Flaw::Size));
    assert_eq!(with(56, &[1]), Err(Flaw::Reserved));
    assert_eq!(with(127, &[1]), Err(Flaw::Reserved));
    assert_eq!(Superblock::decode(&good[..HEAD - 1]), Err(Flaw::Length));
    assert_eq!(Superblock::new(layout(), u64::MAX, [0; 32]), None);
}

#[test]
fn entries_have_bounds() {
    let read = |at: u32, inode: u32, rest: [u8; 8]| {
        let bytes = [&at.to_le_bytes()[..], &inode.to_le_bytes(), &rest].concat();
        Entry::decode(&bytes, &layout())
    };
    let good = read(4090, 100, [6, 8, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!((good.name.at(), good.name.len()), (4090, 6));
    assert_eq!((good.inode, good.kind), (100, Kind::Regular));
    for (at, inode, len, kind) in [
        (4090, 100, 0, 8),
        (4090, 100, 7, 8),
        (3 * 4096, 100, 1, 8),
        (4090, 0, 6, 8),
        (4090, 101, 6, 8),
        (4090, 100, 6, 0),
        (4090, 100, 6, 16),
    ] {
        assert_eq!(
            read(at, inode, [len, kind, 0, 0, 0, 0, 0, 0]),
            Err(Flaw::Entry)
        );
    }
    assert_eq!(read(0, 1, [1, 8, 0, 0, 0, 0, 0, 1]), Err(Flaw::Reserved));
    assert_eq!(
        Entry::decode(&good.encode()[..15], &layout()),
        Err(Flaw::Length)
    );
}

#[test]
fn extents_have_bounds() {
    let layout = layout();
    let data = layout.data();
    let end = data.first + data.blocks;
    let is_one = |at, count, start| Extent::new(at, count, start, &layout).is_some();
    assert!(is_one(0, 500, data.first) && is_one(FILE_BLOCKS_MAX - 1, 1, end - 1));
    assert!(!is_one(0, 0, data.first));
    assert!(!is_one(0, 501, data.first));
    assert!(!is_one(0, 1, data.first - 1));
    assert!(!is_one(0, 1, end));
    assert!(!is_one(0, u32::MAX, data.first));
    assert!(!is_one(FILE_BLOCKS_MAX, 1, data.first));
    assert!(!is_one(u64::MAX, 1, data.first));
}

#[test]
fn attributes_have_bounds() {
    let read = |name_at: u32, value_at: u32, value_len: u32, rest: [u8; 4]| {
        let words = [name_at, value_at, value_len].map(u32::to_le_bytes);
        Xattr::decode(&[words.as_flattened(), &rest].concat(), &layout())
    };
    let good = read(4090, 4000, 8288, [6, 0, 0, 0]).unwrap();
    assert_eq!((good.name.len(), good.value.len()), (6, 8288));
    assert!(read(0, 3 * 4096, 0, [1, 0, 0, 0]).is_ok());
    assert_eq!(read(4090, 0, 0, [7, 0, 0, 0]), Err(Flaw::Xattr));
    assert_eq!(read(4090, 0, 0, [0, 0, 0, 0]), Err(Flaw::Xattr));
    assert_eq!(read(4090, 4000, 8289, [6, 0, 0, 0]), Err(Flaw::Xattr));
    assert_eq!(read(4090, 0, 0, [6, 0, 0, 1]), Err(Flaw::Reserved));

    let wide = Layout::new(Counts {
        text: 1 << 20,
        ..COUNTS
    });
    let read = |len: u32| {
        let words = [0, 0, len, 1].map(u32::to_le_bytes);
        Xattr::decode(words.as_flattened(), &wide.unwrap()).is_ok()
    };
    assert!(read(65536) && !read(65537));
}

/// Bytes that are often nearly right.
fn bytes(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0), 0..16u8, any::<u8>()], len)
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_none(inode in bytes(64), small in bytes(16), number in 1..=100u32) {
        let layout = layout();
        if let Ok(found) = Inode::decode(&inode, number, &layout) {
            prop_assert_eq!(&found.encode()[..], &inode[..]);
        }
        if let Ok(found) = Entry::decode(&small, &layout) {
            prop_assert_eq!(&found.encode()[..], &small[..]);
        }
        if let Ok(found) = Extent::decode(&small, &layout) {
            prop_assert_eq!(&found.encode()[..], &small[..]);
        }
        if let Ok(found) = Xattr::decode(&small, &layout) {
            prop_assert_eq!(&found.encode()[..], &small[..]);
        }
    }

    #[test]
    fn extents_are_read_as_they_were_meant(at in 0..FILE_BLOCKS_MAX, count in 1..500u32, skip in 0..500u32) {
        let layout = layout();
        let start = layout.data().first + skip;
        let fits = skip + count <= 500 && at + u64::from(count) <= FILE_BLOCKS_MAX;
        let extent = Extent::new(at, count, start, &layout);
        prop_assert_eq!(extent.is_some(), fits);
        if let Some(extent) = extent {
            prop_assert_eq!(Extent::decode(&extent.encode(), &layout), Ok(extent));
            prop_assert_eq!((extent.at(), extent.count(), extent.start()), (at, count, start));
            prop_assert_eq!(extent.end(), at + u64::from(count));
        }
    }
}

#[test]
fn a_run_begins_anywhere_in_an_extent() {
    let layout = layout();
    let start = layout.data().first;
    // Of 1 000 000 bytes: 245 blocks.
    let file = inode(Kind::Regular);
    let extent = Extent::new(235, 20, start + 3, &layout).unwrap();
    for block in 230..260 {
        let run = Run::within(&extent, &file, block);
        let wanted = (235..245).contains(&block).then(|| Run::Data {
            start: start + 3 + (block - 235) as u32,
            count: (245 - block) as u32,
        });
        assert_eq!(run, wanted, "{block}");
    }
    let short = Extent::new(1, 2, start, &layout).unwrap();
    assert_eq!(
        Run::within(&short, &file, 2).map(|run| run.count()),
        Some(1)
    );
    assert_eq!(Run::within(&short, &file, 3), None);
}
