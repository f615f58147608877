// SPDX-License-Identifier: GPL-2.0

//! The calls.

use super::Result;
use super::name::Name;
use super::raw::{
    ADD, ALLOW, ATTACH, CREATE, DETACH, HAS_DIGEST, NEXT_AREA, NEXT_MEMBER, NEXT_TREE, OFFERS,
    REMOVE, RETIRE, RULES, RawArea, RawDetach, RawDisk, RawMember, RawOffers, RawRemove, RawRules,
    RawTree, RawWithdraw, TAKES, VERSION, WITHDRAW,
};
use super::things::{Area, Disk, File, Member, Tree, Withdrawn};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Setter, Updater, ioctl};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

/// Bytes of rules, at the most.
pub const RULES_MAX: usize = 4096;

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
