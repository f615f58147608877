// SPDX-License-Identifier: GPL-2.0

//! Disks that the kernel itself opens, for tests.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h).

use super::{
    Content,
    Disk, //
};
use crate::{
    bindings as xen_bindings,
    vfs::inside::Opened, //
};
use core::ptr::{
    null,
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*, //
};

impl<T: Content> Disk<T> {
    /// Opens the disk for reading.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENXIO` if it was retired.
    pub fn open_inside(&self) -> Result<Opened<'_>> {
        // SAFETY: By the type invariants the disk is there, and its first partition is the whole.
        let raw = from_err_ptr(unsafe {
            bindings::bdev_file_open_by_dev(
                (*(*self.raw.as_ptr()).part0).bd_dev,
                xen_bindings::XENOXIDE_BLK_OPEN_READ,
                null_mut(),
                null(),
            )
        })?;
        // SAFETY: It is the one just opened, and keeps no longer than the disk.
        Ok(unsafe { Opened::from_raw(NonNull::new(raw).ok_or(ENXIO)?) })
    }
}
