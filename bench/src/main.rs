// SPDX-License-Identifier: GPL-2.0
//! Benches: ours beside what there is, in the same bed; ratios, as wall time under emulation means nothing.

mod balloon;
mod metric;
mod pageshare;
mod plot;
mod plugin;
mod xensock;

use anyhow::{Context, Result, anyhow, ensure};
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
    only: Vec<String>,
    /// Sockets: only these pairs of guests; may be given several times.
    #[arg(long)]
    pair: Vec<String>,
    /// Sockets: what ours is compared with, without ours. Prints, and writes no files.
    #[arg(long)]
    peers: bool,
    /// Shared areas: up to so many guests at once.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    guests: u32,
    /// Shared areas: the size of the file that all guests read and map, in MiB.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100))]
    data: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bench {
    /// Memory taken and given.
    Balloon,
    /// Sockets between guests.
    Xensock,
    /// Identical pages once per host.
    Pageshare,
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
    let (accel, rounds) = (arguments.accel, arguments.rounds.map(usize::from));
    let (name, metrics, failures) = match arguments.name {
        Bench::Balloon => {
            let only = groups(&arguments.only)?;
            let options = balloon::Options {
                accel,
                rounds,
                only,
            };
            let report = balloon::run(&options);
            ("balloon", report.metrics, report.failures)
        }
        Bench::Xensock => {
            let options = xensock::Options {
                accel,
                rounds,
                only: groups(&arguments.only)?,
                pairs: groups(&arguments.pair)?,
                peers: arguments.peers,
            };
            ("xensock", xensock::run(&options)?, Vec::new())
        }
        Bench::Pageshare => {
            let options = pageshare::Options {
                accel,
                rounds,
                only: groups(&arguments.only)?,
                guests: arguments.guests,
                data_mib: arguments.data,
            };
            let (metrics, failures) = pageshare::run(&options)?;
            ("pageshare", metrics, failures)
        }
    };
    for failure in &failures {
        eprintln!("bench: {failure:#}");
    }
    if metrics.is_empty() {
        ensure!(failures.is_empty(), "no metric was measured");
        return Ok(());
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
    let title = format!("{name}: ours beside its peer");
    match arguments.name {
        Bench::Balloon | Bench::Pageshare => plot::draw(&picture, &title, &metrics)?,
        Bench::Xensock => {
            let (curves, rows): (Vec<_>, Vec<_>) = metrics
                .iter()
                .cloned()
                .partition(|metric| metric.metric.contains('@'));
            let drawn = folder.join("xensock-curves.svg");
            xensock::draw(&drawn, &curves)?;
            if !curves.is_empty() {
                println!("curves: {}", place::for_people(&drawn));
            }
            if !rows.is_empty() {
                plot::draw(&picture, &title, &rows)?;
            }
        }
    }
    for metric in &metrics {
        println!("{}", metric.line());
    }
    println!(
        "{} and {}",
        place::for_people(&json),
        place::for_people(&picture)
    );
    ensure!(failures.is_empty(), "some metrics are missing");
    Ok(())
}

/// The groups of these names.
fn groups<T: ValueEnum>(names: &[String]) -> Result<Vec<T>> {
    let group =
        |name: &String| T::from_str(name, false).map_err(|error| anyhow!("--only: {error}"));
    names.iter().map(group).collect()
}
