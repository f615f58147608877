// SPDX-License-Identifier: GPL-2.0

//! Rings that are too small for what is to be written: who asks for larger ones, and what it is told
//! where there are none. A program may sleep until its packet fits, so each wish is answered.

use super::Peer;
use crate::{
    link::{
        segment::Size,
        slots::Slot,
        turn::Turn,
        wire::{
            Direction,
            Message, //
        }, //
    },
    records::Record, //
};

impl Peer {
    /// A ring that we write is too small.
    pub(super) fn grow(&self, turn: Turn) {
        let slot = turn.slot();
        let size = {
            let mut records = self.records.lock();
            let Some(record) = records.at(turn).filter(|record| !record.asked) else {
                return;
            };
            let Some(size) = record.conn.wanted(turn, self.settings.last()) else {
                // What is allowed has become less.
                self.cannot_have(record, Size::MAX);
                return;
            };
            record.asked = !self.is_ours(slot);
            size
        };
        if self.is_ours(slot) {
            self.offer(slot, Direction::FromOpener, size);
        } else {
            self.post(Message::Want { slot, size });
        }
    }

    /// The peer wants a larger segment to write to.
    pub(super) fn want(&self, slot: Slot, size: Size) {
        if let Some(record) = self.records.lock().get(slot) {
            record.wanted = Some(size);
        }
        self.offer_wanted(slot);
    }

    /// Offers what the peer wants, as soon as our end has gone over to what it had got before; tells
    /// it if it cannot have more than it has.
    pub(super) fn offer_wanted(&self, slot: Slot) {
        let direction = Direction::ToOpener;
        let mut records = self.records.lock();
        let Some(record) = records.get(slot) else {
            return;
        };
        let Some(wanted) = record.wanted.filter(|_| record.of(direction).is_settled()) else {
            return;
        };
        let size = wanted.min(self.settings.last());
        if size.bytes() as usize > record.size(direction) {
            drop(records);
            self.offer(slot, direction, size);
        } else {
            record.wanted = None;
            drop(records);
            self.cannot_give(slot, Some(wanted));
        }
    }

    /// An exchange of a direction's segment is over: what has waited for that goes on.
    pub(super) fn settled(&self, slot: Slot, direction: Direction) {
        match direction {
            Direction::ToOpener => self.offer_wanted(slot),
            Direction::FromOpener => {
                let turn = self.records.lock().get(slot).map(|record| record.turn);
                if let Some(turn) = turn {
                    // Who still has no room for its packet asks again.
                    self.tell_space(turn);
                }
            }
        }
    }

    /// Tells the peer that it does not get what it has wanted.
    pub(super) fn cannot_give(&self, slot: Slot, wanted: Option<Size>) {
        if let Some(size) = wanted {
            self.post(Message::NoLarger { slot, size });
        }
    }

    /// The peer does not give what we have wanted.
    pub(super) fn no_larger(&self, slot: Slot, size: Size) {
        if let Some(record) = self.records.lock().get(slot) {
            record.asked = false;
            self.cannot_have(record, size);
        }
    }

    /// The ring that we write does not get so large. Who waits for that finds it out.
    pub(super) fn cannot_have(&self, record: &Record, size: Size) {
        record.conn.refuse(record.turn, size);
        self.tell_space(record.turn);
    }

    /// A ring that we write has gone over to another segment: both ends look.
    pub(super) fn moved(&self, turn: Turn) {
        self.ring(turn.slot());
        self.tell_space(turn);
    }

    /// Wakes who waits to write.
    fn tell_space(&self, turn: Turn) {
        if let Some(sock) = self.bells.sock(turn) {
            sock.write_space();
        }
    }
}
