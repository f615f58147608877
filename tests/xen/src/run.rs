// SPDX-License-Identifier: GPL-2.0
//! `bed run`: a PV and a PVH guest give memory back and get it again, before one's eyes.

use crate::table::{Row, Screen};
use anyhow::Result;
use bed::balloon::Balloon;
use bed::{Bed, Guest, Host, place};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

const BOOT_MIB: u64 = 256;
const MOST_MIB: u64 = 384;
/// Down, up, past the boot size to maxmem, and back.
const TARGETS_MIB: [u64; 4] = [200, 240, MOST_MIB, BOOT_MIB];
const LIMIT: Duration = Duration::from_secs(900);

/// Boots, moves memory, tells.
pub fn run(accel: &str) -> Result<ExitCode> {
    let mut host = Host::new("run").limit(LIMIT).accel(accel).tell(tell_step);
    for guest in [Guest::pv("pv1"), Guest::pvh("pvh1")] {
        let guest = guest
            .memory_mib(BOOT_MIB as u32)
            .maxmem_mib(MOST_MIB as u32);
        host = host.guest(guest.module("xenballoon"));
    }
    println!("Booting Xen, dom0 and two guests in QEMU...");
    let bed = Bed::boot(host)?;
    println!("insmod xenballoon.ko in both guests, then xl mem-set:");
    let screen = Mutex::new(Screen::default());
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let names = bed.guests().iter().map(|guest| guest.name());
        let threads = names.map(|name| scope.spawn(|| walk(&bed, name, &screen)));
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| unreachable!()))
            .collect()
    });
    let rows = screen
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .finish()?;
    finish(bed, &rows, results)
}

/// Shows a step of the boot.
pub fn tell_step(what: &str, elapsed: Duration) {
    println!("  {:5.1} s  {what}", elapsed.as_secs_f32());
}

fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn walk(bed: &Bed, name: &str, screen: &Mutex<Screen>) -> Result<()> {
    let kernel = bed
        .guest(name)?
        .run(&["uname", "-r"])?
        .ok()?
        .stdout
        .trim()
        .to_string();
    let balloon = Balloon::load(bed, name)?;
    for mib in TARGETS_MIB {
        let before = balloon.sample()?;
        let row = Row {
            guest: name.into(),
            kernel: kernel.clone(),
            step: format!("{mib} MiB"),
            target_kb: balloon.target_of(mib),
            current_kb: before.current_kb,
            rate: None,
            hypercalls: 0,
            exact: None,
        };
        let at = lock(screen).add(row)?;
        let done = balloon.go(mib, |now| {
            // A terminal that is gone is no reason to stop half-way.
            let _ = lock(screen).update(at, |row| {
                row.current_kb = now.current_kb;
                row.hypercalls = now.hypercalls.saturating_sub(before.hypercalls);
            });
        });
        lock(screen).update(at, |row| match &done {
            Ok(done) => {
                row.current_kb = done.to_kb;
                row.rate = Some(done.rate());
                row.hypercalls = done.hypercalls;
                row.exact = Some(done.is_exact());
            }
            Err(_) => row.exact = Some(false),
        })?;
        done?;
    }
    Ok(())
}

fn finish(bed: Bed, rows: &[Row], results: Vec<Result<()>>) -> Result<ExitCode> {
    let problems = bed.problems();
    let logs = bed.log_folder().to_path_buf();
    bed.power_off();
    let mut good = problems.is_empty();
    for error in results.into_iter().filter_map(Result::err) {
        println!("{error:#}");
        good = false;
    }
    for problem in &problems {
        println!("in a log: {problem}");
    }
    let exact = rows.iter().filter(|row| row.exact == Some(true)).count();
    let wanted = 2 * TARGETS_MIB.len();
    println!(
        "{exact} of {wanted} targets reached to the page, by the guest's count and by Xen's. Logs: {}",
        place::for_people(&logs)
    );
    Ok(ExitCode::from(u8::from(!good || exact != wanted)))
}
