// SPDX-License-Identifier: GPL-2.0

//! The core of xensock as the module compiles it, and memory to drive it with.

#![no_std]

#[path = "../../../../xensock/link/mod.rs"]
pub mod link;
pub mod plain;
