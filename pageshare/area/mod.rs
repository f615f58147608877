// SPDX-License-Identifier: GPL-2.0

//! What the owner of shared pages and its members agree on, and how a member finds its way.
//!
//! Pure code: no clock, no allocation but what is handed in, no kernel. Whoever uses it hands in
//! the blocks of a tree behind a small trait, [`tree::Blocks`].
//!
//! ```text
//!   file      tree, names      a name, a directory's entries, which block a byte is in
//!   record    format           what the bytes of a block mean
//! ```
//!
//! The owner is another tenant. Each record of its blocks is copied once, checked, and only the
//! copy is used: whatever it writes, and whenever, the worst that comes of it is a
//! [`format::Flaw`], or a file of its own that has other bytes.

#![forbid(unsafe_code)]

pub mod format;
pub mod names;
pub mod tree;
