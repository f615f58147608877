// SPDX-License-Identifier: GPL-2.0

//! What a connection has for its program, and how that hears of more.

use super::Conn;
use crate::{
    busy::Patience,
    counters::Way,
    link::{
        packet::HEADER,
        ring::{
            Field,
            Lines,
            FIN, //
        }, //
    },
    vsock::{
        Kind,
        Locked,
        Shutdown, //
    },
    wishes::Wish, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

impl Conn {
    /// Returns how many bytes can be received, or the length of the packet that can.
    pub(crate) fn readable(&self, sock: &Locked) -> usize {
        let readable = self.try_rx(sock, |rx| {
            // First: what was sent before it is seen below.
            let finished = rx.lines.load_acquire(Field::ProdFlags) & FIN != 0 || rx.link.is_none();
            let bytes = match self.kind {
                Kind::Seqpacket => rx.packet()?.map_or(0, |packet| packet.header.len),
                _ => rx.look()?,
            };
            Ok((bytes, finished))
        });
        let Ok((bytes, finished)) = readable else {
            return 0;
        };
        if finished {
            sock.hold().peer_shutdown(Shutdown::SEND);
        }
        bytes as usize
    }

    /// Returns how many bytes can be sent, or less, but none only if there is no room.
    pub(crate) fn writable(&self, sock: &Locked) -> usize {
        let limit = self.limit();
        let writable = self.try_tx(sock, |tx| {
            let gone = tx.ring.reader_gone(&tx.lines);
            let room = match self.kind {
                Kind::Seqpacket => {
                    let need = self.need.load(Relaxed).max(2 * HEADER);
                    let room = tx.room(u32::MAX, need)?;
                    if room >= need {
                        room
                    } else {
                        0
                    }
                }
                _ => tx.room(limit, 1)?,
            };
            Ok((room, gone))
        });
        let Ok((room, gone)) = writable else {
            return 0;
        };
        if gone {
            sock.hold().peer_shutdown(Shutdown::RECEIVE);
        }
        room as usize
    }

    /// Looks whether `target` bytes of a stream come, or what comes is broken, for as long as there
    /// is patience.
    pub(crate) fn look_for_data(&self, sock: &Locked, target: usize, patience: Patience) -> bool {
        let target = target.max(1);
        self.busy.look(patience, || {
            let there = self.try_rx(sock, |rx| rx.look());
            there.map_or(true, |bytes| bytes as usize >= target)
        })
    }

    /// Asks to be woken when `target` bytes can be received; returns whether they can already, or
    /// never will.
    pub(crate) fn await_data(&self, sock: &Locked, target: usize) -> bool {
        let there = self.want_data(sock, target).unwrap_or(true);
        if !there {
            self.busy.sleeps();
            self.tally.blocked(Way::Receive);
        }
        there
    }

    /// Asks to be woken when there is room again, and for more of it; returns whether there is some
    /// already, or never will be.
    pub(crate) fn await_space(&self, sock: &Locked) -> bool {
        let there = self.want_space(sock).unwrap_or(true);
        if !there {
            self.tally.blocked(Way::Send);
        }
        there
    }

    /// The program has received something, `short` of what it has asked for or not. Where that was
    /// all there was, others who wait are to hear of what comes next, and who waits for edges
    /// (`EPOLLET`) may not ask again: not after it has found nothing, nor after a short answer.
    pub(super) fn rearm_data(&self, sock: &Locked, short: bool) {
        if !sock.has_waiters() {
            return;
        }
        let left = self.try_rx(sock, |rx| rx.look()).unwrap_or(0);
        let asks = short || left == 0;
        if asks
            && self
                .want_data(sock, sock.receive_low_water())
                .unwrap_or(true)
        {
            sock.hold().data_ready();
        }
    }

    /// As [`Conn::rearm_data`], for who has sent something and for room.
    pub(super) fn rearm_space(&self, sock: &Locked, short: bool) {
        if !sock.has_waiters() {
            return;
        }
        let asks = short || self.writable(sock) == 0;
        if asks && self.want_space(sock).unwrap_or(true) {
            sock.hold().write_space();
        }
    }

    fn want_data(&self, sock: &Locked, target: usize) -> Result<bool> {
        let target = match self.kind {
            Kind::Seqpacket => 1,
            _ => u32::try_from(target).unwrap_or(u32::MAX),
        };
        let (there, overtaken) = self.try_rx(sock, |rx| {
            let target = target.min(rx.ring.size().bytes() / 2);
            let there = rx.ring.want_data(&rx.lines, target)?;
            Ok((there, rx.ring.overtaken()))
        })?;
        if overtaken {
            sock.hold().data_ready();
        }
        Ok(there)
    }

    fn want_space(&self, sock: &Locked) -> Result<bool> {
        let limit = self.limit();
        let need = self.need.load(Relaxed);
        self.try_tx(sock, |tx| {
            let size = tx.ring.size().bytes();
            // Where the program has set a limit, half of it shall have been read.
            let (bytes, wanted) = match self.kind {
                Kind::Seqpacket => (need.max(2 * HEADER), u32::MAX),
                _ if limit < size => (size - limit / 2, limit),
                _ => (1, limit),
            };
            let most = self.most.load(Relaxed).min(tx.largest().bytes());
            if wanted.min(most) > size || bytes > size {
                tx.wish(Wish::GROW);
            }
            // A packet that is longer than the ring has room only in a larger one.
            let there = tx.ring.want_space(&tx.lines, bytes)? && bytes <= size;
            Ok(there || tx.ring.reader_gone(&tx.lines))
        })
    }
}
