// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.

use super::{
    super::{
        format::{
            Inode,
            Text,
            Xattr, //
        },
        names, //
    },
    Blocks,
    Fault,
    Name,
    Tree, //
};

impl<B: Blocks> Tree<B> {
    /// Looks for an extended attribute. Returns where its value is, for [`Tree::text`].
    pub fn find_xattr(&self, inode: &Inode, name: &[u8]) -> Result<Option<Text>, Fault<B::Error>> {
        let attributes = (inode.first_xattr, inode.xattrs.into());
        let hit = self.named(attributes, name, |index, name| {
            self.named_attribute(index, name)
        })?;
        Ok(hit.map(|(_, xattr)| xattr.value))
    }

    /// Returns an inode's extended attribute, and its name: the first one for 0, and so on.
    /// [`None`] behind the last one.
    pub fn xattr(
        &self,
        inode: &Inode,
        at: u16,
        name: &mut Name,
    ) -> Result<Option<Xattr>, Fault<B::Error>> {
        if at >= inode.xattrs {
            return Ok(None);
        }
        self.named_attribute(inode.first_xattr.saturating_add(at.into()), name)
            .map(Some)
    }

    /// Returns an attribute, and its name.
    fn named_attribute(&self, index: u32, name: &mut Name) -> Result<Xattr, Fault<B::Error>> {
        let xattr = self.attribute(index)?;

        self.name(xattr.name, name, names::is_xattr)?;
        Ok(xattr)
    }
}
