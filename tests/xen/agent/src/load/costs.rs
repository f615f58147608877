// SPDX-License-Identifier: GPL-2.0
//! What the machine itself takes for what every transport has to do.

use anyhow::Result;
use rustix::process::getppid;
use serde_json::{Value, json};
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Instant;

const CALLS: u32 = 20_000;
const COPIES: u32 = 2_000;
const SIZE: usize = 64 << 10;
const FILE: &str = "/tmp/load-costs";

/// Answers what a system call takes that does nothing, and one that copies 64 KiB from the page cache.
pub fn costs() -> Result<Value> {
    let mut buffer = vec![7; SIZE];
    std::fs::write(FILE, &buffer)?;
    let file = File::open(FILE)?;
    let call_ns = each(CALLS, || {
        black_box(getppid());
        Ok(())
    })?;
    let copy_ns = each(COPIES, || Ok(file.read_exact_at(&mut buffer, 0)?))?;
    std::fs::remove_file(FILE)?;
    Ok(json!({"call_ns": call_ns, "copy_ns": copy_ns}))
}

fn each(count: u32, mut work: impl FnMut() -> Result<()>) -> Result<u64> {
    // The first ones pay for what is made once.
    for _ in 0..count / 10 {
        work()?;
    }
    let start = Instant::now();
    for _ in 0..count {
        work()?;
    }
    Ok((start.elapsed() / count).as_nanos() as u64)
}
