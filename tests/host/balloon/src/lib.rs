// SPDX-License-Identifier: GPL-2.0

//! The balloon's engine as the module compiles it, and a domain to drive it with.

#![no_std]

#[path = "../../../../balloon/engine/mod.rs"]
pub mod engine;
#[path = "../../../../balloon/invariants.rs"]
pub mod invariants;
pub mod model;
#[path = "../../../../balloon/statistics/mod.rs"]
pub mod statistics;
