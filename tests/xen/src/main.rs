// SPDX-License-Identifier: GPL-2.0
//! The bed's command line.

mod report;
mod run;
mod scenarios;
mod shell;
mod suites;
mod table;
mod trial;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Xen on QEMU, with guests, for people and tests.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Boot a PV and a PVH guest, load xenballoon.ko in both, and move their memory.
    Run {
        /// QEMU's accelerator.
        #[arg(long, default_value = "tcg")]
        accel: String,
    },
    /// Host tests, KUnit in guests, scenarios; KTAP, and a line that counts.
    Test {
        /// Only what begins with this, or with one of these with commas between: host, next, kunit, scenarios.
        #[arg(default_value = "")]
        name: String,
        /// QEMU's accelerator.
        #[arg(long, default_value = "tcg")]
        accel: String,
    },
    /// A prompt in dom0, with a PV and a PVH guest.
    Shell {
        /// QEMU's accelerator.
        #[arg(long, default_value = "tcg")]
        accel: String,
    },
    /// Boot guests, load modules and run commands in them.
    Try(trial::Arguments),
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("bed: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run { accel } => run::run(&accel),
        Command::Test { name, accel } => suites::run(&name, &accel),
        Command::Shell { accel } => shell::run(&accel),
        Command::Try(arguments) => trial::run(&arguments),
    }
}
