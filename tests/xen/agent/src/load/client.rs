// SPDX-License-Identifier: GPL-2.0
//! The end that connects, and measures.

use super::Wish;
use super::address::Address;
use super::pattern::{MOST, Pattern};
use crate::requests::clock_ns;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use socket2::Socket;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::str::FromStr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// When a stream ends.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// After that long.
    Time(Duration),
    /// After so many bytes of each socket.
    Bytes(u64),
}

impl FromStr for Limit {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        if let Some(ms) = text.strip_suffix("ms") {
            return Ok(Self::Time(Duration::from_millis(ms.parse()?)));
        }
        let Some(mib) = text.strip_suffix("MiB") else {
            bail!("{text:?} is neither ms nor MiB");
        };
        Ok(Self::Bytes(mib.parse::<u64>()? << 20))
    }
}

/// The clock is looked at once in so many messages: in a PV guest that is a system call.
const CLOCK: u64 = 16;

pub fn stream(
    address: &Address,
    size: usize,
    limit: Limit,
    sockets: usize,
    pause_ms: u64,
) -> Result<Value> {
    ensure!((1..=MOST).contains(&size), "at most {MOST} bytes at once");
    let pattern = Pattern::new();
    let compare = matches!(limit, Limit::Bytes(_));
    let open = || -> Result<Socket> {
        let socket = address.connect()?;
        Wish::Sink { compare }.send(&socket)?;
        Ok(socket)
    };
    let sockets: Vec<Socket> = (0..sockets).map(|_| open()).collect::<Result<_>>()?;
    let together = Barrier::new(sockets.len() + 1);
    let pause = Duration::from_millis(pause_ms);
    let (elapsed, bytes) = thread::scope(|scope| {
        let work = |socket| {
            let (pattern, together) = (&pattern, &together);
            move || {
                together.wait();
                let start = Instant::now();
                anyhow::Ok((start, pour(socket, pattern, size, limit, pause)?))
            }
        };
        let threads: Vec<_> = sockets
            .iter()
            .map(|socket| scope.spawn(work(socket)))
            .collect();
        together.wait();
        // Whoever is the first to go on, here or there: from then on it counts.
        let (mut first, mut bytes) = (Instant::now(), 0);
        for thread in threads {
            let (start, poured) = thread.join().unwrap_or_else(|_| bail!("a thread died"))?;
            first = first.min(start);
            bytes += poured;
        }
        Ok::<_, anyhow::Error>((first.elapsed(), bytes))
    })?;
    Ok(json!({"ns": elapsed.as_nanos() as u64, "bytes": bytes}))
}

/// Writes until the limit, and waits until all has been read; answers how much.
fn pour(
    mut socket: &Socket,
    pattern: &Pattern,
    size: usize,
    limit: Limit,
    pause: Duration,
) -> Result<u64> {
    let compared = matches!(limit, Limit::Bytes(_));
    let start = Instant::now();
    let mut at = 0;
    let mut rest_at = quarter_after(limit, at);
    let goes_on = |at, messages| match limit {
        Limit::Time(time) => messages % CLOCK != 0 || start.elapsed() < time,
        Limit::Bytes(bytes) => at < bytes,
    };
    let mut messages = 0;
    while goes_on(at, messages) {
        messages += 1;
        // What nobody compares need not tell its place: the same bytes each time, as `vchan` sends.
        let place = if compared { at } else { 0 };
        let message = pattern.from(place, size);
        socket
            .write_all(message)
            .with_context(|| format!("write after {at} bytes"))?;
        at += message.len() as u64;
        if at >= rest_at {
            thread::sleep(pause);
            rest_at = quarter_after(limit, at);
        }
    }
    socket.shutdown(Shutdown::Write).context("shut down")?;
    let mut answer = [0; 8];
    socket
        .read_exact(&mut answer)
        .context("not all has arrived as it was sent")?;
    let arrived = u64::from_le_bytes(answer);
    ensure!(arrived == at, "{arrived} of {at} bytes have arrived");
    Ok(at)
}

fn quarter_after(limit: Limit, at: u64) -> u64 {
    match limit {
        Limit::Time(_) => u64::MAX,
        Limit::Bytes(bytes) => {
            let quarter = (bytes / 4).max(1);
            (at / quarter + 1) * quarter
        }
    }
}

pub fn pingpong(address: &Address, size: usize, count: usize) -> Result<Value> {
    let socket = address.connect()?;
    Wish::Echo { size }.send(&socket)?;
    let mut message = vec![7; size];
    let mut once = || -> Result<u64> {
        let start = Instant::now();
        (&socket).write_all(&message)?;
        (&socket).read_exact(&mut message)?;
        Ok(start.elapsed().as_nanos() as u64)
    };
    // The first ones wake what has slept.
    for _ in 0..count / 10 {
        once()?;
    }
    let mut times: Vec<u64> = (0..count).map(|_| once()).collect::<Result<_>>()?;
    times.sort_unstable();
    let percentile = |percent: usize| times.get((count * percent).div_ceil(100).max(1) - 1);
    let mean = times.iter().sum::<u64>() / (count as u64).max(1);
    Ok(json!({"p50": percentile(50), "p99": percentile(99), "mean": mean}))
}

pub fn connects(address: &Address, count: usize) -> Result<Value> {
    let start = Instant::now();
    for _ in 0..count {
        let socket = address.connect()?;
        Wish::Once.send(&socket)?;
        let mut answer = Vec::new();
        (&socket).read_to_end(&mut answer)?;
        ensure!(answer == [1], "{answer:?} instead of one byte");
    }
    Ok(json!({"ns": start.elapsed().as_nanos() as u64}))
}

pub fn hold(address: &Address, count: usize) -> Result<Value> {
    let open = |number: usize| -> Result<Socket> {
        let socket = address.connect()?;
        Wish::Hold.send(&socket)?;
        (&socket)
            .read_exact(&mut [0])
            .with_context(|| format!("socket {number}"))?;
        Ok(socket)
    };
    let sockets: Vec<Socket> = (0..count).map(open).collect::<Result<_>>()?;
    println!("held");
    loop {
        thread::park();
        ensure!(sockets.len() == count);
    }
}

pub fn release(address: &Address) -> Result<Value> {
    let socket = address.connect()?;
    Wish::Release.send(&socket)?;
    (&socket).read_to_end(&mut Vec::new())?;
    Ok(Value::Null)
}

pub fn await_end(address: &Address) -> Result<Value> {
    let socket = address.connect()?;
    Wish::Hold.send(&socket)?;
    (&socket).read_exact(&mut [0])?;
    println!("connected");
    let errno = match (&socket).read(&mut [0]) {
        Ok(0) => 0,
        Ok(_) => bail!("something was sent"),
        Err(error) => error.raw_os_error().context("an error without number")?,
    };
    Ok(json!({"ns": clock_ns(), "errno": errno}))
}
