// SPDX-License-Identifier: GPL-2.0

//! What is to be unmapped is, and the owner is told.

use super::{
    attach,
    note,
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
        let mut empty = [0; BATCH as usize];
        let mut count = 0;
        self.window.unmap(slots, |slot, is_empty| {
            // What could not be unmapped stays closed: its slot is not used again.
            if !is_empty {
                return;
            }
            if count == empty.len() {
                self.closed(&empty);
                count = 0;
            }
            if let Some(place) = empty.get_mut(count) {
                *place = slot;
                count += 1;
            }
        });
        self.closed(empty.get(..count).unwrap_or_default());
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
        let mut closing = KVec::new();
        self.window.left_over(|slot| note(&mut closing, slot));
        self.unmap(&closing);
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
