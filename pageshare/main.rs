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
use driver::Driver;
use frame::Frame;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use linux::{
    device::Device,
    param,
    shrinker,
    work::Worker, //
};
use member::Files;
use owner::Areas;
use settings::{
    Settings,
    MOST_PAGES, //
};
use xen::{
    domain,
    lifecycle::Pause,
    store::Watch, //
};

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
mod settings;
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

/// The module. What brings new mounts and members goes before what serves them.
struct PageShare {
    _device: Pin<KBox<Device<Worker<Driver>>>>,
    _files: vfs::Registration<Files>,
    _shrinker: shrinker::Registration<Areas>,
    _pause: Pause<Worker<Driver>>,
    _watch: Pin<KBox<Watch<Worker<Driver>>>>,
    _links: Links,
}

/// All links and areas; they end with it.
struct Links(Arc<Worker<Driver>>);

impl Drop for Links {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl kernel::Module for PageShare {
    fn init(module: &'static ThisModule) -> Result<Self> {
        domain::require()?;
        let pages = param::value::<u32>(module_parameters::pages.value());
        if !(1..=MOST_PAGES).contains(&pages) {
            pr_err!("pages is from 1 to {MOST_PAGES}\n");
            return Err(EINVAL);
        }
        let settings = Arc::new(Settings::new(pages), GFP_KERNEL)?;
        let driver = Worker::new(
            c"pageshare",
            kernel::static_lock_class!(),
            Driver::new(module, settings),
        );
        let driver = Arc::pin_init(driver, GFP_KERNEL)?;
        driver.prepare()?;
        let links = Links(driver.clone());
        let watch = KBox::pin_init(Watch::new(c"/local/domain", driver.clone()), GFP_KERNEL)?;
        let pause = Pause::new(c"pageshare", driver.clone())?;
        let files = vfs::Registration::new(module, driver.clone())?;
        let shrinker = shrinker::Registration::new(c"pageshare", driver.areas().clone())?;
        let device = Device::new(module, c"pageshare", driver.clone(), &surface::GROUPS);
        let device = KBox::pin_init(device, GFP_KERNEL)?;

        pr_info!("domain {}\n", driver.own());
        Ok(Self {
            _device: device,
            _files: files,
            _shrinker: shrinker,
            _pause: pause,
            _watch: watch,
            _links: links,
        })
    }
}
