// SPDX-License-Identifier: GPL-2.0

//! What two domains agree on to carry sockets over shared memory, without touching that memory.
//!
//! Pure code: no clock, no allocation, no kernel. The driver, and the tests on the host, hand in the
//! shared words behind two small traits, [`ring::Lines`] and [`doorbell::Bits`], copy the bytes where
//! a [`ring::Place`] says they are, and send the events that are asked for.
//!
//! ```text
//!   connection   slots, turn              which connection it is, whose wishes these are
//!                policy, stage            what to answer, what becomes of a connection
//!                grow, exchange           which memory to offer, and how it is gone over to
//!   message      wire, packet             what the bytes of the control ring mean
//!   bytes        ring, segment            where to copy, when to send an event
//!   event        doorbell, rate           which of the connections an event is about, how many come
//! ```
//!
//! The peer is another tenant: each of its words is read once, checked, and only the copy is used.
//! Whatever it writes, the worst that comes of it is [`ring::Broken`].

#![forbid(unsafe_code)]

pub mod doorbell;
pub mod exchange;
pub mod grow;
pub mod packet;
pub mod policy;
pub mod rate;
pub mod ring;
pub mod segment;
pub mod slots;
pub mod stage;
pub mod turn;
pub mod wire;
