// SPDX-License-Identifier: GPL-2.0

//! What the owner of shared pages and its members agree on, and how a member finds its way.
//!
//! Pure code: no clock, no allocation but what is handed in, no kernel. Whoever uses it hands in
//! the blocks of a tree behind a small trait, [`tree::Blocks`], carries messages, and maps and
//! unmaps grants as it is told.
//!
//! ```text
//!   file      tree, names      a name, a directory's entries, which block a byte is in
//!   record    format           what the bytes of a block mean
//!   block     cache            which blocks are mapped, which to ask for, which to give back
//!             ahead            which to ask for besides
//!   page      store            each content once, who has it, who may read it now
//!   message   wire, packet     what the bytes of the control ring mean
//!   domain    trust, policy    who may attach
//! ```
//!
//! The owner is another tenant. Each record of its blocks is copied once, checked, and only the
//! copy is used: whatever it writes, and whenever, the worst that comes of it is a
//! [`format::Flaw`], or a file of its own that has other bytes.
//!
//! Control rings are those of xensock, and so is the form of rules: the same sources, compiled here
//! as well.

#![forbid(unsafe_code)]

pub mod ahead;
pub mod cache;
mod chain;
pub mod format;
pub mod names;
pub mod offer;
#[path = "../../xensock/link/packet.rs"]
pub mod packet;
#[path = "../../xensock/link/policy.rs"]
pub mod policy;
#[path = "../../xensock/link/wire/rendezvous.rs"]
pub mod rendezvous;
#[path = "../../xensock/link/ring/mod.rs"]
pub mod ring;
#[path = "../../xensock/link/segment.rs"]
pub mod segment;
pub mod store;
pub mod tree;
pub mod trust;
pub mod wire;
