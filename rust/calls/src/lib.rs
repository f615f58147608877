// SPDX-License-Identifier: GPL-2.0

//! What `/dev/pageshare` can be asked for, as `pageshare/uapi/pageshare.h` has it.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, Updater, ioctl, opcode};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

type Result<T> = std::result::Result<T, Errno>;

const VERSION: u32 = 1;
const MAGIC: u8 = 0xBE;

/// Bytes of a name, with at least one zero behind it.
pub const NAME: usize = 64;

/// Bytes of rules, at the most.
pub const RULES_MAX: usize = 4096;

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawArea {
    version: u32,
    pages: u32,
    name: Name,
    uuid: [u8; 16],
    grants: u32,
    trees: u32,
    referenced: u64,
    unique: u64,
    filled: u64,
    granted: u64,
    attached: u64,
    lent: u64,
    offered: u64,
    spare: u64,
    got: u64,
    read: u64,
    reserved: [u64; 2],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawTree {
    version: u32,
    file: u32,
    area: Name,
    name: Name,
    digest: [u8; 32],
    generation: u64,
    blocks: u64,
    attached: u64,
    reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawRules {
    version: u32,
    bytes: u32,
    area: Name,
    text: u64,
    reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawRemove {
    version: u32,
    reserved0: u32,
    area: Name,
    tree: Name,
    reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawWithdraw {
    version: u32,
    flags: u32,
    area: Name,
    tree: Name,
    freed: u64,
    holders: u32,
    holder: u32,
    reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawDisk {
    version: u32,
    owner: u32,
    area: Name,
    tree: Name,
    digest: [u8; 32],
    path: u64,
    path_bytes: u32,
    flags: u32,
    number: u32,
    reserved0: u32,
    sectors: u64,
    reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawMember {
    version: u32,
    domain: u32,
    number: u64,
    mounts: u64,
    granted: u64,
    pages: u64,
    reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawDetach {
    version: u32,
    number: u32,
    reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct RawOffers {
    version: u32,
    flags: u32,
    area: Name,
    pages: u64,
    reserved: [u64; 4],
}

/// In the flags of a disk: the tree is to have that digest.
const HAS_DIGEST: u32 = 1;

const CREATE: Opcode = opcode::write::<RawArea>(MAGIC, 0x20);
const NEXT_AREA: Opcode = opcode::read_write::<RawArea>(MAGIC, 0x21);
const ADD: Opcode = opcode::read_write::<RawTree>(MAGIC, 0x22);
const NEXT_TREE: Opcode = opcode::read_write::<RawTree>(MAGIC, 0x23);
const ALLOW: Opcode = opcode::write::<RawRules>(MAGIC, 0x24);
const RULES: Opcode = opcode::read_write::<RawRules>(MAGIC, 0x25);
const REMOVE: Opcode = opcode::write::<RawRemove>(MAGIC, 0x26);
const WITHDRAW: Opcode = opcode::read_write::<RawWithdraw>(MAGIC, 0x27);
const NEXT_MEMBER: Opcode = opcode::read_write::<RawMember>(MAGIC, 0x28);
const OFFERS: Opcode = opcode::write::<RawOffers>(MAGIC, 0x29);
const ATTACH: Opcode = opcode::read_write::<RawDisk>(MAGIC, 0x30);
const DETACH: Opcode = opcode::write::<RawDetach>(MAGIC, 0x31);

/// In the flags of what is withdrawn: nothing is to be had any more.
const RETIRE: u32 = 1;

/// In the flags of offers: an area takes them.
const TAKES: u32 = 1;

/// The name of an area or a tree, or none.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Name([u8; NAME]);

impl Default for Name {
    fn default() -> Self {
        Self([0; NAME])
    }
}

impl Name {
    /// Returns the name that a text is; [`None`] if it is too long. What else is wrong with it the
    /// module says.
    pub fn new(text: &str) -> Option<Self> {
        let mut name = Self::default();
        if text.len() >= NAME || text.contains('\0') {
            return None;
        }
        name.0[..text.len()].copy_from_slice(text.as_bytes());
        Some(name)
    }

    /// Returns the text.
    pub fn text(&self) -> String {
        let used = self.0.iter().take_while(|&&byte| byte != 0);
        used.map(|&byte| char::from(byte)).collect()
    }
}

/// What there is of an area.
#[derive(Clone, Copy)]
pub struct Area {
    /// Its name.
    pub name: Name,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// How many pages of different content it may have.
    pub pages: u32,
    /// How many pages all members together may have mapped.
    pub grants: u32,
    /// How many trees it has.
    pub trees: u32,
    /// Blocks of all trees, equal ones counted each time.
    pub referenced: u64,
    /// Pages of different content.
    pub unique: u64,
    /// Pages that have memory.
    pub filled: u64,
    /// Pages that members have mapped, one counted for each of them.
    pub granted: u64,
    /// How often a tree is mounted.
    pub attached: u64,
    /// Pages that members' programs have borrowed, one counted each time.
    pub lent: u64,
    /// Pages that no tree has ever had, but members have offered.
    pub offered: u64,
    /// Pages that have memory and that no member has.
    pub spare: u64,
    /// Times that a member has got a page, since the area was created.
    pub got: u64,
    /// Pages that were read from a tree's file for that.
    pub read: u64,
}

/// What there is of a tree.
#[derive(Clone, Copy)]
pub struct Tree {
    /// Its name.
    pub name: Name,
    /// SHA-256 of its first block.
    pub digest: [u8; 32],
    /// How often trees of that name were added.
    pub generation: u64,
    /// How many blocks it has.
    pub blocks: u64,
    /// How often it is mounted.
    pub attached: u64,
}

impl From<RawTree> for Tree {
    fn from(raw: RawTree) -> Self {
        Self {
            name: raw.name,
            digest: raw.digest,
            generation: raw.generation,
            blocks: raw.blocks,
            attached: raw.attached,
        }
    }
}

/// What came of withdrawing trees.
#[derive(Clone, Copy)]
pub struct Withdrawn {
    /// Pages whose memory was freed.
    pub freed: u64,
    /// A domain that has not given back what it has, if there is one.
    pub holder: Option<u32>,
}

/// What a member has.
#[derive(Clone, Copy)]
pub struct Member {
    /// Its domain.
    pub domain: u32,
    /// What stands for it.
    pub number: u64,
    /// How many trees it has mounted.
    pub mounts: u64,
    /// How many pages it has.
    pub granted: u64,
    /// How many it may have.
    pub pages: u64,
}

/// A file that another domain keeps.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// The domain.
    pub owner: u32,
    /// The area that has it.
    pub area: Name,
    /// The tree that has it; the only one of the area for no name.
    pub tree: Name,
    /// The digest that the tree is to have, if any will not do.
    pub digest: Option<[u8; 32]>,
    /// Where it is in the tree; empty if it is the only one.
    pub path: &'a str,
}

/// A disk.
#[derive(Clone, Copy)]
pub struct Disk {
    /// Its number.
    pub number: u32,
    /// How many sectors of 512 bytes it has.
    pub sectors: u64,
    /// SHA-256 of the first block of the tree.
    pub digest: [u8; 32],
}

impl Disk {
    /// Returns where it is.
    pub fn path(&self) -> String {
        format!("/dev/pageshare{}", self.number)
    }
}

/// The module's device, open.
pub struct Device(OwnedFd);

impl Device {
    /// Opens it, to look only, or to change something as well.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the module is not loaded, `EACCES`.
    pub fn open(change: bool) -> Result<Self> {
        let flags = match change {
            true => OFlags::RDWR,
            false => OFlags::RDONLY,
        };
        let path = "/dev/pageshare";
        rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).map(Self)
    }

    /// Creates an area of that name and UUID, with so many pages and grants.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_CREATE` in the header.
    pub fn create(&self, name: Name, uuid: [u8; 16], pages: u32, grants: u32) -> Result<()> {
        let area = RawArea {
            version: VERSION,
            pages,
            name,
            uuid,
            grants,
            ..RawArea::default()
        };
        // SAFETY: The call reads an argument of this type.
        unsafe { ioctl(&self.0, Setter::<CREATE, RawArea>::new(area)) }
    }

    /// Returns the area behind that of a name; the first one for no name.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_NEXT_AREA` in the header, but that the end is [`None`].
    pub fn next_area(&self, name: Name) -> Result<Option<Area>> {
        let mut raw = RawArea {
            version: VERSION,
            name,
            ..RawArea::default()
        };
        // SAFETY: The call reads and writes an argument of this type.
        match unsafe { ioctl(&self.0, Updater::<NEXT_AREA, RawArea>::new(&mut raw)) } {
            Err(Errno::NOENT) => return Ok(None),
            result => result?,
        }
        Ok(Some(Area {
            name: raw.name,
            uuid: raw.uuid,
            pages: raw.pages,
            grants: raw.grants,
            trees: raw.trees,
            referenced: raw.referenced,
            unique: raw.unique,
            filled: raw.filled,
            granted: raw.granted,
            attached: raw.attached,
            lent: raw.lent,
            offered: raw.offered,
            spare: raw.spare,
            got: raw.got,
            read: raw.read,
        }))
    }

    /// Adds the tree whose blocks are in a file.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_ADD` in the header.
    pub fn add(&self, area: Name, name: Name, file: &fs::File) -> Result<Tree> {
        let mut raw = RawTree {
            version: VERSION,
            file: file.as_raw_fd() as u32,
            area,
            name,
            ..RawTree::default()
        };
        // SAFETY: The call reads and writes an argument of this type.
        unsafe { ioctl(&self.0, Updater::<ADD, RawTree>::new(&mut raw)) }?;
        Ok(raw.into())
    }

    /// Returns the tree of an area behind that of a name; the first one for no name.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_NEXT_TREE` in the header, but that the end is [`None`].
    pub fn next_tree(&self, area: Name, name: Name) -> Result<Option<Tree>> {
        let mut raw = RawTree {
            version: VERSION,
            area,
            name,
            ..RawTree::default()
        };
        // SAFETY: The call reads and writes an argument of this type.
        match unsafe { ioctl(&self.0, Updater::<NEXT_TREE, RawTree>::new(&mut raw)) } {
            Err(Errno::NOENT) => Ok(None),
            result => result.map(|()| Some(raw.into())),
        }
    }

    /// Says who may attach to an area.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_ALLOW` in the header.
    pub fn allow(&self, area: Name, rules: &str) -> Result<()> {
        let raw = RawRules {
            version: VERSION,
            bytes: u32::try_from(rules.len()).map_err(|_| Errno::TOOBIG)?,
            area,
            text: rules.as_ptr().addr() as u64,
            ..RawRules::default()
        };
        // SAFETY: The call reads an argument of this type, and the text, which is as long.
        unsafe { ioctl(&self.0, Setter::<ALLOW, RawRules>::new(raw)) }
    }

    /// Returns who may attach to an area.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_RULES` in the header.
    pub fn rules(&self, area: Name) -> Result<String> {
        let mut text = vec![0; 2 * RULES_MAX];
        let mut raw = RawRules {
            version: VERSION,
            bytes: text.len() as u32,
            area,
            text: text.as_mut_ptr().addr() as u64,
            ..RawRules::default()
        };
        // SAFETY: The call reads and writes an argument of this type, and writes the text, for which
        // there is as much room as it says.
        unsafe { ioctl(&self.0, Updater::<RULES, RawRules>::new(&mut raw)) }?;
        text.truncate(raw.bytes as usize);
        String::from_utf8(text).map_err(|_| Errno::ILSEQ)
    }

    /// Removes a tree of an area; the whole area for no name.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_REMOVE` in the header.
    pub fn remove(&self, area: Name, tree: Name) -> Result<()> {
        let raw = RawRemove {
            version: VERSION,
            area,
            tree,
            ..RawRemove::default()
        };
        // SAFETY: The call reads an argument of this type.
        unsafe { ioctl(&self.0, Setter::<REMOVE, RawRemove>::new(raw)) }
    }

    /// Has members give back what they have of a tree, all trees for no name; for good, if it is to
    /// be retired.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_WITHDRAW` in the header.
    pub fn withdraw(&self, area: Name, tree: Name, retire: bool) -> Result<Withdrawn> {
        let mut raw = RawWithdraw {
            version: VERSION,
            flags: if retire { RETIRE } else { 0 },
            area,
            tree,
            ..RawWithdraw::default()
        };
        // SAFETY: The call reads and writes an argument of this type.
        unsafe { ioctl(&self.0, Updater::<WITHDRAW, RawWithdraw>::new(&mut raw)) }?;
        Ok(Withdrawn {
            freed: raw.freed,
            holder: (raw.holders > 0).then_some(raw.holder),
        })
    }

    /// Returns the member behind that with a number; the first one for 0.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_NEXT_MEMBER` in the header, but that the end is [`None`].
    pub fn next_member(&self, number: u64) -> Result<Option<Member>> {
        let mut raw = RawMember {
            version: VERSION,
            number,
            ..RawMember::default()
        };
        // SAFETY: The call reads and writes an argument of this type.
        match unsafe { ioctl(&self.0, Updater::<NEXT_MEMBER, RawMember>::new(&mut raw)) } {
            Err(Errno::NOENT) => return Ok(None),
            result => result?,
        }
        Ok(Some(Member {
            domain: raw.domain,
            number: raw.number,
            mounts: raw.mounts,
            granted: raw.granted,
            pages: raw.pages,
        }))
    }

    /// Says whether members may offer pages of their programs to an area: [`None`] that they may not,
    /// else how many pages it may have that no tree has.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_OFFERS` in the header.
    pub fn offers(&self, area: Name, pages: Option<u64>) -> Result<()> {
        let raw = RawOffers {
            version: VERSION,
            flags: pages.map_or(0, |_| TAKES),
            area,
            pages: pages.unwrap_or_default(),
            ..RawOffers::default()
        };
        // SAFETY: The call reads an argument of this type.
        unsafe { ioctl(&self.0, Setter::<OFFERS, RawOffers>::new(raw)) }
    }

    /// Makes a disk of a file.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_ATTACH` in the header.
    pub fn attach(&self, file: &File<'_>) -> Result<Disk> {
        let mut raw = RawDisk {
            version: VERSION,
            owner: file.owner,
            area: file.area,
            tree: file.tree,
            digest: file.digest.unwrap_or_default(),
            path: file.path.as_ptr().addr() as u64,
            path_bytes: u32::try_from(file.path.len()).map_err(|_| Errno::TOOBIG)?,
            flags: file.digest.map_or(0, |_| HAS_DIGEST),
            ..RawDisk::default()
        };
        // SAFETY: The call reads and writes an argument of this type, and reads the path, which is as
        // long.
        unsafe { ioctl(&self.0, Updater::<ATTACH, RawDisk>::new(&mut raw)) }?;
        Ok(Disk {
            number: raw.number,
            sectors: raw.sectors,
            digest: raw.digest,
        })
    }

    /// Removes the disk with that number.
    ///
    /// # Errors
    ///
    /// As `PAGESHARE_DETACH` in the header.
    pub fn detach(&self, number: u32) -> Result<()> {
        let raw = RawDetach {
            version: VERSION,
            number,
            ..RawDetach::default()
        };
        // SAFETY: The call reads an argument of this type.
        unsafe { ioctl(&self.0, Setter::<DETACH, RawDetach>::new(raw)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that the header has, in which the sizes of the arguments are.
    #[test]
    fn calls_are_those_of_the_header() {
        let calls = [
            CREATE,
            NEXT_AREA,
            ADD,
            NEXT_TREE,
            ALLOW,
            RULES,
            REMOVE,
            WITHDRAW,
            NEXT_MEMBER,
            OFFERS,
            ATTACH,
            DETACH,
        ];
        let numbers: [Opcode; 12] = [
            0x40c0be20, 0xc0c0be21, 0xc0e0be22, 0xc0e0be23, 0x4070be24, 0xc070be25, 0x40a8be26,
            0xc0b8be27, 0xc048be28, 0x4070be29, 0xc0e8be30, 0x4028be31,
        ];
        assert_eq!(calls, numbers);
    }

    #[test]
    fn names_have_room_for_a_zero() {
        assert!(Name::new(&"n".repeat(NAME)).is_none());
        let longest = "n".repeat(NAME - 1);
        assert_eq!(Name::new(&longest).map(|name| name.text()), Some(longest));
    }
}
