// SPDX-License-Identifier: GPL-2.0

//! What `stat(2)` tells of a file, and where the rest of it is.

use super::{
    extent::FILE_BLOCKS_MAX,
    fields::{
        Reader,
        Writer, //
    },
    layout::within,
    Flaw,
    Layout,
    Text,
    BLOCK,
    TARGET_MAX, //
};

/// The number of the inode of a tree's root.
pub const ROOT: u32 = 1;

/// First major number of a device that is none: `MAJOR()` in `include/linux/kdev_t.h`.
const MAJOR_END: u32 = 1 << 12;

/// First minor number of a device that is none.
const MINOR_END: u32 = 1 << 20;

/// The kinds of files, with the numbers that `readdir(3)` has for them (`DT_REG`); those of a mode
/// are 4096 times as large (`S_IFREG`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A FIFO.
    Fifo = 1,
    /// A character device.
    CharDevice = 2,
    /// A directory.
    Directory = 4,
    /// A block device.
    BlockDevice = 6,
    /// A regular file.
    Regular = 8,
    /// A symbolic link.
    Link = 10,
    /// A socket.
    Socket = 12,
}

impl Kind {
    /// Returns the kind with that number.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Kind::Fifo,
            2 => Kind::CharDevice,
            4 => Kind::Directory,
            6 => Kind::BlockDevice,
            8 => Kind::Regular,
            10 => Kind::Link,
            12 => Kind::Socket,
            _ => return None,
        })
    }

    /// Returns the kind's number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// A time since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, fewer than 10^9.
    pub nanoseconds: u32,
}

/// An inode.
///
/// `first` and `count` say where the rest is. By kind:
///
/// | kind | `first` | `count` |
/// |---|---|---|
/// | regular file | its first extent | its extents |
/// | directory | its first entry | its entries |
/// | symbolic link | where its target is in the text | 0 |
/// | device | its major number | its minor number |
/// | other | 0 | 0 |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Its kind, and its permissions.
    pub mode: u16,
    /// How many extended attributes it has.
    pub xattrs: u16,
    /// Who owns it.
    pub uid: u32,
    /// Which group it belongs to.
    pub gid: u32,
    /// How many names it has.
    pub links: u32,
    /// Bytes of a file, or of a link's target.
    pub size: u64,
    /// When its content was changed last.
    pub modified: Stamp,
    /// Its first extended attribute.
    pub first_xattr: u32,
    /// See above.
    pub first: u32,
    /// See above.
    pub count: u32,
    /// The number of a directory that it is in; of one that has a smaller number, if it is a
    /// directory itself. The root is its own parent.
    pub parent: u32,
    /// Which entry of that directory it has: an index among all entries. 0 for the root.
    pub entry: u32,
    /// Blocks of content of a regular file, without holes.
    pub blocks: u64,
}

impl Inode {
    /// Bytes of the record.
    pub const SIZE: usize = 64;

    /// Returns what kind of file it is.
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_number((self.mode >> 12) as u8)
    }

    /// Returns the record.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        Writer::new()
            .put(&self.mode.to_le_bytes())
            .put(&self.xattrs.to_le_bytes())
            .put(&self.uid.to_le_bytes())
            .put(&self.gid.to_le_bytes())
            .put(&self.links.to_le_bytes())
            .put(&self.size.to_le_bytes())
            .put(&self.modified.seconds.to_le_bytes())
            .put(&self.modified.nanoseconds.to_le_bytes())
            .put(&self.first_xattr.to_le_bytes())
            .put(&self.first.to_le_bytes())
            .put(&self.count.to_le_bytes())
            .put(&self.parent.to_le_bytes())
            .put(&self.entry.to_le_bytes())
            .put(&self.blocks.to_le_bytes())
            .done()
    }

    /// Returns the inode that the bytes mean, which is the one with that number.
    pub fn decode(bytes: &[u8], number: u32, layout: &Layout) -> Result<Self, Flaw> {
        let mut fields = Reader::new(bytes);
        let inode = Self {
            mode: fields.u16()?,
            xattrs: fields.u16()?,
            uid: fields.u32()?,
            gid: fields.u32()?,
            links: fields.u32()?,
            size: fields.u64()?,
            modified: Stamp {
                seconds: i64::from_le_bytes(fields.bytes()?),
                nanoseconds: fields.u32()?,
            },
            first_xattr: fields.u32()?,
            first: fields.u32()?,
            count: fields.u32()?,
            parent: fields.u32()?,
            entry: fields.u32()?,
            blocks: fields.u64()?,
        };
        if inode.is_sound(number, layout) {
            Ok(inode)
        } else {
            Err(Flaw::Inode)
        }
    }

    /// Whether all values are in their ranges.
    fn is_sound(&self, number: u32, layout: &Layout) -> bool {
        let counts = layout.counts();
        let Some(kind) = self.kind() else {
            return false;
        };

        // -1 is nobody: `uid_valid()` in `include/linux/uidgid.h`.
        self.uid != u32::MAX
            && self.gid != u32::MAX
            && self.links > 0
            && self.modified.nanoseconds < 1_000_000_000
            && within(self.first_xattr, self.xattrs.into(), counts.xattrs)
            && self.stands_somewhere(number, kind, layout)
            && match kind {
                Kind::Regular => {
                    self.size <= i64::MAX as u64
                        && self.blocks <= self.file_blocks()
                        && within(self.first, self.count, counts.extents)
                }
                _ if self.blocks != 0 => false,
                Kind::Directory => self.size == 0 && within(self.first, self.count, counts.entries),
                Kind::Link => self.count == 0 && self.target(layout).is_some(),
                Kind::CharDevice | Kind::BlockDevice => {
                    self.size == 0 && self.first < MAJOR_END && self.count < MINOR_END
                }
                Kind::Fifo | Kind::Socket => {
                    [self.size, self.first.into(), self.count.into()] == [0; 3]
                }
            }
    }

    /// Whether it can have the parent that it says. As each directory has a larger number than the
    /// one that it is in, there are no circles.
    fn stands_somewhere(&self, number: u32, kind: Kind, layout: &Layout) -> bool {
        if number == ROOT {
            return kind == Kind::Directory && [self.parent, self.entry] == [ROOT, 0];
        }
        layout.inode(self.parent).is_some()
            && layout.entry(self.entry).is_some()
            && (kind != Kind::Directory || self.parent < number)
    }

    /// Returns how many blocks a regular file has, holes among them.
    pub const fn file_blocks(&self) -> u64 {
        self.size.div_ceil(BLOCK as u64)
    }

    /// Returns where a link's target is. [`None`] if it is no link, or has none.
    pub fn target(&self, layout: &Layout) -> Option<Text> {
        let len = u32::try_from(self.size).ok()?;
        let fits = (1..=TARGET_MAX).contains(&(len as usize)) && self.kind() == Some(Kind::Link);

        layout.short_run(self.first, len).filter(|_| fits)
    }
}

const _: () = assert!(FILE_BLOCKS_MAX == 1 << 51);
