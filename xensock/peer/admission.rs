// SPDX-License-Identifier: GPL-2.0

//! Who may connect over a link.

use super::Peer;
use crate::{
    admission,
    link::{
        policy::{
            Uuid,
            Verdict, //
        },
        wire::Reason, //
    },
    vsock::SocketError, //
};
use kernel::prelude::*;

impl Peer {
    /// Asks the rules whether the peer may connect to a port of this domain.
    ///
    /// Context: process context, sleeps until xenstored has answered where a rule names a UUID.
    pub(super) fn allows(&self, port: u32) -> Result<(), Reason> {
        let verdict = self.settings.incoming.decide(
            self.domain,
            port,
            self.settings.default_verdict(),
            || self.uuid(),
        );
        match verdict {
            Verdict::Allow => Ok(()),
            Verdict::Deny => Err(Reason::Denied),
        }
    }

    /// The peer's UUID. It is asked for once, so that xenstored has no work with those who connect
    /// again and again; the peer keeps it as long as its number.
    fn uuid(&self) -> Option<Uuid> {
        if let Some(known) = self.uuid.as_ref() {
            return *known;
        }
        let uuid = admission::uuid(self.domain);
        self.uuid.populate(uuid);
        uuid
    }
}

/// Why the memory of a connection is not to be had.
pub(super) fn no_memory(error: Error) -> Reason {
    if error == SocketError::NoBuffers.into() {
        Reason::Limit
    } else {
        Reason::NoMemory
    }
}
