// SPDX-License-Identifier: GPL-2.0

//! A page, and a grant of it.

use super::super::{
    chain::{
        Linked,
        Links, //
    },
    format::Digest, //
};

/// What becomes of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It has no memory.
    #[default]
    Described,
    /// Its content is being read.
    Filling,
    /// It has its content.
    Here,
}

/// A page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    pub(super) digest: Digest,
    links: Links,
    /// How many blocks of trees it is.
    pub(super) references: u32,
    /// How many members have it.
    pub(super) grants: u32,
    pub(super) state: State,
    /// No tree has ever had it.
    pub(super) offered: bool,
}

impl Page {
    pub(super) fn new(digest: &Digest) -> Self {
        Self {
            digest: *digest,
            ..Self::default()
        }
    }

    pub(super) fn offered(digest: &Digest) -> Self {
        Self {
            offered: true,
            ..Self::new(digest)
        }
    }
}

impl Linked for Page {
    type Key = Digest;

    fn key(&self) -> Digest {
        self.digest
    }

    fn number(key: Digest) -> u64 {
        key.first_chunk()
            .map_or(0, |part| u64::from_le_bytes(*part))
    }

    fn links(&self) -> Links {
        self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// Who reads which page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Reader {
    pub(super) member: u32,
    pub(super) page: u32,
}

/// A grant of a page for a member.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grant {
    pub(super) reader: Reader,
    links: Links,
    /// The reference.
    pub(super) reference: u32,
    /// For how many blocks the member has it.
    pub(super) count: u32,
}

impl Grant {
    pub(super) fn new(reader: Reader, reference: u32) -> Self {
        Self {
            reader,
            reference,
            count: 1,
            ..Self::default()
        }
    }
}

impl Linked for Grant {
    type Key = Reader;

    fn key(&self) -> Reader {
        self.reader
    }

    fn number(key: Reader) -> u64 {
        (u64::from(key.member) << 32) | u64::from(key.page)
    }

    fn links(&self) -> Links {
        self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}
