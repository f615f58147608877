// SPDX-License-Identifier: GPL-2.0

//! Names, targets and values: the text of a tree. Equal ones are there once.

use crate::area::format::BLOCK;
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;

/// Where a string is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) at: u32,
    pub(super) len: u32,
}

/// The text.
#[derive(Default)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    /// Where those are that lie within one block.
    short: HashMap<Vec<u8>, Place>,
}

impl Strings {
    /// Returns all of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the place of a string that lies within one block.
    pub(super) fn short(&mut self, string: &[u8]) -> Result<Place> {
        if let Some(&place) = self.short.get(string) {
            return Ok(place);
        }
        ensure!(
            (1..BLOCK).contains(&string.len()),
            "a name of {} bytes",
            string.len()
        );
        let offset = self.bytes.len() % BLOCK;
        if offset + string.len() > BLOCK {
            self.bytes
                .resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        }
        let place = self.append(string)?;
        self.short.insert(string.to_vec(), place);
        Ok(place)
    }

    /// Returns the place of a string that may lie in several blocks, or be empty.
    pub(super) fn any(&mut self, string: &[u8]) -> Result<Place> {
        match self.short.get(string) {
            Some(&place) => Ok(place),
            None => self.append(string),
        }
    }

    fn append(&mut self, string: &[u8]) -> Result<Place> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(string);
        u32::try_from(self.bytes.len()).context("more text than a tree can have")?;
        Ok(Place {
            at: at as u32,
            len: string.len() as u32,
        })
    }
}
