// SPDX-License-Identifier: GPL-2.0

//! What runs while the module is loaded.

use crate::{
    driver::Driver,
    linux::{
        device::Device,
        shrinker,
        work::Worker, //
    },
    member::Files,
    owner::Areas,
    settings::{
        Settings,
        MOST_PAGES, //
    },
    sight::Sight,
    surface,
    vfs,
    xen::{
        domain,
        lifecycle::Pause,
        store::Watch, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// All of it. What is seen goes before where it is seen, and what brings new mounts and members before what serves
/// them.
pub(crate) struct Service {
    _sight: Pin<KBox<Sight>>,
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

impl Service {
    /// Starts it; up to `pages` pages of an owner may be mapped.
    ///
    /// Context: `insmod`'s process, may sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if this is no Xen guest, `EINVAL` if that is no such number, `ENOMEM`, what the kernel and
    /// xenstored say.
    pub(crate) fn start(module: &'static ThisModule, pages: u32) -> Result<Self> {
        domain::require()?;
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
        let sight = Sight::new(driver.clone(), device.place())?;

        pr_info!("domain {}\n", driver.own());
        Ok(Self {
            _sight: sight,
            _device: device,
            _files: files,
            _shrinker: shrinker,
            _pause: pause,
            _watch: watch,
            _links: links,
        })
    }
}
