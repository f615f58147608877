// SPDX-License-Identifier: GPL-2.0

//! All that runs while the module is loaded.

use crate::{
    driver::Driver,
    linux::{
        device::Device,
        work::Worker, //
    },
    settings::Settings,
    sight::Sight,
    surface,
    vsock,
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

/// The parts. What brings new sockets goes before what carries them.
pub(crate) struct Service {
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

impl Service {
    /// Starts it. If `closed`, other domains may connect only where a rule allows it.
    ///
    /// Context: a privileged program, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// `ENODEV` if this is no domain of Xen's, `EBUSY` if there is another transport, `ENOMEM`; what
    /// xenstored says.
    pub(crate) fn start(module: &'static ThisModule, closed: bool) -> Result<Self> {
        domain::require()?;
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
