// SPDX-License-Identifier: GPL-2.0

//! Instead of `xen::event`: a storm of events now and then.

pub use super::honest::event::{
    Handler,
    Seen,
    Status, //
};

use super::{
    domain::DomId,
    honest::event, //
};
use crate::mutate;
use kernel::prelude::*;

/// As the driver's, but an event may be many.
pub struct Channel<H: Handler + 'static>(event::Channel<H>);

impl<H: Handler> Channel<H> {
    /// As the driver's.
    ///
    /// # Errors
    ///
    /// As the driver's.
    pub fn listen(remote: DomId, handler: H) -> Result<Self> {
        event::Channel::listen(remote, handler).map(Self)
    }

    /// As the driver's.
    ///
    /// # Errors
    ///
    /// As the driver's.
    pub fn connect(remote: DomId, port: u32, handler: H) -> Result<Self> {
        event::Channel::connect(remote, port, handler).map(Self)
    }

    /// Returns the number of this end.
    pub fn port(&self) -> u32 {
        self.0.port()
    }

    /// Sends an event to the peer, or many.
    pub fn notify(&self) {
        self.0.notify();
        self.storm();
    }

    /// As the driver's, but there may be events.
    pub fn status(&self) -> Status {
        self.storm();
        self.0.status()
    }

    fn storm(&self) {
        for _ in 0..mutate::storm() {
            self.0.notify();
        }
    }
}
