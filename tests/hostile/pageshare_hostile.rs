// SPDX-License-Identifier: GPL-2.0

//! A driver like `pageshare`, for the other end of a test, be that a member or an owner: what it says, what
//! it writes to memory that it shares, and the pages that it grants are wrong now and then, and it keeps
//! pages mapped that it has given back.
//!
//! All else is the driver's own code, so that what is wrong is wrong in the midst of what a driver
//! does, at any step of it.

use area::ring;
use frame::Frame;
use kept::Keeper;
use kernel::{
    debugfs::Scope,
    prelude::*, //
};
use linux::{
    param,
    random, //
};
use service::Service;
use wrong::Manner;

#[path = "../../pageshare/area/mod.rs"]
pub mod area;
#[path = "../../pageshare/arguments.rs"]
mod arguments;
#[path = "../../rust/linux/backing.rs"]
pub mod backing;
#[path = "../../rust/bindings/mod.rs"]
pub mod bindings;
#[path = "../../rust/linux/digest.rs"]
pub mod digest;
#[path = "../../rust/linux/disk/mod.rs"]
pub mod disk;
#[path = "../../pageshare/driver/mod.rs"]
mod driver;
#[path = "../../rust/linux/failure.rs"]
pub mod failure;
#[path = "pageshare/frame.rs"]
pub mod frame;
#[path = "pageshare/kept.rs"]
mod kept;
#[path = "../../rust/xen/lent.rs"]
pub mod lent;
#[path = "pageshare/lines.rs"]
mod lines;
#[path = "pageshare/link.rs"]
mod link;
#[path = "../../rust/linux/mod.rs"]
pub mod linux;
#[path = "../../pageshare/member/mod.rs"]
mod member;
mod mutate;
#[path = "../../rust/linux/once.rs"]
pub mod once;
#[path = "../../pageshare/owner/mod.rs"]
mod owner;
#[path = "../../rust/linux/program.rs"]
pub mod program;
#[path = "../../pageshare/service.rs"]
mod service;
#[path = "../../pageshare/settings.rs"]
mod settings;
#[path = "../../pageshare/sight.rs"]
mod sight;
#[path = "../../rust/linux/space.rs"]
pub mod space;
#[path = "../../rust/linux/stand_in/mod.rs"]
pub mod stand_in;
#[path = "../../pageshare/surface.rs"]
mod surface;
#[path = "../../rust/xen/share_trace.rs"]
pub mod trace;
#[path = "../../rust/linux/vfs/mod.rs"]
pub mod vfs;
#[path = "../../rust/xen/window/mod.rs"]
pub mod window;
mod words;
#[path = "pageshare/wrong.rs"]
mod wrong;
#[path = "pageshare/xen.rs"]
pub mod xen;

module! {
    type: Hostile,
    name: "pageshare_hostile",
    authors: ["The Xenoxide authors"],
    description: "A member or an owner for pageshare that does not keep to the rules",
    license: "GPL v2",
    params: {
        pages: u32 {
            default: 32768,
            description: "As the driver's",
        },
        manner: u32 {
            default: 0,
            description: "0: wrong at random; 1: alters pages that it has granted; 2: ends the link instead of every other grant; 3: grants nothing, but goes on talking; 4: sends events all the time",
        },
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
    _keeper: Keeper,
}

impl kernel::InPlaceModule for Hostile {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        let pages = param::value::<u32>(module_parameters::pages.value());
        let manner = param::value::<u32>(module_parameters::manner.value());
        let seed = match param::value::<u64>(module_parameters::seed.value()) {
            0 => random::number(),
            seed => seed,
        };
        pr_info!("seed={seed}\n");
        mutate::set_seed(seed);
        try_pin_init!(Self {
            _: { Manner::set(manner)? },
            done <- Scope::dir((), c"pageshare_hostile", |unit, dir| {
                dir.read_callback_file(c"done", unit, &|_, f| mutate::tell(f));
            }),
            _keeper: Keeper::new()?,
            _service: Service::start(module, pages)?,
        })
    }
}
