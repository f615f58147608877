// SPDX-License-Identifier: GPL-2.0

//! `pageshare`: identical pages once per host, in areas that one domain keeps and others mount.
//!
//! ```text
//!   owner    ioctl ──▶ owner ──▶ area::store, files ──▶ xen::frame ──▶ grants
//!                        ▲
//!                        │ link: area::wire
//!                        ▼
//!   member   mount, ──▶ member ──▶ area::{tree, cache} ──▶ xen::window ──▶ mappings
//!            disk
//! ```
//!
//! `area` is pure. Every domain with the module may be both.

use area::ring;
use frame::Frame;
use kernel::prelude::*;
use linux::param;
use service::Service;

pub mod area;
mod arguments;
#[path = "../rust/linux/backing.rs"]
pub mod backing;
#[path = "../rust/bindings/mod.rs"]
pub mod bindings;
#[path = "../rust/linux/digest.rs"]
pub mod digest;
#[path = "../rust/linux/disk/mod.rs"]
pub mod disk;
mod driver;
#[path = "../rust/linux/failure.rs"]
pub mod failure;
#[path = "../rust/xen/frame.rs"]
pub mod frame;
#[path = "../rust/xen/lent.rs"]
pub mod lent;
#[path = "../rust/xen/lines.rs"]
mod lines;
mod link;
#[path = "../rust/linux/mod.rs"]
pub mod linux;
mod member;
#[path = "../rust/linux/once.rs"]
pub mod once;
mod owner;
#[path = "../rust/linux/program.rs"]
pub mod program;
mod service;
mod settings;
mod sight;
#[path = "../rust/linux/space.rs"]
pub mod space;
#[path = "../rust/linux/stand_in/mod.rs"]
pub mod stand_in;
mod surface;
#[path = "../rust/xen/share_trace.rs"]
pub mod trace;
#[path = "../rust/linux/vfs/mod.rs"]
pub mod vfs;
#[path = "../rust/xen/window/mod.rs"]
pub mod window;
#[path = "../rust/xen/mod.rs"]
pub mod xen;

module! {
    type: PageShare,
    name: "pageshare",
    authors: ["The Xenoxide authors"],
    description: "Identical pages once per host",
    license: "GPL v2",
    params: {
        pages: u32 {
            default: 32768,
            description: "How many pages of an owner may be mapped at once",
        },
    },
}

/// The module.
struct PageShare {
    _service: Service,
}

impl kernel::Module for PageShare {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let pages = param::value::<u32>(module_parameters::pages.value());
        Ok(Self {
            _service: Service::start(module, pages)?,
        })
    }
}
