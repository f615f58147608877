// SPDX-License-Identifier: GPL-2.0

//! Blocks that are not here are asked for, mapped and checked.

use super::{
    held::Held,
    Answer,
    Owner,
    Releases,
    State, //
};
use crate::area::{
    cache::{
        Added,
        Found,
        Key,
        Pressure,
        Violation, //
    },
    format::{
        Digest,
        DIGEST, //
    },
    wire::{
        Message,
        RunList,
        BATCH, //
    }, //
};
use crate::failure::Failure;
use kernel::{
    pr_warn_once,
    prelude::*, //
};

/// What the digest of a block is to be.
pub(super) enum Proof<'a> {
    /// This one.
    Known(Digest),
    /// The one at this place, so many bytes behind the start of a block of digests.
    At(&'a Held<'a>, usize),
}

impl Proof<'_> {
    /// Returns the digest of the block so many blocks behind the first.
    fn digest(&self, ahead: u32) -> Result<Digest> {
        match self {
            Proof::Known(digest) if ahead == 0 => Ok(*digest),
            Proof::Known(_) => Err(EINVAL),
            Proof::At(held, offset) => {
                let mut digest = [0; DIGEST];
                let offset = offset + ahead as usize * DIGEST;
                held.view()?.read(offset, &mut digest)?;
                Ok(digest)
            }
        }
    }
}

/// A request that is under way.
struct Ticket {
    /// Its number.
    number: u32,
    /// Which one of that number it is.
    serial: u32,
    blocks: RunList,
}

/// Room for what is done about a batch of blocks, allocated before it is asked for.
struct Batch {
    /// Each slot that a grant is to be mapped in, and the grant.
    wanted: KVec<(u32, u32)>,
    /// The slots where it was mapped.
    mapped: KVec<u32>,
    /// Slots that are to be unmapped.
    closing: KVec<u32>,
    /// Blocks that are to be released.
    back: RunList,
}

impl Batch {
    fn new() -> Result<Self> {
        let most = BATCH as usize;
        Ok(Self {
            wanted: KVec::with_capacity(most, GFP_KERNEL)?,
            mapped: KVec::with_capacity(most, GFP_KERNEL)?,
            closing: KVec::with_capacity(most, GFP_KERNEL)?,
            back: RunList::new(),
        })
    }
}

/// Puts `value` where there is room for it.
fn put<T>(list: &mut KVec<T>, value: T) {
    // As many as a batch has blocks never fail.
    let _ = list.push(value, GFP_NOWAIT);
}

impl Owner {
    /// Looks for a block that is mapped.
    ///
    /// Context: process context, may sleep.
    pub(super) fn find(&self, key: Key) -> Result<Option<Held<'_>>> {
        let found = self.state.lock().cache.find(key);
        match found {
            Found::Ready(slot) => Held::new(self, slot).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns a block, which is asked for if it is not here, and with it up to `ahead` of those
    /// behind it.
    ///
    /// Context: process context, sleeps until the owner has answered.
    ///
    /// # Errors
    ///
    /// `EIO` if the owner does not grant it, `EBADMSG` if it is not what it should be, `ENOMEM`; and
    /// those of [`Owner::remote`].
    pub(super) fn obtain(&self, key: Key, proof: &Proof<'_>, ahead: u32) -> Result<Held<'_>> {
        let mut asked = false;
        loop {
            let mut state = self.state.lock();
            match state.cache.find(key) {
                Found::Ready(slot) => {
                    drop(state);
                    return Held::new(self, slot);
                }
                Found::Coming | Found::Going => self.wait(&mut state),
                // The owner has not granted it.
                Found::Absent if asked => return Err(EIO),
                Found::Absent => {
                    drop(state);
                    asked = self.fetch(key, proof, ahead)?;
                }
            }
        }
    }

    /// Asks for a block and those behind it. Returns false if that could not be done now.
    fn fetch(&self, key: Key, proof: &Proof<'_>, ahead: u32) -> Result<bool> {
        let mut batch = Batch::new()?;
        let remote = self.remote(key.tree)?;
        let Some(ticket) = self.request(key, ahead, &mut batch)? else {
            return Ok(false);
        };
        if let Some(runs) = ticket.blocks.runs() {
            self.send(&Message::Fetch {
                tree: remote,
                request: ticket.number,
                runs,
            });
        }
        self.granted(&ticket, &mut batch)?;
        self.take(key, &ticket, &mut batch, proof);
        Ok(true)
    }

    /// Begins a request. [`None`] if that could not be done now, but perhaps another time.
    fn request(&self, key: Key, ahead: u32, batch: &mut Batch) -> Result<Option<Ticket>> {
        let mut state = self.state.lock();
        let number = loop {
            match state.cache.request(key.tree) {
                Some(number) => break number,
                None => self.wait(&mut state),
            }
        };
        let serial = state.begin(number)?;
        let last = key.block.saturating_add(ahead);
        let mut added = (key.block..=last).map(|block| state.cache.add(number, block));
        let full = added.any(|added| added == Added::NoSlot);
        if full {
            let close = |slot| put(&mut batch.closing, slot);
            // Not all at once where there are few: some were asked for just now.
            let most = (self.window.slots() / 8).clamp(ahead + 1, BATCH);
            state.cache.evict(most, Pressure::Need, close);
        }
        let mut blocks = RunList::new();
        if let Some(runs) = state.cache.send(number) {
            for block in runs.blocks() {
                blocks.push(block);
            }
        }
        if blocks.count() == 0 && batch.closing.is_empty() && full {
            // All that is mapped is used: somebody will be done.
            self.wait(&mut state);
        }
        drop(state);
        self.unmap(&batch.closing);
        batch.closing.clear();
        Ok((blocks.count() > 0).then_some(Ticket {
            number,
            serial,
            blocks,
        }))
    }

    /// Waits for the owner's grants, and learns which of them are to be mapped where.
    fn granted(&self, ticket: &Ticket, batch: &mut Batch) -> Result {
        let mut state = self.state.lock();
        let list = loop {
            let asked = state.answers.get(ticket.number as usize).ok_or(EINVAL)?;
            if asked.serial != ticket.serial {
                return Err(Failure::NotConnected.into());
            }
            match asked.answer {
                Answer::None => self.wait(&mut state),
                Answer::Granted => break asked.refs,
                Answer::Refused => {
                    // It was sent, and so it can be refused.
                    let _ = state.cache.refused(ticket.number);
                    return Err(EIO);
                }
                Answer::Lost => return Err(Failure::NotConnected.into()),
            }
        };
        let Batch { wanted, back, .. } = batch;
        let map = |slot, reference| put(wanted, (slot, reference));
        let granted = match list.refs() {
            Some(refs) => state.cache.granted(ticket.number, refs, map, back),
            None => return Err(EIO),
        };
        drop(state);
        granted.map(|_| ()).map_err(|Violation| {
            self.broken();
            EIO
        })
    }

    /// Maps what was granted and checks it. What is not what it should be is given back.
    fn take(&self, first: Key, ticket: &Ticket, batch: &mut Batch, proof: &Proof<'_>) {
        let Batch {
            wanted,
            mapped,
            closing,
            back,
        } = batch;
        let mut failed = 0;
        self.window.map(wanted, |slot, result| match result {
            Ok(()) => put(mapped, slot),
            Err(error) => {
                pr_warn_once!(
                    "a page of domain {} is not mapped: {error:?}\n",
                    self.domain
                );
                failed += 1;
                let mut state = self.state.lock();
                state.cache.mapped(ticket.number, slot, false, back);
            }
        });
        for &slot in mapped.iter() {
            let sound = self.check(first, slot, proof).is_ok();
            if !sound {
                pr_warn_once!("domain {} has spoiled its content\n", self.domain);
                self.window.unmap(&[slot], |_, _| {});
            }
            let mut state = self.state.lock();
            if state.cache.mapped(ticket.number, slot, sound, back) {
                put(closing, slot);
            }
        }
        self.changed.notify_all();
        self.give_back(first.tree, back);
        self.unmap(closing);
    }

    /// Checks that what is mapped in a slot is its block.
    fn check(&self, first: Key, slot: u32, proof: &Proof<'_>) -> Result {
        let key = self.state.lock().cache.key(slot).ok_or(EIO)?;
        let ahead = key.block.checked_sub(first.block).ok_or(EIO)?;
        let view = self.window.view(slot).ok_or(EIO)?;
        if view.digest() == proof.digest(ahead)? {
            Ok(())
        } else {
            Err(Failure::Spoiled.into())
        }
    }

    /// Tells the owner of blocks that are not wanted after all.
    fn give_back(&self, tree: u32, back: &RunList) {
        let mut releases = Releases::new();
        for block in back.runs().into_iter().flat_map(|runs| runs.blocks()) {
            releases.add(self, Key { tree, block });
        }
        releases.send(self);
    }

    /// The owner has broken the protocol.
    pub(super) fn broken(&self) {
        pr_warn!("domain {} has broken the link\n", self.domain);
        self.lose();
    }
}

impl State {
    /// Takes note of a new request with that number. Returns which one of that number it is.
    fn begin(&mut self, number: u32) -> Result<u32> {
        let asked = self.answers.get_mut(number as usize).ok_or(EINVAL)?;
        asked.serial = asked.serial.wrapping_add(1);
        asked.answer = Answer::None;
        Ok(asked.serial)
    }
}
