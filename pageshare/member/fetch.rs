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
    request::split,
    worker::PATIENCE_MS,
    Answer,
    Owner, //
};
use crate::{
    area::{
        ahead::{
            With,
            WINDOW, //
        },
        cache::{
            Found,
            Key,
            Pressure,
            Violation, //
        },
        format::Layout,
        wire::BATCH, //
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
            match state.find(key) {
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

    /// Returns which blocks are to be fetched with one that has to be, by what is mapped now or on its way:
    /// not most of few that there may be, as those that have the digests are kept for that.
    ///
    /// Context: process context, may sleep.
    pub(super) fn span(&self, layout: &Layout, key: Key, with: With) -> Range<u32> {
        let state = self.state.lock();
        let most = (state.most.min(self.window.slots()) / 8).clamp(BATCH, WINDOW);
        let is_there = |block| state.cache.is_there(Key { block, ..key });
        with.span(layout, key.block, most, is_there)
    }

    /// Asks for a block and those around it.
    fn fetch(&self, key: Key, proof: &Proof<'_>, span: &Range<u32>) -> Result<Outcome> {
        let mut batch = Batch::new(span.len())?;
        let first = Key {
            block: span.start,
            ..key
        };
        self.hints.allocate(first, span.len() as u32);
        let remote = self.remote(key.tree)?;
        let (first, rest) = split(span.clone());
        let Some(ticket) = self.request(key, remote, &first, &mut batch)? else {
            return Ok(Outcome::NotNow);
        };
        put(&mut batch.tickets, ticket);
        self.request_more(key.tree, remote, rest, &mut batch);
        let granted = self.all_granted(key, remote, &mut batch);
        let has_needed = self.take(key, &mut batch, proof);
        let outcome = match granted {
            Ok(granted) if granted && has_needed => Ok(Outcome::Done),
            Ok(_) => Ok(Outcome::Failed),
            Err(error) if error == Failure::NotConnected.into() => Ok(Outcome::Lost),
            Err(error) => Err(error),
        };
        // Of what the owner wanted back meanwhile nothing may be left now.
        self.settle();
        outcome
    }

    /// As [`Owner::granted`], for all that was asked for. What is not granted with the block that is
    /// needed is not missed.
    fn all_granted(&self, needed: Key, remote: u32, batch: &mut Batch) -> Result<bool> {
        let tickets = core::mem::take(&mut batch.tickets);
        let mut first = None;
        for ticket in &tickets {
            let before = batch.wanted.len();
            let granted = self.granted(needed, ticket, batch);
            if granted.is_ok() {
                let count = (batch.wanted.len() - before) as u32;
                trace::fetch(self.domain, remote, ticket.blocks.count(), count);
            }
            first.get_or_insert(granted);
        }
        batch.tickets = tickets;
        first.unwrap_or(Err(EINVAL))
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
    fn take(&self, needed: Key, batch: &mut Batch, proof: &Proof<'_>) -> bool {
        let Batch {
            tickets,
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
                let key = state.cache.key(slot);
                has_needed &= key != Some(needed);
                let number = number(tickets, key);
                state.cache.mapped(number, slot, false, back);
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
            state.count(needed.tree, |counts| counts.got += u64::from(sound));
            if state.cache.mapped(number(tickets, key), slot, sound, back) {
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

/// The number of the request that was for a block.
fn number(tickets: &[Ticket], key: Option<Key>) -> u32 {
    let block = key.map(|key| key.block);
    let is_for = |ticket: &&Ticket| block.is_some_and(|block| ticket.span.contains(&block));
    tickets
        .iter()
        .find(is_for)
        .map_or(u32::MAX, |ticket| ticket.number)
}
