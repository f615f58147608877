// SPDX-License-Identifier: GPL-2.0

//! In a kernel without memory hotplug.

use super::Arrived;
use core::{
    convert::Infallible,
    ops::Range, //
};
use kernel::prelude::*;

/// Blocks of memory that were added: there are none.
pub struct Blocks(Infallible);

impl Blocks {
    /// Fails.
    ///
    /// # Errors
    ///
    /// `ENODEV`.
    pub fn new(_name: &CStr) -> Result<Pin<KBox<Self>>> {
        Err(ENODEV)
    }

    /// Adds a block.
    pub fn add(&self, _below: usize, _prepare: impl FnOnce(Range<usize>) -> Result) -> Result {
        match self.0 {}
    }

    /// Returns a block that has come online.
    pub fn take(&self) -> Option<Arrived> {
        match self.0 {}
    }

    /// Returns how many pages were added that are not online.
    pub fn offline(&self) -> usize {
        match self.0 {}
    }

    /// Removes the blocks that are not online.
    pub fn remove_offline(&self) {
        match self.0 {}
    }
}
