// SPDX-License-Identifier: GPL-2.0
//! `bed try`: guests, a few commands, their logs.

use anyhow::{Context, Result};
use bed::{Bed, Flavour, Guest, Host, LogLine, Machine, place};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What to try.
#[derive(clap::Args)]
pub struct Arguments {
    /// Kind of guest: pv or pvh; both may be given.
    #[arg(long, default_value = "pvh", value_parser = ["pv", "pvh"])]
    guest: Vec<String>,
    /// Kernel: stock, kunit or kasan.
    #[arg(long, default_value = "stock")]
    flavour: Flavour,
    /// Memory at boot in MiB.
    #[arg(long, default_value_t = 256)]
    memory: u32,
    /// Memory at most in MiB.
    #[arg(long)]
    maxmem: Option<u32>,
    /// Virtual processors.
    #[arg(long, default_value_t = 1)]
    vcpus: u32,
    /// More words for the guest kernel's command line.
    #[arg(long, default_value = "")]
    cmdline: String,
    /// More words for dom0's kernel's command line.
    #[arg(long, default_value = "")]
    dom0_cmdline: String,
    /// More words for Xen's command line.
    #[arg(long, default_value = "")]
    xen_cmdline: String,
    /// Load this module file.
    #[arg(long)]
    insmod: Vec<PathBuf>,
    /// Load this module of the kernel's own before, with what it needs.
    #[arg(long)]
    kernel_module: Vec<String>,
    /// Give it a network interface.
    #[arg(long)]
    network: bool,
    /// Give it, and dom0, more programs below /tools.
    #[arg(long)]
    tools: bool,
    /// Run this in the guest's shell.
    #[arg(long)]
    exec: Vec<String>,
    /// Run this in dom0's shell, after --exec; the guests are called pv1 and pvh1.
    #[arg(long)]
    dom0: Vec<String>,
    /// Show the guest's whole kernel log, not only what came after the boot.
    #[arg(long)]
    log: bool,
    /// Everything ends after that many seconds.
    #[arg(long, default_value_t = 300)]
    limit: u64,
    /// QEMU's accelerator.
    #[arg(long, default_value = "tcg")]
    accel: String,
}

/// Boots, tries, shows.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let limit = Duration::from_secs(arguments.limit);
    let mut host = Host::new("try").limit(limit).accel(&arguments.accel);
    host = host.cmdline(&arguments.xen_cmdline, &arguments.dom0_cmdline);
    for kind in &arguments.guest {
        host = host.guest(describe(arguments, kind)?);
    }
    let bed = Bed::boot(host)?;
    for (what, elapsed) in bed.steps() {
        eprintln!("# {:5.1} s  {what}", elapsed.as_secs_f32());
    }
    eprintln!("# logs: {}", place::for_people(bed.log_folder()));
    let mut worst = 0;
    for kind in &arguments.guest {
        worst = worst.max(try_guest(&bed, arguments, &format!("{kind}1"))?);
    }
    for line in &arguments.dom0 {
        worst = worst.max(shell(&bed.dom0(), line)?);
    }
    let problems = bed.problems();
    for problem in &problems {
        println!("# problem: {problem}");
    }
    bed.power_off();
    Ok(ExitCode::from(if problems.is_empty() { worst } else { 1 }))
}

fn describe(arguments: &Arguments, kind: &str) -> Result<Guest> {
    let name = format!("{kind}1");
    let mut guest = if kind == "pv" {
        Guest::pv(&name)
    } else {
        Guest::pvh(&name)
    };
    guest = guest
        .kernel(arguments.flavour)
        .memory_mib(arguments.memory)
        .vcpus(arguments.vcpus);
    guest = guest.cmdline(&arguments.cmdline);
    if let Some(mib) = arguments.maxmem {
        guest = guest.maxmem_mib(mib);
    }
    if arguments.network {
        guest = guest.network();
    }
    if arguments.tools {
        guest = guest.tools();
    }
    for module in &arguments.kernel_module {
        guest = guest.kernel_module(module);
    }
    for module in &arguments.insmod {
        guest = guest.file(module, &format!("/modules/{}.ko", stem(module)?));
    }
    Ok(guest)
}

fn try_guest(bed: &Bed, arguments: &Arguments, name: &str) -> Result<u8> {
    let guest = bed.guest(name)?;
    let known = bed.mark(name)?;
    let mut worst = 0;
    for module in &arguments.insmod {
        if let Err(error) = guest.insmod(stem(module)?, &[]) {
            println!("# {error:#}");
            worst = 1;
        }
    }
    for line in &arguments.exec {
        worst = worst.max(shell(&guest, line)?);
    }
    let end = bed.mark(name)? - 1;
    let log = log_of(bed, name);
    for line in &log[if arguments.log { 0 } else { known }..end] {
        println!("{name}: {line}");
    }
    Ok(worst)
}

fn log_of(bed: &Bed, name: &str) -> Vec<LogLine> {
    bed.logs().remove(name).unwrap_or_default()
}

fn shell(machine: &Machine<'_>, line: &str) -> Result<u8> {
    let output = machine.run_within(&["sh", "-c", line], Duration::from_secs(120))?;
    print!("{}", output.stdout);
    eprint!("{}", output.stderr);
    let (name, seconds) = (machine.name(), output.elapsed.as_secs_f32());
    eprintln!("# {name}: {line}: status {}, {seconds:.3} s", output.status);
    Ok(output.status.clamp(0, 255) as u8)
}

fn stem(module: &Path) -> Result<&str> {
    let stem = module.file_stem().and_then(|stem| stem.to_str());
    stem.with_context(|| format!("{}: no module", module.display()))
}
