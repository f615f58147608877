// SPDX-License-Identifier: GPL-2.0
//! `bed shell`: dom0's prompt on the person's terminal.

use crate::run::tell_step;
use anyhow::{Context, Result, bail};
use bed::{Bed, Guest, Host, guard};
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

/// A person may take a day.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Boots, and passes every key on until dom0 ends.
pub fn run(accel: &str) -> Result<ExitCode> {
    if !std::io::stdin().is_terminal() {
        bail!("the shell needs a terminal to talk with");
    }
    let mut host = Host::new("shell").limit(LIMIT).accel(accel).tell(tell_step);
    for guest in [Guest::pv("pv1"), Guest::pvh("pvh1")] {
        host = host.guest(guest.maxmem_mib(384).module("xenballoon"));
    }
    println!("Booting Xen, dom0 and two guests in QEMU...");
    let bed = Bed::boot(host.shell())?;
    let mut output = bed.terminal()?;
    let mut input = output.try_clone()?;
    let raw = guard::raw_terminal().context("set the terminal up")?;
    let (rows, columns) = console::Term::stdout().size();
    let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".into());
    bed.dom0()
        .write("/run/bed-shell", &format!("{term} {rows} {columns}\n"))?;
    std::thread::spawn(move || {
        let mut keys = [0; 256];
        while let Ok(length @ 1..) = std::io::stdin().read(&mut keys) {
            if input.write_all(&keys[..length]).is_err() {
                return;
            }
        }
    });
    let mut text = [0; 4096];
    while let Ok(length @ 1..) = output.read(&mut text) {
        std::io::stdout().write_all(&text[..length])?;
        std::io::stdout().flush()?;
    }
    bed.wait_for_end();
    drop(raw);
    println!();
    Ok(ExitCode::SUCCESS)
}
