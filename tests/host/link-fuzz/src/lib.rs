// SPDX-License-Identifier: GPL-2.0

//! The core of xensock against a peer that writes anything at any time. Each attack takes the bytes
//! that a fuzzer makes up, plays them against the real code, and panics where that does what it must
//! not. It returns how many words or messages were not as they should be.
//!
//! `cargo fuzz run ring` (or `messages`) in this folder goes on for ever; the tests here play a
//! million words each.

pub mod bytes;
pub mod messages;
pub mod ring;
