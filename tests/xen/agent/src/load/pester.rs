// SPDX-License-Identifier: GPL-2.0
//! Load whose connections may come to any end at any time, and about whose bytes nobody cares.

use super::address::Address;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use socket2::Socket;
use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

/// A connection on which nothing happens for so long is given up.
const PATIENCE: Duration = Duration::from_secs(1);
const STACK: usize = 256 << 10;
const SIZES: [usize; 4] = [64, 65536, 1000, 4096];
const MOST: usize = 65536;
/// Exchanges of a connection.
const TIMES: usize = 16;

fn be_patient(socket: &Socket) -> Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.set_write_timeout(Some(PATIENCE))?)
}

/// Sends back whatever comes, until killed. Says `listening` first.
pub fn echo(address: &Address) -> Result<Value> {
    let listener = address.listen()?;
    println!("listening");
    loop {
        let (socket, _) = match listener.accept() {
            Ok(accepted) => accepted,
            // One that has ended before it was accepted is no reason to end.
            Err(error) if error.kind() != ErrorKind::InvalidInput => continue,
            Err(error) => bail!("accept: {error}"),
        };
        let serve = move || drop(back(&socket));
        thread::Builder::new().stack_size(STACK).spawn(serve)?;
    }
}

fn back(mut socket: &Socket) -> Result<()> {
    be_patient(socket)?;
    let mut buffer = vec![0; MOST];
    loop {
        match socket.read(&mut buffer)? {
            0 => return Ok(()),
            length => socket.write_all(&buffer[..length])?,
        }
    }
}

/// Connects and exchanges bytes, again and again, on so many connections at once; answers how many there were,
/// and how many of them went well.
pub fn pester(address: &Address, limit_ms: u64, sockets: usize) -> Result<Value> {
    let end = Instant::now() + Duration::from_millis(limit_ms);
    let counts = thread::scope(|scope| {
        let work = || {
            let mut counts = (0, 0);
            while Instant::now() < end {
                counts.0 += 1;
                counts.1 += u64::from(once(address).is_ok());
            }
            counts
        };
        let threads: Vec<_> = (0..sockets).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().ok());
        joined.collect::<Option<Vec<(u64, u64)>>>()
    });
    let counts = counts.context("a thread died")?;
    let tried: u64 = counts.iter().map(|(tried, _)| tried).sum();
    let good: u64 = counts.iter().map(|(_, good)| good).sum();
    Ok(json!({"tried": tried, "good": good}))
}

fn once(address: &Address) -> Result<()> {
    let mut socket = &address.connect_within(PATIENCE)?;
    be_patient(socket)?;
    let mut buffer = vec![7; MOST];
    for at in 0..TIMES {
        let size = SIZES[at % SIZES.len()];
        socket.write_all(&buffer[..size])?;
        let mut left = size;
        while left > 0 {
            let length = socket.read(&mut buffer[..left])?;
            if length == 0 {
                bail!("it has ended");
            }
            left -= length;
        }
    }
    Ok(())
}
