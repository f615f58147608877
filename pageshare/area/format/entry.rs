// SPDX-License-Identifier: GPL-2.0

//! An entry of a directory.

use super::{
    fields::{
        Reader,
        Writer, //
    },
    Flaw,
    Kind,
    Layout,
    Text, //
};

/// An entry of a directory. Those of one directory stand together, in the order of their names'
/// bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Where its name is, which has from 1 to 255 bytes and lies within one block.
    pub name: Text,
    /// The number of its inode.
    pub inode: u32,
    /// What kind of file that is.
    pub kind: Kind,
}

impl Entry {
    /// Bytes of the record.
    pub const SIZE: usize = 16;

    /// Returns the record.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        Writer::new()
            .put(&self.name.at().to_le_bytes())
            .put(&self.inode.to_le_bytes())
            // No longer than a name, by the check of who made it.
            .put(&[self.name.len() as u8, self.kind.number()])
            .done()
    }

    /// Returns the entry that the bytes mean.
    pub fn decode(bytes: &[u8], layout: &Layout) -> Result<Self, Flaw> {
        let mut fields = Reader::new(bytes);
        let (at, inode) = (fields.u32()?, fields.u32()?);
        let (len, kind) = (fields.u8()?, fields.u8()?);
        fields.zero::<6>()?;

        let name = layout.short_run(at, len.into());
        match (name, Kind::from_number(kind), layout.inode(inode)) {
            (Some(name), Some(kind), Some(_)) if len > 0 => Ok(Self { name, inode, kind }),
            _ => Err(Flaw::Entry),
        }
    }
}
