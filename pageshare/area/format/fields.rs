// SPDX-License-Identifier: GPL-2.0

//! The fields of a record, one after the other.

use super::Flaw;

/// What is left of a record that is read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(record: &'a [u8]) -> Self {
        Self(record)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Flaw::Length)?;

        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Flaw> {
        self.bytes().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Flaw> {
        self.bytes().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Flaw> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Flaw> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(super) fn zero<const N: usize>(&mut self) -> Result<(), Flaw> {
        if self.bytes::<N>()? == [0; N] {
            Ok(())
        } else {
            Err(Flaw::Reserved)
        }
    }
}

/// A record that is written; zero where nothing is put.
pub(super) struct Writer<const N: usize> {
    record: [u8; N],
    used: usize,
}

impl<const N: usize> Writer<N> {
    pub(super) const fn new() -> Self {
        Self {
            record: [0; N],
            used: 0,
        }
    }

    pub(super) fn put(mut self, field: &[u8]) -> Self {
        let end = self.used + field.len();
        if let Some(to) = self.record.get_mut(self.used..end) {
            to.copy_from_slice(field);
        }
        self.used = end;
        self
    }

    pub(super) const fn done(self) -> [u8; N] {
        self.record
    }
}
