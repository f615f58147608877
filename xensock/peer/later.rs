// SPDX-License-Identifier: GPL-2.0

//! What has to be done with a socket locked. A program may keep its socket locked for as long as it
//! likes (with memory of `userfaultfd`'s, say); the worker then tries again, and does everything
//! else meanwhile.

use super::Peer;
use crate::{
    conn::Conn,
    link::{
        slots::Slot,
        turn::Turn,
        wire::{
            Connect,
            Message,
            Reason, //
        }, //
    },
    vsock::Sock, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Something to be done with a socket locked.
pub(super) enum Later {
    /// The peer opens a connection, to a socket that listens.
    Connect(Connect),
    /// The peer has made a connection that we open.
    Connected(Turn, Sock),
    /// It has not, and the program sees this error.
    Refused(Arc<Conn>, Sock, Error),
}

impl Peer {
    /// Does something, now or later.
    ///
    /// Context: process context, may sleep; the worker only.
    pub(super) fn soon(&self, task: Later) {
        if !self.attempt(&task) {
            // With no memory for it the connection does not come about: both ends wait for so long
            // only.
            let _ = self.later.lock().push(task, GFP_KERNEL);
        }
    }

    /// Tries again what could not be done. Returns whether something is left.
    ///
    /// Context: as for [`Peer::soon`].
    pub(super) fn catch_up(&self) -> bool {
        let mut tasks = self.later.lock();
        tasks.retain(|task| !self.attempt(task));
        !tasks.is_empty()
    }

    /// Makes none of the connections that the peer has asked for: the link ends.
    pub(super) fn forget_asked(&self) {
        let mut tasks = self.later.lock();
        tasks.retain(|task| !matches!(task, Later::Connect(_)));
    }

    /// Does something unless a socket is locked. Returns whether it is done.
    fn attempt(&self, task: &Later) -> bool {
        match task {
            Later::Connect(connect) => {
                let slot = connect.slot;
                let answer = self.admit(connect);
                self.note_answer(connect, answer);
                match answer {
                    Ok(true) => self.post(Message::Accept { slot }),
                    Ok(false) => return false,
                    Err(reason) => self.post(Message::Refuse { slot, reason }),
                }
            }
            Later::Connected(turn, sock) => {
                let Some(locked) = sock.try_lock() else {
                    return false;
                };
                // The program may have given up, and begun anew.
                if self.bells.sock(*turn).is_some_and(|now| now.is(sock)) {
                    locked.connected();
                }
            }
            Later::Refused(conn, sock, error) => {
                let Some(locked) = sock.try_lock() else {
                    return false;
                };
                if !conn.is_attached() {
                    locked.refused(*error);
                }
            }
        }
        true
    }

    /// Whether the peer waits for an answer about the slot, which is not in use yet.
    pub(super) fn is_put_off(&self, slot: Slot) -> bool {
        self.later.lock().iter().any(|task| task.is_connect(slot))
    }

    /// The peer does not want a connection any more that nothing has come of yet.
    pub(super) fn forget(&self, slot: Slot) {
        if self.is_put_off(slot) {
            self.later.lock().retain(|task| !task.is_connect(slot));
            let reason = Reason::Cancelled;
            self.post(Message::Refuse { slot, reason });
        }
    }
}

impl Later {
    fn is_connect(&self, slot: Slot) -> bool {
        matches!(self, Later::Connect(connect) if connect.slot == slot)
    }
}
