// SPDX-License-Identifier: GPL-2.0

//! The core of pageshare against an owner that writes anything at any time. Each attack takes the
//! bytes that a fuzzer makes up, plays them against the real code, and panics where that does what
//! it must not. It returns how often something was found to be wrong.
//!
//! `cargo fuzz run tree` (or `cache`) in this folder goes on for ever; the tests here play as much as takes
//! seconds.

pub mod cache;
pub mod tree;
