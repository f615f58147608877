// SPDX-License-Identifier: GPL-2.0

//! Where programs have frames of a window mapped.

use crate::vfs::Mount;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Bits of a place for the index of a page, and for the number of its file.
const INDEX: u32 = 28;
const FILE: u32 = 28;

/// The largest number of a screen that places can have.
const NUMBER_MAX: usize = 254;

/// Which page of which file, where it is mounted, in a word; or none, or any.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place(u64);

impl Place {
    /// No program has it mapped.
    pub(super) const NOWHERE: Self = Self(0);

    /// It is several pages of files, or one that has no place.
    pub(super) const SEVERAL: Self = Self(u64::MAX);

    /// Returns the word.
    pub(super) const fn raw(self) -> u64 {
        self.0
    }

    /// Returns the place of a word.
    pub(super) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number of the screen, and of the file there, and the index of the page; if it is one page.
    fn parts(self) -> Option<(usize, u64, usize)> {
        if self == Self::NOWHERE || self == Self::SEVERAL {
            return None;
        }
        let file = (self.0 >> INDEX) & ((1 << FILE) - 1);
        let index = self.0 & ((1 << INDEX) - 1);
        Some(((self.0 >> (INDEX + FILE)) as usize, file, index as usize))
    }

    /// Returns how many pages of the file have places from this one on; 1 if it is no such place.
    #[inline]
    pub(super) const fn left(self) -> usize {
        let index = self.0 & ((1 << INDEX) - 1);
        ((1 << INDEX) - index) as usize
    }

    /// Returns the place of the page so many pages behind it, fewer than are [left](Self::left).
    #[inline]
    pub(super) const fn after(self, count: usize) -> Self {
        Self(self.0.wrapping_add(count as u64))
    }

    /// Whether it is the page so many pages behind `first`.
    fn follows(self, first: Self, count: usize) -> bool {
        let (Some(this), Some(first)) = (self.parts(), first.parts()) else {
            return false;
        };
        (this.0, this.1) == (first.0, first.1) && this.2 == first.2 + count
    }
}

/// Where files are mounted that may show frames of a window.
pub struct Screen {
    mount: Arc<Mount>,
    /// Its number at the window, if places can have it.
    number: Option<u8>,
}

impl Screen {
    /// Where they are mounted.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// Whether that is a place on it.
    pub(super) fn has(&self, place: Place) -> bool {
        let number = self.number.map(usize::from);
        place.parts().is_some_and(|parts| Some(parts.0) == number)
    }

    /// Returns the place of a page of a file, by their numbers.
    #[inline]
    pub fn place(&self, file: u64, index: u64) -> Place {
        match self.number {
            Some(number) if file >> FILE == 0 && index >> INDEX == 0 => {
                Place((((u64::from(number) << FILE) | file) << INDEX) | index)
            }
            _ => Place::SEVERAL,
        }
    }
}

/// The screens of a window. One's number is had again by another when no slot has its places any more.
pub(super) struct Screens(KVec<Option<Arc<Mount>>>);

impl Screens {
    /// There are none.
    pub(super) fn new() -> Self {
        Self(KVec::new())
    }

    /// Adds one.
    pub(super) fn add(&mut self, mount: Arc<Mount>) -> Result<Screen> {
        let at = match self.0.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.0.push(None, GFP_KERNEL)?;
                self.0.len() - 1
            }
        };
        if let Some(free) = self.0.get_mut(at) {
            *free = Some(mount.clone());
        }
        // No place is 0.
        let number = (at < NUMBER_MAX).then_some(at as u8 + 1);
        Ok(Screen { mount, number })
    }

    /// Removes one, and returns what is to be dropped.
    pub(super) fn remove(&mut self, screen: &Screen) -> Option<Arc<Mount>> {
        let is = |known: &&mut Option<Arc<Mount>>| {
            let known = known.as_ref();
            known.is_some_and(|mount| Arc::ptr_eq(mount, &screen.mount))
        };
        self.0.iter_mut().find(is)?.take()
    }

    /// Whether it is there.
    pub(super) fn knows(&self, screen: &Screen) -> bool {
        let mut known = self.0.iter().flatten();
        known.any(|mount| Arc::ptr_eq(mount, &screen.mount))
    }

    /// Takes what is at the places away from programs.
    pub(super) fn hide(&self, places: impl Iterator<Item = Place>) {
        let mut several = false;
        let mut first = Place::NOWHERE;
        let mut count = 0;
        for place in places {
            several |= place == Place::SEVERAL;
            if place.follows(first, count) {
                count += 1;
            } else {
                self.hide_run(first, count);
                (first, count) = (place, 1);
            }
        }
        self.hide_run(first, count);
        if several {
            self.0.iter().flatten().for_each(|mount| mount.unmap_all());
        }
    }

    fn hide_run(&self, first: Place, count: usize) {
        let Some((number, file, index)) = first.parts() else {
            return;
        };
        let known = number.checked_sub(1).and_then(|at| self.0.get(at));
        if let Some(mount) = known.and_then(Option::as_ref) {
            mount.unmap(file, index, count);
        }
    }
}
