// SPDX-License-Identifier: GPL-2.0
//! Benches: ours beside what there is, in the same bed; ratios, as wall time under emulation means nothing.

mod balloon;
mod metric;
mod plot;

use anyhow::{Context, Result, ensure};
use bed::place;
use clap::{Parser, ValueEnum};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

/// Measure ours beside its peer.
#[derive(Parser)]
struct Arguments {
    /// Which bench.
    name: Bench,
    /// QEMU's accelerator.
    #[arg(long, default_value = "tcg")]
    accel: String,
    /// Pairs of runs of each metric, instead of its own number: to try a bench, not to publish.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Only these metrics; may be given several times.
    #[arg(long)]
    only: Vec<balloon::Group>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bench {
    /// Memory taken and given.
    Balloon,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let options = balloon::Options {
        accel: arguments.accel,
        rounds: arguments.rounds.map(usize::from),
        only: arguments.only,
    };
    let (name, report) = match arguments.name {
        Bench::Balloon => ("balloon", balloon::run(&options)),
    };
    let metrics = report.metrics;
    for failure in &report.failures {
        eprintln!("bench: {failure:#}");
    }
    let folder = place::clone_path("build/bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let json = folder.join(format!("{name}.json"));
    // Whole or not at all.
    let readable = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(&folder)?;
    serde_json::to_writer_pretty(&mut file, &metrics)?;
    file.write_all(b"\n")?;
    file.persist(&json)?;
    let picture = folder.join(format!("{name}.svg"));
    plot::draw(&picture, &format!("{name}: ours / its peer"), &metrics)?;
    for metric in &metrics {
        println!("{}", metric.line());
    }
    println!(
        "{} and {}",
        place::for_people(&json),
        place::for_people(&picture)
    );
    ensure!(report.failures.is_empty(), "some metrics are missing");
    Ok(())
}
