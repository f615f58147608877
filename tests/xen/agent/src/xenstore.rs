// SPDX-License-Identifier: GPL-2.0
//! Just enough of a xenstore client: no program to start for a read, and watches.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

const SOCKET: &str = "/run/xenstored/socket";

// Message types of xen/include/public/io/xs_wire.h.
const DIRECTORY: u32 = 1;
const READ: u32 = 2;
const WATCH: u32 = 4;
const WRITE: u32 = 11;
const RM: u32 = 13;
const WATCH_EVENT: u32 = 15;
const ERROR: u32 = 16;

/// One connection.
pub struct Client {
    socket: UnixStream,
    event_waits: bool,
}

impl Client {
    /// Connects to the running xenstored.
    pub fn open() -> Result<Self> {
        let socket = UnixStream::connect(SOCKET).context("xenstore")?;
        Ok(Self {
            socket,
            event_waits: false,
        })
    }

    /// A node's value.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>> {
        self.call(READ, path, b"")
    }

    /// Sets a node's value; makes the node and its parents if missing.
    pub fn write(&mut self, path: &str, value: &[u8]) -> Result<()> {
        self.call(WRITE, path, value).map(drop)
    }

    /// Removes a node and all below it.
    pub fn remove(&mut self, path: &str) -> Result<()> {
        self.call(RM, path, b"").map(drop)
    }

    /// Names of a node's children.
    pub fn directory(&mut self, path: &str) -> Result<Vec<String>> {
        let names = self.call(DIRECTORY, path, b"")?;
        let names = names
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty());
        Ok(names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect())
    }

    /// Asks for an event at each change below a path, and one at once.
    pub fn watch(&mut self, path: &str) -> Result<()> {
        self.call(WATCH, path, b"bed\0").map(drop)
    }

    /// Waits until something watched has changed since the last wait; several changes may be told as one.
    pub fn next_event(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.event_waits) {
            self.receive()?;
        }
        Ok(())
    }

    fn call(&mut self, kind: u32, path: &str, rest: &[u8]) -> Result<Vec<u8>> {
        let body = [path.as_bytes(), &[0], rest].concat();
        let head = [kind, 0, 0, body.len() as u32];
        let mut message: Vec<u8> = head.iter().flat_map(|word| word.to_ne_bytes()).collect();
        message.extend(body);
        self.socket.write_all(&message)?;
        loop {
            match self.receive()? {
                (WATCH_EVENT, _) => self.event_waits = true,
                (ERROR, name) => {
                    let name = String::from_utf8_lossy(&name);
                    bail!("xenstore {path}: {}", name.trim_end_matches('\0'));
                }
                (_, answer) => return Ok(answer),
            }
        }
    }

    fn receive(&mut self) -> Result<(u32, Vec<u8>)> {
        let mut head = [0; 16];
        self.socket.read_exact(&mut head)?;
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let mut body = vec![0; word(12) as usize];
        self.socket.read_exact(&mut body)?;
        Ok((word(0), body))
    }
}
