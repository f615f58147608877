// SPDX-License-Identifier: GPL-2.0
//! A program that does nothing but use memory, on one processor: it feels what else goes on in its guest.

use crate::requests::clock_ns;
use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::hint::black_box;
use std::io::Write;

const MIB: usize = 1 << 20;
/// A processor fetches and writes memory in lines of so many bytes.
const LINE: usize = 64;
const REPORT_NS: u64 = 20_000_000;

/// `stream CPU MIB`: goes through so much memory again and again, until killed, and writes a line now and
/// then: the time by `CLOCK_MONOTONIC` in nanoseconds, and how many MiB were gone through by then.
pub fn run(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let mut number = |what| -> Result<usize> {
        let text = arguments.next().with_context(|| format!("no {what}"))?;
        text.parse().with_context(|| format!("{what}: {text:?}"))
    };
    let (cpu, mib) = (number("processor")?, number("size in MiB")?);
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    sched_setaffinity(None, &cpus).with_context(|| format!("stay on processor {cpu}"))?;
    let mut memory = vec![1_u8; mib * MIB];
    let mut output = std::io::stdout();
    let (mut done, mut told) = (0_u64, 0);
    loop {
        for part in memory.chunks_exact_mut(MIB) {
            for byte in part.iter_mut().step_by(LINE) {
                *byte = byte.wrapping_add(1);
            }
            black_box(part);
            done += 1;
            let now = clock_ns();
            if now >= told + REPORT_NS {
                writeln!(output, "{now} {done}")?;
                told = now;
            }
        }
    }
}
