// SPDX-License-Identifier: GPL-2.0

//! A tree of files, as its readers see it.
//!
//! Nothing is kept but the superblock: each call reads the records that it needs. A tree never
//! changes, so what was found once may be remembered by the caller.

mod directory;
mod file;
mod xattr;

use super::format::{
    Entry,
    Extent,
    Flaw,
    Inode,
    Layout,
    Superblock,
    Text,
    Xattr,
    BLOCK,
    HEAD,
    NAME_MAX, //
};
use core::{
    cmp::Ordering,
    fmt, //
};

pub use file::{
    Found,
    Run, //
};

/// The blocks of a tree, which somebody else may write at any time.
pub trait Blocks {
    /// Why a block cannot be read.
    type Error;

    /// Copies what is in a block, `offset` bytes behind its start, to `to`, which is not longer
    /// than the rest of the block. The block is one that the superblock has, or 0.
    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> Result<(), Self::Error>;
}

/// Why something could not be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault<E> {
    /// A block could not be read.
    Unread(E),
    /// What was read cannot be.
    Flaw(Flaw),
}

impl<E> From<Flaw> for Fault<E> {
    fn from(flaw: Flaw) -> Self {
        Fault::Flaw(flaw)
    }
}

/// A name, of a file or of an extended attribute.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; NAME_MAX],
    used: usize,
}

impl Name {
    /// Returns no name, to have one put there.
    pub const fn new() -> Self {
        Self {
            bytes: [0; NAME_MAX],
            used: 0,
        }
    }

    /// Returns the name.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&[])
    }

    /// Makes room for a name of `len` bytes, if a name may be that long.
    fn room(&mut self, len: u32) -> Option<&mut [u8]> {
        let len = usize::try_from(len).ok()?;
        let room = self.bytes.get_mut(..len)?;

        self.used = len;
        Some(room)
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

/// A tree.
#[derive(Clone, Debug)]
pub struct Tree<B> {
    blocks: B,
    superblock: Superblock,
}

impl<B: Blocks> Tree<B> {
    /// Returns the tree that these blocks are.
    ///
    /// # Errors
    ///
    /// A flaw of the superblock.
    pub fn open(blocks: B) -> Result<Self, Fault<B::Error>> {
        let mut head = [0; HEAD];

        blocks.read(0, 0, &mut head).map_err(Fault::Unread)?;
        Ok(Self {
            superblock: Superblock::decode(&head)?,
            blocks,
        })
    }

    /// Returns the tree's superblock.
    pub const fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Returns where the parts of the tree are.
    pub const fn layout(&self) -> &Layout {
        self.superblock.layout()
    }

    /// Returns the tree's blocks.
    pub const fn blocks(&self) -> &B {
        &self.blocks
    }

    /// Returns the inode with that number. [`None`] if there is none.
    pub fn inode(&self, number: u32) -> Result<Option<Inode>, Fault<B::Error>> {
        let Some(place) = self.layout().inode(number) else {
            return Ok(None);
        };
        let record = self.record::<{ Inode::SIZE }>(place)?;

        Ok(Some(Inode::decode(&record, number, self.layout())?))
    }

    /// Copies the text to `to`, which is as long.
    pub fn text(&self, text: Text, to: &mut [u8]) -> Result<(), Fault<B::Error>> {
        let mut at = text.at();

        if to.len() != text.len() as usize {
            return Err(Flaw::Length.into());
        }
        let mut rest = to;
        while !rest.is_empty() {
            let (block, offset) = self.layout().text(at).ok_or(Flaw::Length)?;
            let step = rest.len().min(BLOCK - offset);
            let (now, later) = rest.split_at_mut(step);
            self.read(block, offset, now)?;
            at = at.saturating_add(step as u32);
            rest = later;
        }
        Ok(())
    }

    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> Result<(), Fault<B::Error>> {
        self.blocks.read(block, offset, to).map_err(Fault::Unread)
    }

    fn record<const N: usize>(&self, at: (u32, usize)) -> Result<[u8; N], Fault<B::Error>> {
        let mut record = [0; N];

        self.read(at.0, at.1, &mut record)?;
        Ok(record)
    }

    fn entry(&self, index: u32) -> Result<Entry, Fault<B::Error>> {
        let place = self.layout().entry(index).ok_or(Flaw::Entry)?;
        let record = self.record::<{ Entry::SIZE }>(place)?;

        Ok(Entry::decode(&record, self.layout())?)
    }

    fn extent(&self, index: u32) -> Result<Extent, Fault<B::Error>> {
        let place = self.layout().extent(index).ok_or(Flaw::Extent)?;
        let record = self.record::<{ Extent::SIZE }>(place)?;

        Ok(Extent::decode(&record, self.layout())?)
    }

    fn attribute(&self, index: u32) -> Result<Xattr, Fault<B::Error>> {
        let place = self.layout().xattr(index).ok_or(Flaw::Xattr)?;
        let record = self.record::<{ Xattr::SIZE }>(place)?;

        Ok(Xattr::decode(&record, self.layout())?)
    }

    /// Reads a name that `allowed` finds to be one.
    fn name(
        &self,
        text: Text,
        name: &mut Name,
        allowed: fn(&[u8]) -> bool,
    ) -> Result<(), Fault<B::Error>> {
        self.text(text, name.room(text.len()).ok_or(Flaw::Name)?)?;
        if allowed(name.bytes()) {
            Ok(())
        } else {
            Err(Flaw::Name.into())
        }
    }
}

impl<B: Blocks> Tree<B> {
    /// Looks for a name among the names of `count` records from `first` on, which are in their order.
    /// `read` returns the record with an index, and reads its name. Returns the index and the record.
    fn named<T>(
        &self,
        (first, count): (u32, u32),
        name: &[u8],
        read: impl Fn(u32, &mut Name) -> Result<T, Fault<B::Error>>,
    ) -> Result<Option<(u32, T)>, Fault<B::Error>> {
        let mut found = Name::new();
        let mut hit = None;

        search(first, count, |index| {
            let record = read(index, &mut found)?;
            let order = found.bytes().cmp(name);
            if order.is_eq() {
                hit = Some((index, record));
            }
            Ok::<_, Fault<B::Error>>(order)
        })?;
        Ok(hit)
    }
}

/// Shows `compare` some of `count` things from `first` on, which are in order, until it finds one
/// equal.
fn search<E>(
    first: u32,
    count: u32,
    mut compare: impl FnMut(u32) -> Result<Ordering, E>,
) -> Result<(), E> {
    let (mut low, mut high) = (first, first.saturating_add(count));

    while low < high {
        let middle = low + (high - low) / 2;
        match compare(middle)? {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => break,
            Ordering::Greater => high = middle,
        }
    }
    Ok(())
}
