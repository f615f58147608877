// SPDX-License-Identifier: GPL-2.0

//! What there is: areas, their trees and members, disks.

use super::name::Name;

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
