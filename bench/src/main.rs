// SPDX-License-Identifier: GPL-2.0
//! Benches: ours beside what there is, in the same bed; ratios, as wall time under emulation means nothing.

mod balloon;
mod metric;
mod plot;

use anyhow::{Context, Result};
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
    let (name, metrics) = match arguments.name {
        Bench::Balloon => ("balloon", balloon::run(&arguments.accel)?),
    };
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
    plot::draw(&picture, &format!("{name}: ours beside its peer"), &metrics)?;
    for metric in &metrics {
        let metric::Metric {
            metric,
            ratio_median,
            peer_name,
            ..
        } = metric;
        println!("{metric}: {ratio_median:.2} times {peer_name}");
    }
    println!(
        "{} and {}",
        place::for_people(&json),
        place::for_people(&picture)
    );
    Ok(())
}
