// SPDX-License-Identifier: GPL-2.0
//! The end that listens.

use super::Wish;
use super::address::Address;
use super::pattern::{MOST, Pattern};
use anyhow::{Context, Result};
use serde_json::Value;
use socket2::Socket;
use std::io::{Read, Write};
use std::thread;

/// Many connections may be served at once.
const STACK: usize = 64 << 10;

/// Serves connections until killed. Says `listening` first.
pub fn serve(address: &Address) -> Result<Value> {
    let listener = address.listen()?;
    println!("listening");
    let mut held = Vec::new();
    loop {
        let (socket, _) = listener.accept().context("accept")?;
        address.prepare(&socket)?;
        // A client says at once what it wants; one that cannot is gone.
        let Ok(wish) = Wish::receive(&socket) else {
            continue;
        };
        match wish {
            Wish::Once => drop((&socket).write_all(&[1])),
            Wish::Hold => {
                if (&socket).write_all(&[1]).is_ok() {
                    held.push(socket);
                }
            }
            Wish::Release => held.clear(),
            Wish::Sink { compare } => start(move || sink(&socket, compare))?,
            Wish::Echo { size } => start(move || echo(&socket, size))?,
        }
    }
}

fn start(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let told = move || {
        if let Err(error) = work() {
            println!("{error:#}");
        }
    };
    thread::Builder::new().stack_size(STACK).spawn(told)?;
    Ok(())
}

/// Answers how much has arrived; nothing if it is not what should have.
fn sink(mut socket: &Socket, compare: bool) -> Result<()> {
    let pattern = compare.then(Pattern::new);
    let mut buffer = vec![0; MOST];
    let mut at = 0;
    loop {
        let length = socket.read(&mut buffer).context("read a stream")?;
        if length == 0 {
            return Ok(socket.write_all(&u64::to_le_bytes(at))?);
        }
        if let Some(pattern) = &pattern {
            pattern.compare(at, &buffer[..length])?;
        }
        at += length as u64;
    }
}

fn echo(mut socket: &Socket, size: usize) -> Result<()> {
    let mut message = vec![0; size];
    while socket.read_exact(&mut message).is_ok() {
        socket.write_all(&message)?;
    }
    Ok(())
}
