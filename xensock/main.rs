// SPDX-License-Identifier: GPL-2.0

//! `xensock`: sockets between Xen domains, as a transport of `AF_VSOCK`.
//!
//! ```text
//!   af_vsock ──▶ transport ──▶ conn ──▶ link/ring        pure: indices, events, growth
//!                    │           │
//!                    ▼           ▼ memory
//!   xenstore ──▶  driver ──▶  peer ──▶ xen::{grant, event} ──▶ hypervisor
//! ```
//!
//! A *link* joins two domains: one event channel and a ring of control messages each way. A
//! *connection* has a ring of its own each way, in memory that the side which opened it has granted.

use kernel::prelude::*;
use link::ring;
use linux::param;
use service::Service;

mod account;
mod admission;
mod bells;
#[path = "../rust/bindings/mod.rs"]
pub mod bindings;
mod busy;
mod conn;
mod control;
mod counters;
mod datagrams;
mod driver;
mod ends;
#[path = "../rust/xen/lines.rs"]
mod lines;
pub mod link;
#[path = "../rust/linux/mod.rs"]
pub mod linux;
mod memory;
mod peer;
mod records;
mod rendezvous;
mod requests;
mod service;
mod settings;
mod sight;
mod surface;
#[path = "../rust/xen/socket_trace.rs"]
pub mod trace;
mod transport;
#[path = "../rust/linux/vsock/mod.rs"]
pub mod vsock;
mod wishes;
#[path = "../rust/xen/mod.rs"]
pub mod xen;

module! {
    type: XenSock,
    name: "xensock",
    authors: ["The Xenoxide authors"],
    description: "Sockets between Xen domains (AF_VSOCK)",
    license: "GPL v2",
    params: {
        closed: u8 {
            default: 0,
            description: "1: other domains may connect only where a rule allows it",
        },
    },
}

/// The module.
struct XenSock {
    _service: Service,
}

impl kernel::Module for XenSock {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let closed = match param::value::<u8>(module_parameters::closed.value()) {
            0 => false,
            1 => true,
            _ => {
                pr_err!("closed is 0 or 1\n");
                return Err(EINVAL);
            }
        };
        Ok(Self {
            _service: Service::start(module, closed)?,
        })
    }
}
