// SPDX-License-Identifier: GPL-2.0

//! What is to be unmapped is, and the owner is told.

use super::{
    attach,
    Owner,
    State, //
};
use crate::{
    area::{
        cache::Key,
        wire::{
            Message,
            RunList,
            BATCH, //
        }, //
    },
    link::Lost,
    linux::noio::NoIo,
    trace, //
};
use kernel::prelude::*;

impl Owner {
    /// Unmaps slots that the cache has closed, and tells the owner.
    ///
    /// Context: process context, may sleep; not under the state's lock.
    pub(super) fn unmap(&self, slots: &[u32]) {
        if slots.is_empty() {
            return;
        }
        let _scope = NoIo::begin();
        let mut empty = Slots::new();
        self.window.unmap(slots, |slot, is_empty| {
            // What could not be unmapped stays closed: its slot is not used again.
            if is_empty && !empty.push(slot) {
                self.closed(empty.list());
                empty = Slots::new();
            }
        });
        self.closed(empty.list());
        self.settle();
        self.changed.notify_all();
    }

    /// Has nothing mapped any more in slots, and tells the owner by the link that it was mapped by: until
    /// this ends nobody loses or makes one, and no tree gets another number.
    fn closed(&self, slots: &[u32]) {
        let mut state = self.state.lock();
        let mut releases = Releases::new();
        for &slot in slots {
            if let Some(key) = state.cache.closed(slot) {
                releases.add(&state, key);
            }
        }
        let told = releases.send(&state).and(state.drop_unused());
        drop(state);
        if let Err(Lost) = told {
            self.lose();
        }
    }

    /// Unmaps what was to be unmapped while it was used, and is not any more.
    ///
    /// Context: as for [`Owner::unmap`].
    pub(super) fn unmap_left_over(&self) {
        let mut closing = Slots::new();
        self.window.left_over(|slot| {
            if !closing.push(slot) {
                self.unmap(closing.list());
                closing = Slots::new();
            }
        });
        self.unmap(closing.list());
    }

    /// Unmaps all blocks of a tree; those that are used as soon as they are not.
    ///
    /// Context: as for [`Owner::unmap`].
    pub(super) fn retire_all(&self, tree: u8) {
        let mut next = Some(0);
        while let Some(from) = next {
            let mut closing = Slots::new();
            let mut state = self.state.lock();
            next = state.cache.retire(tree, from, |slot| closing.push(slot));
            drop(state);
            self.unmap(closing.list());
        }
    }

    /// Answers what the owner wanted back, if nothing is left of it.
    pub(super) fn settle(&self) {
        let (link, requests) = {
            let mut state = self.state.lock();
            if state.withdrawals.is_empty() || !state.cache.is_settled() {
                return;
            }
            (state.link(), core::mem::take(&mut state.withdrawals))
        };
        for &request in &requests {
            let sent = link
                .as_ref()
                .map(|link| link.send(&Message::Withdrawn { request }));
            if let Some(Err(Lost)) = sent {
                self.lose();
            }
        }
    }
}

impl State {
    /// Tells the owner of blocks of a tree that are not wanted after all, and empties the list.
    ///
    /// # Errors
    ///
    /// As for [`State::send`].
    pub(super) fn give_back(&self, tree: u8, back: &mut RunList) -> Result<(), Lost> {
        let mut releases = Releases {
            tree,
            list: core::mem::take(back),
            sent: Ok(()),
        };
        releases.send(self)
    }

    /// Forgets trees that are not mounted, and of which nothing is mapped any more; tells the owner.
    /// Not before: by its number its blocks are found.
    ///
    /// # Errors
    ///
    /// As for [`State::send`].
    pub(super) fn drop_unused(&mut self) -> Result<(), Lost> {
        let mut sent = Ok(());
        for at in 0..self.trees.len() {
            let Some(place) = self.trees.get_mut(at) else {
                break;
            };
            let is_unused = place.as_ref().is_some_and(|tree| tree.users == 0);
            if !is_unused || attach::index(at).is_ok_and(|tree| self.cache.has(tree)) {
                continue;
            }
            let remote = place.take().and_then(|tree| tree.remote);
            if let Some(tree) = remote {
                sent = sent.and(self.send(&Message::Detach { tree }));
            }
        }
        sent
    }
}

/// Slots that are to be unmapped, or were. There must be room without an allocation: what was closed
/// and is not unmapped is lost.
pub(super) struct Slots {
    list: [u32; BATCH as usize],
    count: usize,
}

impl Slots {
    /// None.
    pub(super) fn new() -> Self {
        Self {
            list: [0; BATCH as usize],
            count: 0,
        }
    }

    /// Adds one to less than a batch. Returns whether there is room for another one.
    pub(super) fn push(&mut self, slot: u32) -> bool {
        if let Some(place) = self.list.get_mut(self.count) {
            *place = slot;
            self.count += 1;
        }
        self.count < self.list.len()
    }

    pub(super) fn list(&self) -> &[u32] {
        self.list.get(..self.count).unwrap_or_default()
    }
}

/// Blocks that the owner is to be told of as released, those of one tree together.
struct Releases {
    tree: u8,
    list: RunList,
    /// What came of those before.
    sent: Result<(), Lost>,
}

impl Releases {
    fn new() -> Self {
        Self {
            tree: 0,
            list: RunList::new(),
            sent: Ok(()),
        }
    }

    /// Adds a block; sends those before, if there is no room for it with them.
    fn add(&mut self, state: &State, key: Key) {
        if self.tree != key.tree || !self.list.push(key.block) {
            self.sent = self.send(state);
            self.tree = key.tree;
            self.list.push(key.block);
        }
    }

    /// Sends them. Returns whether all could be sent.
    fn send(&mut self, state: &State) -> Result<(), Lost> {
        let list = core::mem::take(&mut self.list);
        let before = core::mem::replace(&mut self.sent, Ok(()));
        let (Some(tree), Some(runs)) = (state.remote(self.tree), list.runs()) else {
            return before;
        };
        if let Some(link) = state.link() {
            trace::give_back(link.domain(), tree, runs.count());
        }
        before.and(state.send(&Message::Release { tree, runs }))
    }
}
