// SPDX-License-Identifier: GPL-2.0
//! The modules build for the next kernel as well; `make` has done it, and is held to it here.

use crate::report::Suite;
use anyhow::{Result, ensure};
use bed::place;

const MODULES: [&str; 1] = ["xenballoon"];

/// Looks for what `make` has built.
pub fn run(suite: &Suite) -> Result<()> {
    for module in MODULES {
        suite.case(
            &format!("{module} builds for the next kernel"),
            check(module),
        );
    }
    Ok(())
}

fn check(module: &str) -> Result<()> {
    // Without all of the next kernel's symbols the last step, from .o to .ko, is left out.
    let file = place::built(&format!("next/{module}.ko"))
        .or_else(|_| place::built(&format!("next/{module}.o")))?;
    ensure!(file.metadata()?.len() > 0, "{} is empty", file.display());
    Ok(())
}
