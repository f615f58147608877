// SPDX-License-Identifier: GPL-2.0

//! A driver like `xensock`, for the other end of a test: what it writes to memory that it shares is
//! wrong now and then, and so is what it says in messages and how often it sends events.
//!
//! All else is the driver's own code, so that what is wrong is wrong in the midst of what a driver
//! does, at any step of it.

use kernel::{
    debugfs::Scope,
    prelude::*, //
};
use link::ring;
use linux::{
    param,
    random, //
};
use service::Service;

#[path = "../../xensock/account.rs"]
mod account;
#[path = "../../xensock/admission.rs"]
mod admission;
#[path = "../../xensock/bells.rs"]
mod bells;
#[path = "../../rust/bindings/mod.rs"]
pub mod bindings;
#[path = "../../xensock/busy.rs"]
mod busy;
#[path = "../../xensock/conn/mod.rs"]
mod conn;
#[path = "../../xensock/control.rs"]
mod control;
#[path = "../../xensock/counters.rs"]
mod counters;
#[path = "../../xensock/datagrams.rs"]
mod datagrams;
#[path = "../../xensock/driver.rs"]
mod driver;
#[path = "../../xensock/ends.rs"]
mod ends;
#[path = "../../rust/xen/lines.rs"]
mod lines;
#[path = "../../xensock/link/mod.rs"]
pub mod link;
#[path = "../../rust/linux/mod.rs"]
pub mod linux;
#[path = "xensock/memory.rs"]
mod memory;
mod mutate;
#[path = "../../xensock/peer/mod.rs"]
mod peer;
#[path = "../../xensock/records.rs"]
mod records;
#[path = "../../xensock/rendezvous.rs"]
mod rendezvous;
#[path = "../../xensock/requests.rs"]
mod requests;
#[path = "../../xensock/service.rs"]
mod service;
#[path = "../../xensock/settings.rs"]
mod settings;
#[path = "../../xensock/sight.rs"]
mod sight;
#[path = "../../xensock/surface.rs"]
mod surface;
#[path = "../../rust/xen/socket_trace.rs"]
pub mod trace;
#[path = "../../xensock/transport.rs"]
mod transport;
#[path = "../../rust/linux/vsock/mod.rs"]
pub mod vsock;
#[path = "../../xensock/wishes.rs"]
mod wishes;
mod words;
#[path = "xensock/wrong.rs"]
mod wrong;
pub mod xen;

module! {
    type: Hostile,
    name: "xensock_hostile",
    authors: ["The Xenoxide authors"],
    description: "A peer for xensock that does not keep to the rules",
    license: "GPL v2",
    params: {
        seed: u64 {
            default: 0,
            description: "Seed of what is wrong, as an earlier run said it; 0: another one",
        },
    },
}

/// The module.
#[pin_data]
struct Hostile {
    #[pin]
    done: Scope<()>,
    _service: Service,
}

impl kernel::InPlaceModule for Hostile {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        let seed = match param::value::<u64>(module_parameters::seed.value()) {
            0 => random::number(),
            seed => seed,
        };
        pr_info!("seed={seed}\n");
        mutate::set_seed(seed);
        try_pin_init!(Self {
            done <- Scope::dir((), c"xensock_hostile", |unit, dir| {
                dir.read_callback_file(c"done", unit, &|_, f| mutate::tell(f));
            }),
            _service: Service::start(module, false)?,
        })
    }
}
