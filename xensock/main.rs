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

use driver::Driver;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use linux::{
    device::Device,
    param,
    work::Worker, //
};
use settings::Settings;
use sight::Sight;
use xen::{
    domain,
    lifecycle::Pause,
    store::Watch, //
};

mod account;
mod admission;
mod bells;
#[path = "../rust/bindings/mod.rs"]
pub mod bindings;
mod conn;
mod control;
mod counters;
mod driver;
mod ends;
pub mod link;
#[path = "../rust/linux/mod.rs"]
pub mod linux;
mod memory;
mod peer;
mod records;
mod rendezvous;
mod requests;
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

/// The module. What brings new sockets goes before what carries them.
struct XenSock {
    _device: Pin<KBox<Device<Worker<Driver>>>>,
    _sight: Pin<KBox<Sight>>,
    _transport: vsock::Registration<Worker<Driver>>,
    _pause: Pause<Worker<Driver>>,
    _watch: Pin<KBox<Watch<Worker<Driver>>>>,
    _links: Links,
}

/// All links; they end with it.
struct Links(Arc<Worker<Driver>>);

impl Drop for Links {
    fn drop(&mut self) {
        self.0.close();
        self.0.settings().set_reaper(None);
    }
}

impl kernel::Module for XenSock {
    fn init(module: &'static ThisModule) -> Result<Self> {
        domain::require()?;
        let closed = match param::value::<u8>(module_parameters::closed.value()) {
            0 => false,
            1 => true,
            _ => {
                pr_err!("closed is 0 or 1\n");
                return Err(EINVAL);
            }
        };
        let settings = Arc::pin_init(Settings::new(closed), GFP_KERNEL)?;
        let driver = Arc::pin_init(
            Worker::new(
                c"xensock",
                kernel::static_lock_class!(),
                Driver::new(settings),
            ),
            GFP_KERNEL,
        )?;
        driver.prepare()?;
        driver.settings().set_reaper(Some(driver.clone()));
        let links = Links(driver.clone());
        let watch = KBox::pin_init(Watch::new(c"/local/domain", driver.clone()), GFP_KERNEL)?;
        let pause = Pause::new(c"xensock", driver.clone())?;
        let transport = vsock::Registration::new(module, driver.clone())?;
        let sight = KBox::pin_init(Sight::new(driver.clone()), GFP_KERNEL)?;
        let device = Device::new(module, c"xensock", driver.clone(), &surface::GROUPS);
        let device = KBox::pin_init(device, GFP_KERNEL)?;

        pr_info!("CID {}\n", driver.own().cid());
        Ok(Self {
            _device: device,
            _sight: sight,
            _transport: transport,
            _pause: pause,
            _watch: watch,
            _links: links,
        })
    }
}
