// SPDX-License-Identifier: GPL-2.0

//! An owner is asked for blocks.

use super::{
    batch::{
        put,
        Batch,
        Ticket, //
    },
    Answer,
    Owner,
    State, //
};
use crate::{
    area::{
        cache::{
            Added,
            Key,
            Pressure,
            Slot, //
        },
        wire::{
            Message,
            RunList,
            BATCH, //
        }, //
    },
    link::Lost, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    time::Instant, //
};

/// As many more slots there are than are needed, when there have to be more, or a sixteenth.
const SPARE: u32 = 4 * BATCH;

/// Returns the blocks of `span` that one request can be for, and the others.
pub(super) fn split(span: Range<u32>) -> (Range<u32>, Range<u32>) {
    let at = span.end.min(span.start.saturating_add(BATCH));
    (span.start..at, at..span.end)
}

impl Owner {
    /// Begins a request for blocks of the tree that the owner knows as `remote`. [`None`] if that
    /// could not be done now, but perhaps another time.
    pub(super) fn request(
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
        let (ticket, sent) = state.ask(number, (key.tree, remote), first..span.end)?;
        if ticket.is_none() && batch.closing.is_empty() && full {
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
        Ok(ticket)
    }

    /// Begins requests for `rest` as well, as far as nobody has to wait or to go for them.
    pub(super) fn request_more(&self, tree: u8, remote: u32, rest: Range<u32>, batch: &mut Batch) {
        if rest.is_empty() {
            return;
        }
        self.make_slots(rest.len() as u32);
        let mut state = self.state.lock();
        let (mut span, mut rest) = split(rest);
        let mut told = Ok(());
        while !span.is_empty() && told.is_ok() {
            let has_room = state.cache.room() >= span.len() as u32;
            if !has_room || state.remote(tree) != Some(remote) {
                break;
            }
            let Some(number) = state.cache.request(tree) else {
                break;
            };
            for block in span.clone() {
                state.cache.add(number, block);
            }
            let Ok((ticket, sent)) = state.ask(number, (tree, remote), span) else {
                break;
            };
            told = sent;
            if let Some(ticket) = ticket {
                put(&mut batch.tickets, ticket);
            }
            (span, rest) = split(rest);
        }
        drop(state);
        if let Err(Lost) = told {
            self.lose();
        }
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
        let wanted = wanted.saturating_add((used / 16).max(SPARE)).min(most);
        let Ok(slots) = VVec::from_elem(Slot::default(), wanted as usize, GFP_KERNEL) else {
            return;
        };
        let old = self.state.lock().cache.grow(slots);
        drop(old);
    }
}

impl State {
    /// Asks the owner for the blocks of `span` that were added to a request, of a tree that it knows as
    /// `remote`. Returns what stands for that, if it is any, and whether it could be sent.
    fn ask(
        &mut self,
        number: u32,
        (tree, remote): (u8, u32),
        span: Range<u32>,
    ) -> Result<(Option<Ticket>, Result<(), Lost>)> {
        let mut blocks = RunList::new();
        if let Some(runs) = self.cache.send(number) {
            for block in runs.blocks() {
                blocks.push(block);
            }
        }
        let Some(runs) = blocks.runs() else {
            return Ok((None, Ok(())));
        };
        let serial = self.begin(number)?;
        let asked = u64::from(runs.count());
        self.count(tree, |counts| counts.asked += asked);
        // While the number is that of the tree.
        let sent = self.send(&Message::Fetch {
            tree: remote,
            request: number,
            runs,
        });
        let ticket = Ticket {
            span,
            number,
            serial,
            blocks,
        };
        Ok((Some(ticket), sent))
    }

    /// Takes note of a new request with that number. Returns which one of that number it is.
    fn begin(&mut self, number: u32) -> Result<u32> {
        let asked = self.answers.get_mut(number as usize).ok_or(EINVAL)?;
        asked.serial = asked.serial.wrapping_add(1);
        asked.since = Instant::now();
        asked.answer = Answer::None;
        Ok(asked.serial)
    }
}
