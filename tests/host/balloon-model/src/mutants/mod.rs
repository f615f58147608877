// SPDX-License-Identifier: GPL-2.0

//! Copies of the engine, each with one thing wrong. `build.rs` makes them of [`table`].

use crate::law::Law;
use crate::subject::{Subject, adapt};
use balloon_engine::engine as real;

pub mod table;

include!(concat!(env!("OUT_DIR"), "/mutants.rs"));

/// Returns the law of that name.
pub fn law(name: &str) -> Option<Law> {
    crate::law::LAWS
        .iter()
        .find(|law| law.1 == name)
        .map(|law| law.0)
}
