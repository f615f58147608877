// SPDX-License-Identifier: GPL-2.0

//! A block that is mapped, and stays so while it is used.

use super::Owner;
use crate::window::{
    self,
    Screen,
    View, //
};
use kernel::prelude::*;

/// A block that is used.
pub(crate) struct Held<'a> {
    owner: &'a Owner,
    slot: u32,
    /// Whether the cache has pinned it.
    pinned: bool,
    /// [`None`] only while it is dropped, or if a [`Frame`] has it.
    view: Option<View<'a>>,
}

impl<'a> Held<'a> {
    /// The block in a slot that the cache has pinned for us.
    ///
    /// # Errors
    ///
    /// `EIO` if nothing is mapped there.
    pub(super) fn new(owner: &'a Owner, slot: u32) -> Result<Self> {
        let held = Self {
            owner,
            slot,
            pinned: true,
            view: owner.window.view(slot),
        };
        if held.view.is_none() {
            return Err(EIO);
        }
        Ok(held)
    }

    /// The block that `view` is of, in a slot that the cache has not pinned.
    #[inline]
    pub(super) fn unpinned(owner: &'a Owner, slot: u32, view: View<'a>) -> Self {
        Self {
            owner,
            slot,
            pinned: false,
            view: Some(view),
        }
    }

    /// Its bytes.
    #[inline]
    pub(super) fn view(&self) -> Result<&View<'a>> {
        self.view.as_ref().ok_or(EIO)
    }
}

/// A block that programs may have mapped.
pub(crate) type Frame<'a> = window::Frame<'a, Held<'a>>;

impl<'a> Held<'a> {
    /// Lets programs have the block mapped as a page of a file, by their numbers, on `screen`, if this
    /// domain can show any.
    pub(super) fn show(&self, screen: &Screen, (file, index): (u64, u64)) {
        if let Some(view) = &self.view {
            view.show(screen, file, index);
        }
    }

    /// Returns the block's frame, to be shown to programs as a page of a file, by their numbers, on
    /// `screen`. [`None`] if this domain cannot show any.
    pub(super) fn frame(mut self, screen: &Screen, page: (u64, u64)) -> Option<Frame<'a>> {
        let view = self.view.take()?;
        view.frame(screen, page, self)
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // Before it may be unmapped.
        self.view = None;
        if self.pinned && self.owner.state.lock().cache.unpin(self.slot) {
            self.owner.unmap(&[self.slot]);
        }
        if self.owner.window.has_left_over() {
            self.owner.unmap_left_over();
        }
    }
}
