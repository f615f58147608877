// SPDX-License-Identifier: GPL-2.0

//! Xen, a toolstack and guests that run the balloon's engine, the module's own source, as a system
//! of states for an exhaustive search; and the same guests with mutants of the engine, to see that
//! the search finds them. What is claimed and what is not: `docs/xenballoon-proof.md`.

pub mod calm;
pub mod csp;
pub mod frames;
pub mod house;
pub mod law;
pub mod mutants;
pub mod scenes;
pub mod search;
pub mod subject;
