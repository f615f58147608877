// SPDX-License-Identifier: GPL-2.0

//! `xenballoon`: gives a Xen domain's memory to the host and takes it back.
//!
//! ```text
//!   store, device  ── wiring: here, `surface`, `control`
//!        │ target
//!        ▼
//!     worker ◀────▶ engine        pure: what to do next
//!        │ extents, holes
//!        ▼
//!   xen::reservation ─▶ hypervisor
//! ```

use kernel::{
    prelude::*,
    sync::Arc, //
};

use control::Control;
use linux::{
    device::Device,
    memory::PAGE_KIB,
    oom,
    param,
    power,
    shrinker,
    work::Worker, //
};
use report::Reports;
use sight::Sight;
use worker::Balloon;
use xen::{
    lifecycle,
    store::{
        self,
        Watch, //
    }, //
};

#[path = "../rust/bindings/mod.rs"]
pub mod bindings;
mod control;
mod counters;
pub mod engine;
pub mod invariants;
#[path = "../rust/linux/mod.rs"]
pub mod linux;
mod relief;
mod report;
mod sight;
pub mod statistics;
mod surface;
mod toolstack;
#[path = "../rust/xen/trace.rs"]
pub mod trace;
mod traced;
mod tunables;
mod worker;
#[path = "../rust/xen/mod.rs"]
pub mod xen;

module! {
    type: XenBalloon,
    name: "xenballoon",
    authors: ["The Xenoxide authors"],
    description: "Memory balloon for Xen domains",
    license: "GPL v2",
    params: {
        floor_kb: u64 {
            default: 0,
            description: "The domain is never made smaller than this, in KiB; 0: by its size",
        },
        auto_return: u8 {
            default: 0,
            description: "1: what the guest does not use goes back to the host by itself",
        },
        stats_ms: u32 {
            default: 10000,
            description: "Milliseconds between two reports in xenstore, from 1000 on; 0: none",
        },
    },
}

/// The module. What brings new targets goes before what carries them out.
#[pin_data]
struct XenBalloon {
    #[pin]
    reports: Reports,
    #[pin]
    sight: Sight,
    #[pin]
    ceiling: Watch<Worker<Balloon>>,
    #[pin]
    target: Watch<Worker<Balloon>>,
    #[pin]
    lifecycle: lifecycle::Registration<Worker<Balloon>>,
    #[pin]
    device: Device<Control>,
    #[pin]
    power: power::Registration<Worker<Balloon>>,
    #[pin]
    oom: oom::Registration<Worker<Balloon>>,
    shrinker: shrinker::Registration<Worker<Balloon>>,
    balloon: Arc<Worker<Balloon>>,
}

impl kernel::InPlaceModule for XenBalloon {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let floor = param::value::<u64>(module_parameters::floor_kb.value()) / PAGE_KIB;
            let auto_return = match param::value::<u8>(module_parameters::auto_return.value()) {
                0 => false,
                1 => true,
                _ => {
                    pr_err!("auto_return is 0 or 1\n");
                    return Err(EINVAL);
                }
            };
            let balloon = Arc::pin_init(
                Worker::new(
                    c"xenballoon",
                    kernel::static_lock_class!(),
                    Balloon::new(floor, auto_return),
                ),
                GFP_KERNEL,
            )?;
            let report = report::worker(balloon.clone())?;
            let control = Arc::new(
                Control {
                    balloon: balloon.clone(),
                    report: report.clone(),
                },
                GFP_KERNEL,
            )?;
            pr_info!(
                "{} domain, {} KiB of at most {} KiB, floor {} KiB\n",
                balloon.kind().name(),
                balloon.current() * PAGE_KIB,
                balloon.most() * PAGE_KIB,
                balloon.limits().floor * PAGE_KIB,
            );

            Ok(try_pin_init!(Self {
                shrinker: shrinker::Registration::new(c"xenballoon", balloon.clone())?,
                oom <- oom::Registration::new(balloon.clone()),
                power <- power::Registration::new(balloon.clone()),
                lifecycle <- lifecycle::Registration::new(balloon.clone()),
                ceiling <- Watch::new(toolstack::CEILING, balloon.clone()),
                target <- Watch::new(toolstack::TARGET, balloon.clone()),
                _: {
                    // A watch's first event is no new target. It must not come after one that is
                    // set as soon as there is a device.
                    store::drain_events()?;
                    balloon.kick();
                    balloon.flush();
                },
                sight <- Sight::new(balloon.clone()),
                reports <- Reports::new(
                    report,
                    param::value(module_parameters::stats_ms.value()),
                ),
                device <- Device::new(module, c"xenballoon", control, &surface::GROUPS),
                balloon,
            }))
        })
    }
}
