// SPDX-License-Identifier: GPL-2.0

//! An extended attribute.

use super::{
    fields::{
        Reader,
        Writer, //
    },
    Flaw,
    Layout,
    Text, //
};

/// Bytes of the longest value: `XATTR_SIZE_MAX`.
pub const VALUE_MAX: u32 = 65536;

/// An extended attribute. Those of one file stand together, in the order of their names' bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Xattr {
    /// Where its whole name is, such as `security.capability`, which has from 1 to 255 bytes and
    /// lies within one block.
    pub name: Text,
    /// Where its value is, which has at most [`VALUE_MAX`] bytes.
    pub value: Text,
}

impl Xattr {
    /// Bytes of the record.
    pub const SIZE: usize = 16;

    /// Returns the record.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        Writer::new()
            .put(&self.name.at().to_le_bytes())
            .put(&self.value.at().to_le_bytes())
            .put(&self.value.len().to_le_bytes())
            // No longer than a name, by the check of who made it.
            .put(&[self.name.len() as u8])
            .done()
    }

    /// Returns the attribute that the bytes mean.
    pub fn decode(bytes: &[u8], layout: &Layout) -> Result<Self, Flaw> {
        let mut fields = Reader::new(bytes);
        let (name_at, value_at) = (fields.u32()?, fields.u32()?);
        let (value_len, name_len) = (fields.u32()?, fields.u8()?);
        fields.zero::<3>()?;

        let name = layout.short_run(name_at, name_len.into());
        match (name, layout.run(value_at, value_len)) {
            (Some(name), Some(value)) if name_len > 0 && value_len <= VALUE_MAX => {
                Ok(Self { name, value })
            }
            _ => Err(Flaw::Xattr),
        }
    }
}
