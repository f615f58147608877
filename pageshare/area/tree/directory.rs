// SPDX-License-Identifier: GPL-2.0

//! Directories.

use super::{
    super::{
        format::{
            Entry,
            Flaw,
            Inode,
            Kind,
            TARGET_MAX, //
        },
        names, //
    },
    Blocks,
    Fault,
    Name,
    Tree, //
};

impl<B: Blocks> Tree<B> {
    /// Looks for a name in a directory. Returns the number and the inode of what has it.
    ///
    /// # Errors
    ///
    /// [`Flaw::Alias`] if it is a directory that has another name, too: so a tree is one.
    pub fn lookup(
        &self,
        number: u32,
        directory: &Inode,
        name: &[u8],
    ) -> Result<Option<(u32, Inode)>, Fault<B::Error>> {
        if directory.kind() != Some(Kind::Directory) {
            return Ok(None);
        }
        let entries = (directory.first, directory.count);
        let hit = self.named(entries, name, |index, name| self.named_entry(index, name))?;
        let Some((index, entry)) = hit else {
            return Ok(None);
        };
        let inode = self.inode(entry.inode)?.ok_or(Flaw::Entry)?;

        if is_entered(number, index, &entry, &inode) {
            Ok(Some((entry.inode, inode)))
        } else {
            Err(Flaw::Alias.into())
        }
    }

    /// Returns a directory's entry, and its name: the first one for 0, and so on. [`None`] behind
    /// the last one.
    pub fn read_directory(
        &self,
        directory: &Inode,
        at: u64,
        name: &mut Name,
    ) -> Result<Option<Entry>, Fault<B::Error>> {
        let within = directory.kind() == Some(Kind::Directory) && at < directory.count.into();
        let Some(at) = u32::try_from(at).ok().filter(|_| within) else {
            return Ok(None);
        };
        self.named_entry(directory.first.saturating_add(at), name)
            .map(Some)
    }

    /// Returns an entry, and its name.
    fn named_entry(&self, index: u32, name: &mut Name) -> Result<Entry, Fault<B::Error>> {
        let entry = self.entry(index)?;

        self.name(entry.name, name, names::is_file)?;
        Ok(entry)
    }

    /// Returns the number and the inode of the directory that an inode is in; of one of them, if it
    /// has several names. The root is in itself.
    pub fn parent(&self, inode: &Inode) -> Result<(u32, Inode), Fault<B::Error>> {
        let parent = self.inode(inode.parent)?.ok_or(Flaw::Inode)?;

        if parent.kind() == Some(Kind::Directory) {
            Ok((inode.parent, parent))
        } else {
            Err(Flaw::Inode.into())
        }
    }

    /// Reads the name that the inode with that number has in its [`Tree::parent`]. The root has
    /// none.
    pub fn own_name(
        &self,
        number: u32,
        inode: &Inode,
        name: &mut Name,
    ) -> Result<(), Fault<B::Error>> {
        let entry = self.entry(inode.entry)?;
        let (_, parent) = self.parent(inode)?;
        let is_in_parent = inode
            .entry
            .checked_sub(parent.first)
            .is_some_and(|index| index < parent.count);

        if entry.inode != number || !is_in_parent {
            return Err(Flaw::Inode.into());
        }
        self.name(entry.name, name, names::is_file)
    }

    /// Copies the target of a symbolic link to `to`, and returns how many bytes it has. None of
    /// them is zero. [`None`] if it is no link.
    pub fn target(
        &self,
        link: &Inode,
        to: &mut [u8; TARGET_MAX],
    ) -> Result<Option<usize>, Fault<B::Error>> {
        let Some(text) = link.target(self.layout()) else {
            return Ok(None);
        };
        let target = to.get_mut(..text.len() as usize).ok_or(Flaw::Name)?;

        self.text(text, target)?;
        if target.contains(&0) {
            return Err(Flaw::Name.into());
        }
        Ok(Some(target.len()))
    }
}

/// Whether the entry with that index, in the directory with that number, may lead to the inode. A
/// directory is entered by the one name that it knows of.
fn is_entered(directory: u32, index: u32, entry: &Entry, inode: &Inode) -> bool {
    inode.kind() == Some(entry.kind)
        && (entry.kind != Kind::Directory
            || (entry.inode > directory && [inode.parent, inode.entry] == [directory, index]))
}
