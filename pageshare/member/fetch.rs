// SPDX-License-Identifier: GPL-2.0

//! Blocks that are not here are asked for, mapped and checked.

use super::{
    attach,
    batch::{
        put,
        Batch,
        Proof,
        Ticket, //
    },
    held::Held,
    worker::PATIENCE_MS,
    Answer,
    Owner,
    State, //
};
use crate::{
    area::{
        cache::{
            Added,
            Found,
            Key,
            Pressure,
            Slot,
            Violation, //
        },
        wire::{
            Message,
            RunList,
            BATCH, //
        }, //
    },
    failure::Failure,
    link::Lost,
    linux::noio::NoIo,
    trace, //
};
use core::ops::Range;
use kernel::{
    pr_warn_once,
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// An owner that wants a block back each time before it is read so often has none for us.
const TRIES: u32 = 64;

/// As many more slots there are than are needed, when there have to be more, or an eighth.
const SPARE: u32 = 4 * BATCH;

/// As many blocks are given back when the owner has no room for others.
const ROOM: u32 = 8 * BATCH;

/// What came of asking for a block.
enum Outcome {
    /// It could not be asked for now.
    NotNow,
    /// It was mapped, or somebody else asks for it.
    Done,
    /// The owner does not grant it, or it is not what it should be.
    Failed,
    /// The link was lost before the owner has answered.
    Lost,
}

impl Owner {
    /// Returns a block, which is asked for if it is not here, and with it what is not here of the
    /// blocks `span`, which it is one of; all of them, or as many as there is room for.
    ///
    /// Context: process context, sleeps until the owner has answered.
    ///
    /// # Errors
    ///
    /// `EIO` if the owner does not grant it, or it is not what it should be, `ESTALE` if the tree is
    /// retired, `ENOMEM`; and those of [`Owner::remote`].
    pub(super) fn obtain(&self, key: Key, proof: &Proof<'_>, span: Range<u32>) -> Result<Held<'_>> {
        let _scope = NoIo::begin();
        let (mut has_made_room, mut was_lost) = (false, false);
        let began = Instant::<Monotonic>::now();
        let mut tries = 0;
        loop {
            let mut state = self.state.lock();
            match state.cache.find(key) {
                Found::Ready(slot) => {
                    drop(state);
                    return Held::new(self, slot);
                }
                Found::Coming | Found::Going => {
                    self.wait(&mut state);
                    continue;
                }
                Found::Absent => drop(state),
            }
            match self.fetch(key, proof, &span)? {
                Outcome::NotNow => (),
                // Perhaps the owner has no room, and we have what others could have.
                Outcome::Failed if !has_made_room && self.evict(ROOM, Pressure::Need)? > 0 => {
                    has_made_room = true;
                }
                Outcome::Failed => return Err(EIO),
                // Perhaps the owner is there, and has begun anew: not one that lets us wait.
                Outcome::Lost if !was_lost && began.elapsed().as_millis() < PATIENCE_MS => {
                    was_lost = true;
                }
                Outcome::Lost => return Err(Failure::NotConnected.into()),
                Outcome::Done if tries == TRIES => return Err(EIO),
                Outcome::Done => tries += 1,
            }
        }
    }

    /// Asks for a block and those around it.
    fn fetch(&self, key: Key, proof: &Proof<'_>, span: &Range<u32>) -> Result<Outcome> {
        let mut batch = Batch::new()?;
        let first = Key {
            block: span.start,
            ..key
        };
        self.hints.allocate(first, span.len() as u32);
        let remote = self.remote(key.tree)?;
        let Some(ticket) = self.request(key, remote, span, &mut batch)? else {
            return Ok(Outcome::NotNow);
        };
        let granted = self.granted(key, &ticket, &mut batch);
        let outcome = match granted {
            Ok(granted) => {
                let count = batch.wanted.len() as u32;
                trace::fetch(self.domain, remote, ticket.blocks.count(), count);
                match self.take(key, &ticket, &mut batch, proof) && granted {
                    true => Ok(Outcome::Done),
                    false => Ok(Outcome::Failed),
                }
            }
            Err(error) if error == Failure::NotConnected.into() => Ok(Outcome::Lost),
            Err(error) => Err(error),
        };
        // Of what the owner wanted back meanwhile nothing may be left now.
        self.settle();
        outcome
    }

    /// Begins a request for blocks of the tree that the owner knows as `remote`. [`None`] if that
    /// could not be done now, but perhaps another time.
    fn request(
        &self,
        key: Key,
        remote: u32,
        span: &Range<u32>,
        batch: &mut Batch,
    ) -> Result<Option<Ticket>> {
        let wanted = span.len() as u32;
        self.make_slots(wanted);
        let mut state = self.state.lock();
        let number = loop {
            match state.cache.request(key.tree) {
                Some(number) => break number,
                None => self.wait(&mut state),
            }
        };
        if state.remote(key.tree) != Some(remote) {
            // The link was lost meanwhile: nobody would answer.
            state.cache.send(number);
            self.changed.notify_all();
            return Ok(None);
        }
        // With little room the block itself comes first.
        let first = match state.cache.room() < wanted {
            true => key.block,
            false => span.start,
        };
        let mut added = (first..span.end).map(|block| state.cache.add(number, block));
        let full = added.any(|added| added == Added::NoSlot);
        if full {
            let close = |slot| put(&mut batch.closing, slot);
            // Not all at once where there are few: some were asked for just now.
            let most = (self.window.slots() / 8).clamp(wanted, BATCH);
            let used = |slot| self.window.was_used(slot);
            state.cache.evict(most, Pressure::Need, used, close);
        }
        let mut blocks = RunList::new();
        if let Some(runs) = state.cache.send(number) {
            for block in runs.blocks() {
                blocks.push(block);
            }
        }
        let (mut serial, mut sent) = (0, Ok(()));
        if let Some(runs) = blocks.runs() {
            serial = state.begin(number)?;
            // While the number is that of the tree.
            sent = state.send(&Message::Fetch {
                tree: remote,
                request: number,
                runs,
            });
        }
        if blocks.count() == 0 && batch.closing.is_empty() && full {
            // All that is mapped is used: somebody will be done, unless all wait here. Then nobody hears
            // of the owner, and the link is lost.
            self.wait(&mut state);
            if state.remote(key.tree) != Some(remote) {
                return Err(ENOMEM);
            }
        }
        drop(state);
        if let Err(Lost) = sent {
            self.lose();
        }
        self.unmap(&batch.closing);
        batch.closing.clear();
        Ok((blocks.count() > 0).then_some(Ticket {
            number,
            serial,
            blocks,
        }))
    }

    /// Sees to it that the cache has room for so many blocks more, as long as it may have more at all.
    /// If there is no memory for that, others have to go.
    fn make_slots(&self, more: u32) {
        let (used, slots) = {
            let state = self.state.lock();
            (state.cache.used(), state.cache.slots())
        };
        let wanted = used.saturating_add(more);
        let most = self.settings.pages();
        if wanted <= slots || slots >= most {
            return;
        }
        let wanted = wanted.saturating_add((used / 8).max(SPARE)).min(most);
        let Ok(slots) = VVec::from_elem(Slot::default(), wanted as usize, GFP_KERNEL) else {
            return;
        };
        let old = self.state.lock().cache.grow(slots);
        drop(old);
    }

    /// Waits for the owner's grants, and learns which of them are to be mapped where. Returns whether
    /// it has granted the block that is needed, if that was asked for.
    fn granted(&self, needed: Key, ticket: &Ticket, batch: &mut Batch) -> Result<bool> {
        let mut state = self.state.lock();
        let list = loop {
            let asked = state.answers.get(ticket.number as usize).ok_or(EINVAL)?;
            if asked.serial != ticket.serial {
                return Err(Failure::NotConnected.into());
            }
            match asked.answer {
                Answer::None => self.wait(&mut state),
                Answer::Granted => break asked.refs,
                Answer::Refused(reason) => {
                    // It was sent, and so it can be refused.
                    let _ = state.cache.refused(ticket.number);
                    return Err(attach::error(reason));
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
        let told = state.give_back(needed.tree, back);
        drop(state);
        if let Err(Lost) = told {
            self.lose();
        }
        granted.map_err(|Violation| {
            self.broken();
            EIO
        })?;
        let blocks = ticket.blocks.runs();
        let blocks = blocks.into_iter().flat_map(|runs| runs.blocks());
        let refs = list.refs().into_iter().flat_map(|refs| refs.iter());
        let refused =
            |(block, reference): (u32, Option<u32>)| block == needed.block && reference.is_none();
        let is_refused = blocks.zip(refs).any(refused);
        Ok(!is_refused)
    }

    /// Maps what was granted and checks it. What is not what it should be is given back; returns
    /// false if the block that is needed is among that.
    fn take(&self, needed: Key, ticket: &Ticket, batch: &mut Batch, proof: &Proof<'_>) -> bool {
        let Batch {
            wanted,
            mapped,
            closing,
            back,
        } = batch;
        let mut has_needed = true;
        let mut told = Ok(());
        self.window.map(wanted, |slot, result| match result {
            Ok(()) => put(mapped, slot),
            Err(error) => {
                pr_warn_once!(
                    "a page of domain {} is not mapped: {error:?}\n",
                    self.domain
                );
                let mut state = self.state.lock();
                has_needed &= state.cache.key(slot) != Some(needed);
                state.cache.mapped(ticket.number, slot, false, back);
                told = told.and(state.give_back(needed.tree, back));
            }
        });
        for &slot in mapped.iter() {
            let sound = self.check(slot, proof).is_ok();
            if !sound {
                pr_warn_once!("domain {} has spoiled its content\n", self.domain);
                self.window.unmap(&[slot], |_, _| {});
            }
            let mut state = self.state.lock();
            let key = state.cache.key(slot);
            has_needed &= sound || key != Some(needed);
            if state.cache.mapped(ticket.number, slot, sound, back) {
                put(closing, slot);
            } else if let Some(key) = key.filter(|_| sound) {
                self.remember(key, slot);
            }
            told = told.and(state.give_back(needed.tree, back));
        }
        if let Err(Lost) = told {
            self.lose();
        }
        self.changed.notify_all();
        self.unmap(closing);
        has_needed
    }

    /// Checks that what is mapped in a slot is its block.
    fn check(&self, slot: u32, proof: &Proof<'_>) -> Result {
        let key = self.state.lock().cache.key(slot).ok_or(EIO)?;
        let view = self.window.view(slot).ok_or(EIO)?;
        if view.digest() == proof.digest(key.block)? {
            Ok(())
        } else {
            Err(Failure::Spoiled.into())
        }
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
        asked.since = Instant::now();
        asked.answer = Answer::None;
        Ok(asked.serial)
    }
}
