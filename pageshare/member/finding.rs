// SPDX-License-Identifier: GPL-2.0

//! Blocks that are here are found.

use super::{
    held::Held,
    Owner,
    State, //
};
use crate::{
    area::cache::{
        Found,
        Key, //
    },
    vfs::{
        Locked,
        Pinned, //
    },
    window::{
        Name,
        Place,
        Shown, //
    }, //
};
use core::sync::atomic::Ordering::Relaxed;
use kernel::prelude::*;

/// What a block's mapping is called in the window.
#[inline]
fn name(key: Key) -> Name {
    Name::new(key.tree, key.block)
}

impl State {
    /// Looks for a block, and pins it if it is mapped.
    pub(super) fn find(&mut self, key: Key) -> Found {
        let found = self.cache.find(key);
        if let Found::Ready(_) = found {
            self.count(key.tree, |counts| counts.hits += 1);
        }
        found
    }
}

impl Owner {
    /// Looks for a block that is mapped.
    ///
    /// Context: process context, may sleep.
    pub(super) fn find(&self, key: Key) -> Result<Option<Held<'_>>> {
        match self.glance(key) {
            Some(held) => Ok(Some(held)),
            None => self.search(key),
        }
    }

    /// Takes note that so many blocks of a tree were there, without a lock.
    #[inline]
    fn looked(&self, tree: u8, found: u64) {
        if let Some(glances) = self.glances.get(usize::from(tree)) {
            glances.fetch_add(found, Relaxed);
        }
    }

    /// As [`Owner::find`], with the lock.
    #[cold]
    fn search(&self, key: Key) -> Result<Option<Held<'_>>> {
        // Who had something of another name there for a moment may have been the last to use it.
        if self.window.has_left_over() {
            self.unmap_left_over();
        }
        self.hints.allocate(key, 1);
        let mut state = self.state.lock();
        let Found::Ready(slot) = state.find(key) else {
            return Ok(None);
        };
        self.remember(key, slot);
        drop(state);
        Held::new(self, slot).map(Some)
    }

    /// Looks for a block that is mapped where one with its hint was last, without a lock.
    #[inline]
    pub(super) fn glance(&self, key: Key) -> Option<Held<'_>> {
        let slot = self.hints.get(key)?;
        let view = self.window.view_named(slot, name(key))?;
        self.looked(key.tree, 1);
        Some(Held::unpinned(self, slot, view))
    }

    /// As [`Owner::glance`], with those of up to `most` blocks in all that follow it and are mapped behind
    /// it.
    #[inline]
    pub(super) fn glance_run(&self, key: Key, most: usize) -> Option<Held<'_>> {
        let slot = self.hints.get(key)?;
        let view = self.window.view_run(slot, name(key), most)?;
        self.looked(key.tree, view.pages() as u64);
        Some(Held::unpinned(self, slot, view))
    }

    /// Calls `each` with those of `count` blocks from `first` on that programs may have mapped at the
    /// places that `place` tells: with how far behind `first` some begin, and their frames. A page table
    /// is locked.
    #[inline]
    pub(super) fn shown<'a>(
        &'a self,
        (first, count): (Key, u32),
        place: impl Fn(u32) -> Place,
        locked: &'a Locked,
        mut each: impl FnMut(u32, Shown<'a>),
    ) {
        let mut ahead = 0;
        let mut found = 0;
        while ahead < count {
            let key = Key {
                tree: first.tree,
                block: first.block.wrapping_add(ahead),
            };
            let places = (place(ahead), (count - ahead) as usize);
            let shown = self
                .hints
                .get(key)
                .and_then(|slot| self.window.shown((slot, name(key)), places, locked));
            let Some(frames) = shown else {
                ahead += 1;
                continue;
            };
            let begin = ahead;
            ahead += frames.count() as u32;
            found += frames.count() as u64;
            each(begin, frames);
        }
        self.looked(first.tree, found);
    }

    /// Takes note of where a block is mapped, and checked. Under the lock of the state: nobody
    /// unmaps it meanwhile.
    pub(super) fn remember(&self, key: Key, slot: u32) {
        self.window.set_name(slot, name(key));
        self.hints.set(key, slot);
    }
}
