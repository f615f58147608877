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
    search,
    Blocks,
    Fault,
    Name,
    Tree, //
};

impl<B: Blocks> Tree<B> {
    /// Looks for an extended attribute. Returns where its value is, for [`Tree::text`].
    pub fn find_xattr(&self, inode: &Inode, name: &[u8]) -> Result<Option<Text>, Fault<B::Error>> {
        let mut found = Name::new();
        let mut value = None;

        search(inode.first_xattr, inode.xattrs.into(), |index| {
            let xattr = self.attribute(index)?;
            self.name(xattr.name, &mut found, names::is_xattr)?;
            let order = found.bytes().cmp(name);
            if order.is_eq() {
                value = Some(xattr.value);
            }
            Ok::<_, Fault<B::Error>>(order)
        })?;
        Ok(value)
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
        let xattr = self.attribute(inode.first_xattr.saturating_add(at.into()))?;

        self.name(xattr.name, name, names::is_xattr)?;
        Ok(Some(xattr))
    }
}
