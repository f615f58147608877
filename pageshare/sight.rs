// SPDX-License-Identifier: GPL-2.0

//! What there is to see beside the device's own files: folders for areas and members in sysfs, and
//! `/sys/kernel/debug/pageshare/`.

use crate::{
    driver::Driver,
    linux::{
        folder::Place,
        work::Worker, //
    }, //
};
use kernel::{
    debugfs::Scope,
    prelude::*,
    sync::Arc, //
};

/// The files. They are gone before what they are about.
#[pin_data(PinnedDrop)]
pub(crate) struct Sight {
    driver: Arc<Worker<Driver>>,
    #[pin]
    files: Scope<Arc<Worker<Driver>>>,
}

impl Sight {
    /// Creates them. Without debugfs there are none there, and that is no error.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(driver: Arc<Worker<Driver>>, place: Place<'_>) -> Result<Pin<KBox<Self>>> {
        let files = driver.clone();
        let sight = try_pin_init!(Self {
            driver,
            files <- Scope::dir(files, c"pageshare", |driver, dir| {
                dir.read_callback_file(c"grants", driver, &|driver, f| driver.grants(f));
            }),
        }? Error);
        let sight = KBox::pin_init(sight, GFP_KERNEL)?;
        sight.driver.show(place)?;
        Ok(sight)
    }
}

#[pinned_drop]
impl PinnedDrop for Sight {
    fn drop(self: Pin<&mut Self>) {
        self.driver.hide();
    }
}
