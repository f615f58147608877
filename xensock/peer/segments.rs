// SPDX-License-Identifier: GPL-2.0

//! Larger segments for rings that are full, and smaller ones for those that are idle.

use super::Peer;
use crate::{
    control::Lost,
    ends::Switched,
    link::{
        exchange::End,
        grow::Tuning,
        segment::Size,
        slots::Slot,
        stage::Stage,
        turn::Turn,
        wire::{
            Direction,
            Message,
            Offer,
            LISTED_PER_PAGE, //
        }, //
    },
    memory::Shared,
    wishes::Wish,
    xen::grant::{
        Granted,
        Mapped, //
    }, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

/// A ring that has grown and that nothing goes through for so long shrinks, in milliseconds.
const IDLE_MS: u64 = 1000;

/// How often rings that have grown, or are about to, are looked after, in milliseconds.
const TEND_MS: u64 = 500;

impl Peer {
    /// Looks after rings that no program is busy with, from time to time: those that have grown get
    /// their first size again, and those that were exchanged follow. Returns whether there are any.
    pub(super) fn tend(&self) -> bool {
        let Some(mut slot) = self.records.lock().tended.first(0) else {
            return false;
        };
        let now = self.now();
        if now < self.tend_at.load(Relaxed) {
            return true;
        }
        self.tend_at.store(now + TEND_MS, Relaxed);
        let tunings = self.settings.first().map(|min| Tuning {
            min,
            idle_ms: IDLE_MS,
        });
        loop {
            self.tend_one(slot, &tunings, now);
            match self.records.lock().tended.first(slot.number() + 1) {
                Some(next) => slot = next,
                None => return true,
            }
        }
    }

    /// Looks after the rings of one connection, and whether that is to be done again.
    fn tend_one(&self, slot: Slot, tunings: &[Tuning; 2], now: u64) {
        let both = [Direction::FromOpener, Direction::ToOpener];
        if self.is_ours(slot) {
            for direction in both {
                if let Some(size) = self.idle(slot, direction, &tunings[direction.index()], now) {
                    self.offer(slot, direction, size);
                }
            }
        } else {
            self.follow(slot);
        }
        let mut records = self.records.lock();
        let ours = self.is_ours(slot);
        let again = records.get(slot).is_some_and(|record| {
            both.into_iter().any(|direction| {
                let least = tunings[direction.index()].min.bytes() as usize;
                let grown = ours && record.size(direction) > least;
                grown || !record.of(direction).is_settled()
            })
        });
        if !again {
            records.tended.remove(slot);
        }
    }

    /// The size that a ring shall have instead of its own, since it is idle.
    fn idle(&self, slot: Slot, direction: Direction, tuning: &Tuning, now: u64) -> Option<Size> {
        let at = direction.index();
        let mut records = self.records.lock();
        let record = records.get(slot)?;
        if record.size(direction) <= tuning.min.bytes() as usize {
            return None;
        }
        let (size, traffic) = record.conn.traffic(record.turn, direction)?;
        record.uses[at].looked_at(tuning, size, now, traffic)
    }

    /// Lets a ring go over to what the peer has gone over to, if it may have.
    fn follow(&self, slot: Slot) {
        if let Some(record) = self.records.lock().get(slot) {
            if record.of(Direction::FromOpener).next().is_some() {
                record.conn.follow(record.turn);
            }
        }
    }

    /// Offers a segment of `size` for a direction of a connection that we have opened, unless one is
    /// on its way.
    pub(super) fn offer(&self, slot: Slot, direction: Direction, size: Size) {
        let at = direction.index();
        let mut records = self.records.lock();
        let Some(record) = records.get(slot) else {
            return;
        };
        if record.stage != Stage::Open || !record.of(direction).is_settled() {
            return;
        }
        let Ok((segment, lists, refs)) = self.segment(size) else {
            record.uses[at].declined(self.now());
            match direction {
                Direction::FromOpener => self.cannot_have(record, size),
                Direction::ToOpener => {
                    let wanted = record.wanted.take();
                    drop(records);
                    self.cannot_give(slot, wanted);
                }
            }
            return;
        };
        let Some(offer) = Offer::new(slot, direction, size, &refs) else {
            return;
        };
        if direction == Direction::ToOpener {
            if !record.expect_next(size, &segment) {
                return;
            }
            record.wanted = None;
        }
        if record.of(direction).offer(segment).is_err() {
            return;
        }
        record.lists[at] = lists;
        records.tended.insert(slot);
        drop(records);
        self.post(Message::Offer(offer));
    }

    /// Returns a segment to offer, the pages that list its grant references, and theirs.
    fn segment(&self, size: Size) -> Result<(Arc<Shared>, KVec<Granted>, KVec<u32>)> {
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let segment = Shared::grant(&self.account, self.domain, size.pages() as usize, flags)?;
        let mut lists = KVec::new();
        let mut refs = KVec::new();
        for part in segment.refs().chunks(LISTED_PER_PAGE as usize) {
            let list = Granted::new(self.domain, 1, flags)?;
            for (at, reference) in (0..).step_by(4).zip(part) {
                list.write(at, &reference.to_le_bytes())?;
            }
            refs.push(list.refs().first().copied().ok_or(EINVAL)?, GFP_KERNEL)?;
            lists.push(list, GFP_KERNEL)?;
        }
        Ok((segment, lists, refs))
    }

    /// The peer offers a segment for a direction of a connection that it has opened.
    pub(super) fn offered(&self, offer: &Offer) -> Result<(), Lost> {
        let (slot, direction) = (offer.slot, offer.direction);
        let mapped = match self.is_due(offer) {
            true => self.map(offer),
            false => None,
        };
        let mut records = self.records.lock();
        let Some(record) = records.get(slot) else {
            return Ok(());
        };
        record.asked = false;
        let Some(segment) = mapped else {
            if direction == Direction::ToOpener {
                self.cannot_have(record, offer.size);
            }
            drop(records);
            self.post(Message::Declined { slot, direction });
            return Ok(());
        };
        let reads = direction == Direction::FromOpener;
        let taken = !reads || record.expect_next(offer.size, &segment);
        let taken = taken && record.of(direction).mapped(segment).is_ok();
        let turn = record.turn;
        if reads {
            records.tended.insert(slot);
        }
        drop(records);
        match (taken, reads) {
            (true, true) => self.post(Message::Taken { slot, direction }),
            (true, false) => self.go_over(turn),
            (false, _) => self.post(Message::Declined { slot, direction }),
        }
        Ok(())
    }

    /// Whether what the peer offers may be: nothing else is under way, and it is no larger than
    /// segments get here, or than the one there is.
    fn is_due(&self, offer: &Offer) -> bool {
        let mut records = self.records.lock();
        records.get(offer.slot).is_some_and(|record| {
            let held = record.size(offer.direction);
            let most = held.max(self.settings.last().bytes() as usize);
            record.of(offer.direction).is_settled() && offer.size.bytes() as usize <= most
        })
    }

    /// Makes the ring that we write go over to the segment that waits for that, if there is one,
    /// and no program copies to the old one just now.
    pub(super) fn go_over(&self, turn: Turn) {
        let slot = turn.slot();
        let direction = Direction::written_by(self.side, slot.opener());
        let mut records = self.records.lock();
        let Some(record) = records.at(turn) else {
            return;
        };
        let Some(next) = record.of(direction).next().cloned() else {
            return;
        };
        let Some(size) = Size::from_bytes(next.len() as u32) else {
            return;
        };
        match record.conn.go_over(turn, size, &next) {
            Some(Switched::Yes) => {}
            Some(Switched::No) => {
                self.wish(turn, Wish::BROKEN);
                return;
            }
            // It is tried again, or goes with the connection.
            Some(Switched::Later) | None => return,
        }
        if self.is_ours(slot) {
            record.of(direction).went_over();
            drop(records);
        } else {
            let before = record.of(direction).left();
            drop(records);
            drop(before);
            self.post(Message::Taken { slot, direction });
            self.post(Message::Dropped { slot, direction });
        }
        self.moved(turn);
    }

    /// Maps what is offered.
    pub(super) fn map(&self, offer: &Offer) -> Option<Arc<Shared>> {
        let pages = offer.size.pages() as usize;
        let lists = Mapped::new(self.domain, offer.lists()).ok()?;
        let mut refs = KVec::with_capacity(pages, GFP_KERNEL).ok()?;
        for at in (0..4 * pages).step_by(4) {
            let mut word = [0; 4];
            lists.read(at, &mut word).ok()?;
            refs.push(u32::from_le_bytes(word), GFP_KERNEL).ok()?;
        }
        drop(lists);
        Shared::map(&self.account, self.domain, &refs).ok()
    }

    /// The peer has mapped what we have offered.
    pub(super) fn taken(&self, slot: Slot, direction: Direction) -> Result<(), Lost> {
        let at = direction.index();
        let (turn, lists) = {
            let mut records = self.records.lock();
            let record = records.get(slot).ok_or(Lost)?;
            record.of(direction).taken(match direction {
                Direction::FromOpener => End::Producer,
                Direction::ToOpener => End::Consumer,
            })?;
            record.uses[at].exchanged(self.now());
            (record.turn, core::mem::take(&mut record.lists[at]))
        };
        drop(lists);
        if direction == Direction::FromOpener {
            self.go_over(turn);
        }
        Ok(())
    }

    /// The peer has not mapped what we have offered.
    pub(super) fn declined(&self, slot: Slot, direction: Direction) -> Result<(), Lost> {
        let at = direction.index();
        let mut records = self.records.lock();
        let record = records.get(slot).ok_or(Lost)?;
        let declined = record.of(direction).declined()?;
        let lists = core::mem::take(&mut record.lists[at]);
        record.uses[at].declined(self.now());
        let mut less = None;
        match direction {
            Direction::FromOpener => {
                let held = record.size(direction);
                if let Some(size) = Size::from_bytes(declined.len() as u32) {
                    // It may be the peer's largest that is smaller.
                    let half = size.half();
                    less = half.filter(|half| half.bytes() as usize > held);
                    if less.is_none() {
                        self.cannot_have(record, size);
                    }
                }
            }
            Direction::ToOpener => {
                record.conn.with_rx(record.turn, |rx| {
                    if rx.ring.withdraw() {
                        rx.segments[1 - rx.ring.slot()] = None;
                    }
                });
            }
        }
        drop(records);
        drop((declined, lists));
        match less {
            Some(size) => self.offer(slot, direction, size),
            None => self.settled(slot, direction),
        }
        Ok(())
    }

    /// The peer has not mapped any more what was before the segment of a direction.
    pub(super) fn dropped(&self, slot: Slot, direction: Direction) -> Result<(), Lost> {
        let before = {
            let mut records = self.records.lock();
            let record = records.get(slot).ok_or(Lost)?;
            let before = record.of(direction).dropped()?;
            if direction == Direction::ToOpener {
                record.conn.follow(record.turn);
            }
            before
        };
        drop(before);
        self.settled(slot, direction);
        Ok(())
    }

    /// A ring that we read has gone over to another segment.
    pub(super) fn crossed(&self, turn: Turn) {
        let slot = turn.slot();
        let conn = self.records.lock().at(turn).map(|found| found.conn.clone());
        // Dropped where it may take its time.
        drop(conn.and_then(|conn| conn.with_rx(turn, |rx| rx.left.take())));
        if self.is_ours(slot) {
            self.offer_wanted(slot);
            return;
        }
        let direction = Direction::FromOpener;
        let mut records = self.records.lock();
        let record = records.at(turn);
        let Some(before) = record.and_then(|record| record.of(direction).left()) else {
            return;
        };
        drop(records);
        drop(before);
        self.post(Message::Dropped { slot, direction });
    }
}
