// SPDX-License-Identifier: GPL-2.0

//! Where domains call each other, through xenstore and without the help of anybody else.
//!
//! The domain that calls writes a node, named by the domid of the other one, to a directory below
//! its own. It has made the directory readable by all once, and nodes below inherit that. Whoever
//! watches `/local/domain` is told by xenstored of those changes below that it may read.

use super::{
    domain::DomId,
    permission::{
        Access,
        Device, //
    },
    store::{
        self,
        Value, //
    }, //
};
use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::Mutex, //
};

/// A directory for calls of one kind.
#[pin_data]
pub struct Meeting {
    /// Relative to the domain's own directory.
    directory: &'static CStr,
    #[pin]
    device: Device,
    /// For whom the directory has been made readable.
    #[pin]
    prepared: Mutex<Option<DomId>>,
}

impl Meeting {
    /// Calls go by `directory`, relative to each domain's own.
    ///
    /// Context: process context of a program that sees `/dev`, may sleep.
    ///
    /// # Errors
    ///
    /// As for [`Device::open`].
    pub fn new(directory: &'static CStr) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            directory,
            device <- Device::open(),
            prepared <- new_mutex!(None),
        })
    }

    /// Makes the directory readable by all, if that has not been done in this domain, `own`.
    ///
    /// Context: a privileged program or a thread of the kernel, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// As for [`store::write`] and [`Device::permit`].
    pub fn prepare(&self, own: DomId) -> Result {
        let mut prepared = self.prepared.lock();
        if *prepared == Some(own) {
            return Ok(());
        }
        store::write(self.directory, c"", c"")?;
        self.device.permit(self.directory, own, Access::Read, &[])?;
        *prepared = Some(own);
        Ok(())
    }

    /// Calls the domain `peer` with `text`; the same call may be made again and again.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// As for [`store::write`].
    pub fn call(&self, peer: DomId, text: &str) -> Result {
        let name = CString::try_from_fmt(fmt!("{peer}"))?;
        let text = CString::try_from_fmt(fmt!("{text}"))?;
        store::write(self.directory, &name, &text)
    }

    /// Takes the call of `peer` back.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    pub fn withdraw(&self, peer: DomId) {
        let name = CString::try_from_fmt(fmt!("{peer}"));
        if let Err(error) = name.and_then(|name| store::remove(self.directory, &name)) {
            pr_debug!("the call of domain {peer} is left in xenstore: {error:?}\n");
        }
    }

    /// Reads how the domain `caller` calls us, `own`.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// As for [`store::read`].
    pub fn read(&self, caller: DomId, own: DomId) -> Result<Value> {
        let directory = self.directory.to_str()?;
        let directory = CString::try_from_fmt(fmt!("/local/domain/{caller}/{directory}"))?;
        let name = CString::try_from_fmt(fmt!("{own}"))?;
        store::read(&directory, &name)
    }
}
