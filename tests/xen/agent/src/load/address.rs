// SPDX-License-Identifier: GPL-2.0
//! Where to connect or listen.

use anyhow::{Context, Result, bail};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

/// So many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// So often a connection is tried that was not there in time: where all processors are emulated, and busy, it may take
/// longer than the two seconds for which a socket of AF_VSOCK waits.
const TRIES: u32 = 10;

/// A family, a type and an address.
pub struct Address {
    domain: Domain,
    kind: Type,
    name: SockAddr,
}

/// Reads an address: see `load`.
pub fn parse(text: &str) -> Result<Address> {
    let (scheme, rest) = text.split_once(':').context("an address has a scheme")?;
    let vsock = || -> Result<SockAddr> {
        let (cid, port) = rest.split_once(':').context("no port")?;
        Ok(SockAddr::vsock(cid.parse()?, port.parse()?))
    };
    let (domain, kind, name) = match scheme {
        "vsock" => (Domain::VSOCK, Type::STREAM, vsock()?),
        "seqpacket" => (Domain::VSOCK, Type::SEQPACKET, vsock()?),
        "tcp" => {
            let address: SocketAddr = rest.parse()?;
            (Domain::IPV4, Type::STREAM, address.into())
        }
        "unix" => (Domain::UNIX, Type::STREAM, SockAddr::unix(rest)?),
        _ => bail!("no family {scheme}"),
    };
    Ok(Address { domain, kind, name })
}

impl Address {
    fn socket(&self) -> std::io::Result<Socket> {
        Socket::new(self.domain, self.kind, None)
    }

    pub fn connect(&self) -> Result<Socket> {
        for _ in 1..TRIES {
            match self.connect_once() {
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                done => return done.context("connect"),
            }
        }
        self.connect_once().context("connect")
    }

    fn connect_once(&self) -> std::io::Result<Socket> {
        let socket = self.socket()?;
        socket.connect(&self.name)?;
        self.prepare(&socket)?;
        Ok(socket)
    }

    /// As `connect`, but gives up after that long.
    pub fn connect_within(&self, limit: Duration) -> Result<Socket> {
        let socket = self.socket()?;
        socket.connect_timeout(&self.name, limit)?;
        Ok(socket)
    }

    pub fn listen(&self) -> Result<Socket> {
        let socket = self.socket()?;
        if self.domain == Domain::IPV4 {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&self.name).context("bind")?;
        socket.listen(BACKLOG).context("listen")?;
        Ok(socket)
    }

    /// For either end: what is written is to leave at once.
    pub fn prepare(&self, socket: &Socket) -> std::io::Result<()> {
        if self.domain == Domain::IPV4 {
            socket.set_tcp_nodelay(true)?;
        }
        Ok(())
    }
}
