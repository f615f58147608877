// SPDX-License-Identifier: GPL-2.0
//! Programs that are told of edges only (`EPOLLET`), as those of Go and of tokio are, hear of all that comes and of
//! all room.

use super::{End, Ends, Started};
use anyhow::{Result, ensure};

const PROGRAM: &str = include_str!("edge.py");
const PLACE: &str = "/tmp/edge.py";
const PORT: u32 = 5600;
/// What the server does, and what the client.
const PAIRS: [[&str; 2]; 3] = [["short", "talk"], ["again", "talk"], ["pour", "drain"]];

impl<'a> End<'a> {
    fn wait_for_edges(&'a self, what: &str, kind: &str) -> Result<Started<'a>> {
        self.machine.write(PLACE, PROGRAM)?;
        let started = self.start(&["python3", PLACE, what, kind, &PORT.to_string()])?;
        started.wait_for_word("listens")?;
        Ok(started)
    }
}

/// Between each kind of socket.
pub fn edge(ends: &Ends<'_>) -> Result<()> {
    super::fate::reach_served(ends)?;
    let (cid, client) = (ends.server_cid()?, &ends.client);
    client.machine.write(PLACE, PROGRAM)?;
    for kind in ["stream", "seqpacket"] {
        for [serves, asks] in PAIRS {
            let server = ends.server.wait_for_edges(serves, kind)?;
            let ask = format!("python3 {PLACE} {asks} {kind} {cid} {PORT} 2>&1 || true");
            let said = client.shell(&ask)?;
            let heard = || format!("{kind} {serves}: {}", server.output().unwrap_or_default());
            ensure!(said.contains("all is well"), "{}: {said}", heard());
            drop(server);
        }
    }
    Ok(())
}
