// SPDX-License-Identifier: GPL-2.0

//! Instead of `xen::grant`: what is written to memory that is shared is wrong now and then.

pub use super::honest::grant::Mapped;
pub(crate) use super::honest::grant::{
    map_error,
    BATCH, //
};

use super::{
    domain::DomId,
    honest::{
        grant,
        shared::Memory, //
    }, //
};
use crate::{
    area::wire::MESSAGE_MAX,
    mutate,
    wrong::What, //
};
use core::ops::Deref;
use kernel::{
    alloc::Flags,
    prelude::*, //
};

/// Bytes of a packet's header.
const HEADER: usize = 8;

/// Writes bytes, or others.
fn write(memory: &Memory, offset: usize, from: &[u8], what: What) -> Result {
    let mut copy = [0; MESSAGE_MAX];
    let Some(copy) = copy.get_mut(..from.len()) else {
        return memory.write(offset, from);
    };
    copy.copy_from_slice(from);
    mutate::spoil(what, copy);
    memory.write(offset, copy)
}

/// As the driver's, but what is written may be something else.
pub struct Granted(grant::Granted);

impl Granted {
    /// As the driver's.
    ///
    /// # Errors
    ///
    /// As the driver's.
    pub fn new(to: DomId, pages: usize, flags: Flags) -> Result<Self> {
        grant::Granted::new(to, pages, flags).map(Self)
    }

    /// As the driver's.
    pub fn refs(&self) -> &[u32] {
        self.0.refs()
    }

    /// Writes what a link's page says first.
    ///
    /// # Errors
    ///
    /// As the driver's.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result {
        write(self, offset, from, What::First)
    }
}

impl Deref for Granted {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        &self.0
    }
}

/// As the driver's, but what is written may be something else.
pub enum Region {
    /// As the driver's.
    Own(Granted),
    /// As the driver's.
    Peers(Mapped),
}

impl Region {
    /// Writes a packet's header, or of a message what lies together.
    ///
    /// # Errors
    ///
    /// As the driver's.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result {
        let what = match from.len() {
            HEADER => What::Header,
            _ => What::Message,
        };
        write(self, offset, from, what)
    }
}

impl Deref for Region {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        match self {
            Region::Own(granted) => granted,
            Region::Peers(mapped) => mapped,
        }
    }
}
