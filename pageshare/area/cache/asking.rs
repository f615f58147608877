// SPDX-License-Identifier: GPL-2.0

//! From a block that is needed to one that is mapped.

use super::{
    super::wire::{
        Refs,
        RunList,
        Runs, //
    },
    give_back,
    slots::{
        Key,
        Slot,
        State, //
    },
    Cache,
    Violation, //
};
use core::ops::DerefMut;

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Idle,
    /// Blocks are added.
    Filling,
    /// The owner was asked.
    Sent,
    /// The owner has answered; so many blocks are being mapped.
    Mapping(u32),
}

/// A request for blocks of one tree.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    stage: Stage,
    tree: u8,
    list: RunList,
}

impl Request {
    /// Returns no request, to have one put there.
    pub const fn new() -> Self {
        Self {
            stage: Stage::Idle,
            tree: 0,
            list: RunList::new(),
        }
    }
}

impl Default for Request {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a block is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// With this request.
    Yes,
    /// Not now: it is here, or on its way to or from here.
    There,
    /// Not with this request: it is full, or over.
    Full,
    /// Not now: all slots are in use. Some are to be evicted.
    NoSlot,
}

impl<S, R> Cache<S, R>
where
    S: DerefMut<Target = [Slot]>,
    R: DerefMut<Target = [Request]>,
{
    /// Begins a request for blocks of a tree, and returns its number. [`None`] if as many as can be
    /// are under way.
    pub fn request(&mut self, tree: u8) -> Option<u32> {
        let mut numbered = (0..).zip(self.requests.iter_mut());
        let (number, request) = numbered.find(|(_, request)| request.stage == Stage::Idle)?;

        *request = Request {
            stage: Stage::Filling,
            tree,
            list: RunList::new(),
        };
        Some(number)
    }

    /// Adds a block to a request that was begun.
    pub fn add(&mut self, number: u32, block: u32) -> Added {
        let Some(request) = self.requests.get_mut(number as usize) else {
            return Added::Full;
        };
        let key = Key {
            tree: request.tree,
            block,
        };
        if request.stage != Stage::Filling {
            return Added::Full;
        }
        if self.table.find(key).is_some() {
            return Added::There;
        }
        if self.table.used() >= self.limit {
            return Added::NoSlot;
        }
        let mut list = request.list;
        if !list.push(block) {
            return Added::Full;
        }
        if self.table.add(Slot::new(key)).is_none() {
            return Added::NoSlot;
        }
        request.list = list;
        self.counters.asked += 1;
        Added::Yes
    }

    /// Ends what is added to a request, and returns what to ask for. [`None`] if that is nothing:
    /// then the request is over.
    pub fn send(&mut self, number: u32) -> Option<Runs<'_>> {
        let request = self.requests.get_mut(number as usize)?;

        if request.stage != Stage::Filling {
            return None;
        }
        request.stage = match request.list.count() {
            0 => Stage::Idle,
            _ => Stage::Sent,
        };
        request.list.runs()
    }

    /// Learns what the owner has granted. `map` gets each slot, and the grant to be mapped there:
    /// for each of them [`Cache::mapped`] is to be called. What is put into `back` is not wanted any
    /// more, and to be released. Returns how many are to be mapped.
    pub fn granted(
        &mut self,
        number: u32,
        refs: Refs<'_>,
        mut map: impl FnMut(u32, u32),
        back: &mut RunList,
    ) -> Result<u32, Violation> {
        let (tree, list) = self.sent(number)?;
        let mut mapping = 0;

        if refs.count() != list.count() {
            return Err(Violation);
        }
        let blocks = list.runs().into_iter().flat_map(|runs| runs.blocks());
        for (block, reference) in blocks.zip(refs.iter()) {
            let Some(index) = self.table.find(Key { tree, block }) else {
                continue;
            };
            let slot = self.table.get_mut(index);
            match (slot, reference) {
                (Some(slot), Some(reference)) if !slot.is_doomed() => {
                    slot.set_state(State::Mapping);
                    mapping += 1;
                    map(index, reference);
                }
                (_, None) => {
                    self.counters.failed += 1;
                    self.free(index);
                }
                (_, Some(_)) => {
                    let key = self.free(index);
                    give_back(back, key);
                }
            }
        }
        self.advance(number, mapping);
        Ok(mapping)
    }

    /// Learns that the owner does not grant anything of a request.
    pub fn refused(&mut self, number: u32) -> Result<(), Violation> {
        let (tree, list) = self.sent(number)?;

        self.counters.failed += u64::from(list.count());
        self.forget(tree, &list);
        self.advance(number, 0);
        Ok(())
    }

    /// Learns whether a slot's block was mapped, and is what it should be. What is put into `back` is
    /// to be released. Returns true if it is to be unmapped at once, and then
    /// [closed](Cache::closed).
    pub fn mapped(&mut self, number: u32, index: u32, success: bool, back: &mut RunList) -> bool {
        let slot = self.table.get_mut(index);
        let Some(slot) = slot.filter(|slot| slot.state() == State::Mapping) else {
            return false;
        };
        let mut close = false;
        if !success {
            self.counters.failed += 1;
            let key = self.free(index);
            give_back(back, key);
        } else {
            close = slot.is_doomed();
            slot.set_state(if close { State::Closing } else { State::Ready });
            slot.set_recent();
            self.idle += u32::from(!close);
            self.counters.mapped += 1;
        }
        if let Some(request) = self.requests.get(number as usize) {
            if let Stage::Mapping(left) = request.stage {
                self.advance(number, left - 1);
            }
        }
        close
    }

    /// Ends all requests that the owner has not answered: it never will.
    pub(super) fn forget_all(&mut self) {
        for number in 0..self.requests.len() {
            let Some(request) = self.requests.get_mut(number) else {
                continue;
            };
            if matches!(request.stage, Stage::Filling | Stage::Sent) {
                request.stage = Stage::Idle;
                let (tree, list) = (request.tree, request.list);
                self.forget(tree, &list);
            }
        }
    }

    /// Frees the slots of blocks that will not come.
    fn forget(&mut self, tree: u8, list: &RunList) {
        for block in list.runs().into_iter().flat_map(|runs| runs.blocks()) {
            if let Some(index) = self.table.find(Key { tree, block }) {
                self.free(index);
            }
        }
    }

    fn sent(&self, number: u32) -> Result<(u8, RunList), Violation> {
        match self.requests.get(number as usize) {
            Some(request) if request.stage == Stage::Sent => Ok((request.tree, request.list)),
            _ => Err(Violation),
        }
    }

    fn advance(&mut self, number: u32, left: u32) {
        if let Some(request) = self.requests.get_mut(number as usize) {
            request.stage = match left {
                0 => Stage::Idle,
                _ => Stage::Mapping(left),
            };
        }
    }
}
