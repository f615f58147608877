// SPDX-License-Identifier: GPL-2.0
//! Load for sockets of any family, by the same code: `load serve ADDRESS` at one end, and at the other
//!
//! * `load stream ADDRESS SIZE LIMIT SOCKETS [PAUSE_MS]`: writes SIZE bytes at once for LIMIT (`500ms`), or so
//!   much (`64MiB`); answers `{ns, bytes}`, from the first write until the last reader has it all. What is
//!   limited by size is compared byte by byte where it arrives, and rests PAUSE_MS at each quarter.
//! * `load pingpong ADDRESS SIZE COUNT`: answers `{p50, p99, mean}` in nanoseconds.
//! * `load connects ADDRESS COUNT`: connects, asks for a byte and reads to the end, again and again; `{ns}`.
//! * `load hold ADDRESS COUNT`: keeps so many sockets open until killed; says `held` when it has them all.
//!   `load release ADDRESS` lets the other end forget them.
//! * `load await ADDRESS`: connects, says `connected`, and waits for the end; answers `{ns, errno}`, with the
//!   time of `CLOCK_MONOTONIC` and 0 for an orderly end.
//! * `load pester ADDRESS MS SOCKETS`: connects and exchanges bytes again and again, whatever goes wrong, with
//!   so many sockets at once; answers `{tried, good}`. At the other end is `load echo ADDRESS`.
//! * `load costs`: no socket; answers `{call_ns, copy_ns}`, of a system call, and of one that copies 64 KiB.
//!
//! An ADDRESS is `vsock:CID:PORT`, `seqpacket:CID:PORT`, `tcp:IP:PORT` or `unix:PATH`.

mod address;
mod client;
mod costs;
mod pattern;
mod pester;
mod serve;

use address::Address;
use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::Value;
use socket2::Socket;
use std::io::{Read, Write};

/// What a client wants of its connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wish {
    /// Read it all; then answer how much it was.
    Sink { compare: bool },
    /// Send back each message of so many bytes.
    Echo { size: usize },
    /// Send a byte and close.
    Once,
    /// Send a byte and keep it open.
    Hold,
    /// Close all that are kept.
    Release,
}

const HEADER: usize = 16;

impl Wish {
    fn send(self, mut socket: &Socket) -> Result<()> {
        let (kind, number) = match self {
            Self::Sink { compare } => (0, u64::from(compare)),
            Self::Echo { size } => (1, size as u64),
            Self::Once => (2, 0),
            Self::Hold => (3, 0),
            Self::Release => (4, 0),
        };
        let words: [u64; 2] = [kind, number];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        socket.write_all(&bytes).context("say what is wanted")
    }

    fn receive(mut socket: &Socket) -> Result<Self> {
        let mut bytes = [0; HEADER];
        socket.read_exact(&mut bytes)?;
        let (kind, number) = bytes.split_at(8);
        let number = u64::from_le_bytes(number.try_into()?);
        Ok(match u64::from_le_bytes(kind.try_into()?) {
            0 => Self::Sink {
                compare: number != 0,
            },
            1 => Self::Echo {
                size: usize::try_from(number)?,
            },
            2 => Self::Once,
            3 => Self::Hold,
            4 => Self::Release,
            kind => bail!("no wish {kind}"),
        })
    }
}

/// Does what the arguments say; see above.
pub fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let files = Some(1 << 16);
    let limit = Rlimit {
        current: files,
        maximum: files,
    };
    // Whoever may not have so many does with fewer.
    let _ = setrlimit(Resource::Nofile, limit);
    let arguments: Vec<String> = arguments.collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match words[..] {
        ["costs"] => costs::costs()?,
        [what, place, ref rest @ ..] => work(what, &address::parse(place)?, rest)?,
        _ => bail!("load WHAT ADDRESS …"),
    };
    println!("{answer}");
    Ok(())
}

fn work(what: &str, address: &Address, rest: &[&str]) -> Result<Value> {
    Ok(match (what, rest) {
        ("serve", []) => serve::serve(address)?,
        ("stream", [size, limit, sockets]) => {
            client::stream(address, number(size)?, limit.parse()?, number(sockets)?, 0)?
        }
        ("stream", [size, limit, sockets, pause]) => {
            let (sockets, pause) = (number(sockets)?, number(pause)?);
            client::stream(address, number(size)?, limit.parse()?, sockets, pause)?
        }
        ("pingpong", [size, count]) => client::pingpong(address, number(size)?, number(count)?)?,
        ("connects", [count]) => client::connects(address, number(count)?)?,
        ("hold", [count]) => client::hold(address, number(count)?)?,
        ("release", []) => client::release(address)?,
        ("echo", []) => pester::echo(address)?,
        ("pester", [limit, sockets]) => pester::pester(address, number(limit)?, number(sockets)?)?,
        ("await", []) => client::await_end(address)?,
        _ => bail!("load: cannot {what} {}", rest.join(" ")),
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    let number = text.parse().ok();
    number.with_context(|| format!("{text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_arrives_and_is_counted() {
        let folder = std::env::temp_dir().join(format!("load-{}", std::process::id()));
        let place = format!("unix:{}", folder.display());
        let there = address::parse(&place).unwrap();
        std::thread::spawn(move || serve::serve(&there).map(drop));
        let address = address::parse(&place).unwrap();
        while client::release(&address).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let limit = "3MiB".parse().unwrap();
        let done = client::stream(&address, 70001, limit, 2, 1).unwrap();
        assert!(done["bytes"].as_u64().unwrap() >= 2 * (3 << 20), "{done}");
        let limit = "20ms".parse().unwrap();
        let done = client::stream(&address, 64, limit, 1, 0).unwrap();
        assert!(done["ns"].as_u64().unwrap() > 20_000_000, "{done}");
        let done = client::pingpong(&address, 64, 10).unwrap();
        assert!(done["p50"].as_u64().unwrap() <= done["p99"].as_u64().unwrap());
        client::connects(&address, 3).unwrap();
        std::fs::remove_file(folder).unwrap();
    }

    #[test]
    fn what_is_pestered_answers() {
        let folder = std::env::temp_dir().join(format!("pester-{}", std::process::id()));
        let place = format!("unix:{}", folder.display());
        let there = address::parse(&place).unwrap();
        std::thread::spawn(move || pester::echo(&there).map(drop));
        let address = address::parse(&place).unwrap();
        while address.connect().is_err() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let done = pester::pester(&address, 100, 2).unwrap();
        assert!(done["good"].as_u64().unwrap() > 0, "{done}");
        assert_eq!(done["good"], done["tried"]);
        std::fs::remove_file(folder).unwrap();
    }

    #[test]
    fn costs_are_counted() {
        let costs = costs::costs().unwrap();
        for name in ["call_ns", "copy_ns"] {
            assert!(costs[name].as_u64().unwrap() > 0, "{costs}");
        }
    }

    #[test]
    fn addresses() {
        for good in [
            "vsock:3:5000",
            "seqpacket:3:1",
            "tcp:10.0.0.1:80",
            "unix:/a",
        ] {
            address::parse(good).unwrap();
        }
        for bad in ["vsock:3", "tcp:10.0.0.1", "x:1:2", "unix"] {
            assert!(address::parse(bad).is_err(), "{bad}");
        }
    }
}
