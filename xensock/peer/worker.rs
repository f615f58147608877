// SPDX-License-Identifier: GPL-2.0

//! What a link's worker does.

use super::{
    Peer,
    Phase, //
};
use crate::{
    control::{
        Lost,
        Sent, //
    },
    link::{
        slots::{
            Slot,
            SLOTS, //
        },
        turn::Turn,
        wire::{
            Message,
            Reason, //
        }, //
    },
    linux::work::Task,
    rendezvous,
    wishes::Wish,
    xen::event::Status, //
};
use kernel::{
    pr_warn_once,
    prelude::*,
    sync::atomic::Relaxed,
    time::Msecs, //
};

/// How often the worker looks, while there is anything to look after, in milliseconds.
const LOOK_MS: Msecs = 500;

/// How soon the worker tries again what a locked socket has put off, in milliseconds.
const AGAIN_MS: Msecs = 2;

/// As many messages are taken at once; then others have their turn.
const BUDGET: usize = 256;

/// For so many looks a peer is called that does not answer and that nobody waits for.
const PATIENCE: u32 = 20;

impl Peer {
    /// Takes messages of the peer. Returns how many there were; if [`BUDGET`], there may be more.
    fn receive(&self) -> Result<usize, Lost> {
        for count in 0..BUDGET {
            let Some(received) = self.control.receive()? else {
                return Ok(count);
            };
            if received.event {
                self.ring_control();
            }
            match received.message {
                Message::Datagram {
                    src_port, dst_port, ..
                } => self.datagram(src_port, dst_port, received.payload),
                message => self.handle(message)?,
            }
        }
        Ok(BUDGET)
    }

    /// Does what connections want.
    fn serve(&self) {
        self.wishes.grant(|turn, wish| {
            if wish.has(Wish::CROSSED) {
                self.crossed(turn);
            }
            if wish.has(Wish::UNCLAIMED) {
                self.go_over(turn);
            }
            if wish.has(Wish::BROKEN) {
                self.break_off(turn);
            } else if wish.has(Wish::GROW) {
                self.grow(turn);
            }
            if wish.has(Wish::CLOSED) {
                self.finish(turn);
            }
        });
    }

    /// Ends a connection of which the peer has broken a ring.
    fn break_off(&self, turn: Turn) {
        let Some(conn) = self
            .records
            .lock()
            .at(turn)
            .map(|record| record.conn.clone())
        else {
            return;
        };
        self.note_broken(&conn);
        self.disconnect(turn, &conn);
        self.post(Message::Reset {
            slot: turn.slot(),
            reason: Reason::Broken,
        });
        self.finish(turn);
    }

    /// Looks whether the peer is there. Returns when to do so again; [`None`] if something will tell.
    fn look(&self) -> Option<Msecs> {
        let there = self.channel.status() == Status::Interdomain;
        match (self.is_calling(), there) {
            (true, true) => {
                self.phase.store(Phase::Up as u32, Relaxed);
                self.note_up();
                rendezvous::withdraw(self.domain);
            }
            (true, false) => self.call_again(),
            (false, true) => {
                let tended = self.tend().then_some(LOOK_MS);
                return match self.look_home() {
                    Some(soon) => Some(soon),
                    None => tended,
                };
            }
            (false, false) => self.end(),
        }
        Some(LOOK_MS)
    }

    /// Calls a peer again that may not have had a driver, for as long as somebody waits for it.
    fn call_again(&self) {
        let idle = if self.records.lock().is_wanted() {
            0
        } else {
            self.idle.load(Relaxed) + 1
        };
        self.idle.store(idle, Relaxed);
        let calls = || rendezvous::call(self.domain, &self.call).is_ok();
        if idle > PATIENCE || (idle == 0 && !calls()) {
            self.end();
        }
    }

    /// Ends all connections and gives their memory back. Returns whether a locked socket has still
    /// to be told: then this is to be called again.
    ///
    /// Context: process context, may sleep; no socket is locked.
    pub(crate) fn tear_down(&self) -> bool {
        if self.phase.load(Relaxed) < Phase::Down as u32 {
            self.end_all();
            self.phase.store(Phase::Down as u32, Relaxed);
        }
        let left = self.catch_up();
        if !left && self.phase.xchg(Phase::Over as u32, Relaxed) != Phase::Over as u32 {
            self.settings.reap();
        }
        left
    }

    fn end_all(&self) {
        let calling = self.is_calling();
        self.phase.store(Phase::Ended as u32, Relaxed);
        if let Ok(Sent::Tell) = self.control.send(Message::Goodbye) {
            self.ring_control();
        }
        self.forget_asked();
        for slot in (0..SLOTS).filter_map(Slot::new) {
            let record = self.records.lock().take(slot);
            if let Some(record) = record {
                self.unlink(&record);
            }
        }
        if calling {
            rendezvous::withdraw(self.domain);
        }
        self.bells.set_worker(None);
        self.leave_home();
        self.note_down();
    }
}

impl Task for Peer {
    fn step(&self) -> Option<Msecs> {
        let received = self.receive().and_then(|count| {
            if self.control.flush()? {
                self.ring_control();
            }
            Ok(count)
        });
        let received = received.unwrap_or_else(|Lost| {
            // Once: a peer can break links for ever. They are counted.
            pr_warn_once!("domain {} has broken the link\n", self.domain);
            self.note_lost();
            self.end();
            0
        });
        self.serve();
        let late = self.catch_up();
        let again = if self.is_alive() { self.look() } else { None };
        if !self.is_alive() {
            return self.tear_down().then_some(AGAIN_MS);
        }
        match (received, late) {
            (BUDGET, _) => Some(0),
            (_, true) => Some(AGAIN_MS),
            (0, _) => again,
            // Where a peer has left no room for a goodbye, only its channel tells.
            _ => Some(again.unwrap_or(LOOK_MS)),
        }
    }
}
