// SPDX-License-Identifier: GPL-2.0

//! The first contact of two domains, through xenstore and without the help of anybody else.
//!
//! The domain that calls writes `data/xsock/<domid of the other>` in its own directory. It has made
//! `data/xsock` readable by all once, and nodes below inherit that. Every domain watches
//! `/local/domain`: xenstored tells it of those changes below that it may read.

use crate::{
    link::wire,
    settings::Settings,
    xen::{
        domain::DomId,
        permission::{
            Access,
            Device, //
        },
        store, //
    }, //
};
use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::Mutex, //
};

/// Relative to the domain's own directory.
const DIRECTORY: &CStr = c"data/xsock";

/// How this domain calls others.
#[pin_data]
pub(crate) struct Rendezvous {
    #[pin]
    device: Device,
    /// For whom the directory has been made readable.
    #[pin]
    prepared: Mutex<Option<DomId>>,
}

impl Rendezvous {
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// As for [`Device::open`].
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device <- Device::open(),
            prepared <- new_mutex!(None),
        })
    }

    /// Makes the directory readable by all, if that has not been done in this domain.
    ///
    /// Context: a privileged program or a thread of the kernel, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// As for [`Device::permit`].
    pub(crate) fn prepare(&self, settings: &Settings) -> Result {
        let own = settings.own();
        let mut prepared = self.prepared.lock();
        if *prepared == Some(own) {
            return Ok(());
        }

        store::write(DIRECTORY, c"", c"")?;
        self.device.permit(DIRECTORY, own, Access::Read, &[])?;
        *prepared = Some(own);
        Ok(())
    }

    /// The directory may be gone: what is restored has a new one in xenstore, even where it has the
    /// number it had.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn forget(&self) {
        *self.prepared.lock() = None;
    }
}

/// Calls the domain `peer`; the same call may be made again and again.
///
/// Context: process context, sleeps until xenstored has answered.
pub(crate) fn call(peer: DomId, call: &wire::Rendezvous) -> Result {
    let name = CString::try_from_fmt(fmt!("{peer}"))?;
    let text = CString::try_from_fmt(fmt!("{}", call.encode().as_str()))?;

    store::write(DIRECTORY, &name, &text)
}

/// Takes the call of `peer` back.
///
/// Context: process context, sleeps until xenstored has answered.
pub(crate) fn withdraw(peer: DomId) {
    let removed =
        CString::try_from_fmt(fmt!("{peer}")).and_then(|name| store::remove(DIRECTORY, &name));
    if let Err(error) = removed {
        pr_debug!("the call of domain {peer} is left in xenstore: {error:?}\n");
    }
}

/// Where the domain `peer` calls others: it is there, and readable by all, as long as that domain is
/// and has had a driver.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn directory(peer: DomId) -> Result<CString> {
    CString::try_from_fmt(fmt!("/local/domain/{peer}/data/xsock"))
}

/// Whether that of `peer` is not there any more, or was never.
///
/// Context: process context, sleeps until xenstored has answered.
///
/// # Errors
///
/// What else xenstored says; `ENOMEM`.
pub(crate) fn is_gone(peer: DomId) -> Result<bool> {
    match store::read(&directory(peer)?, c"") {
        Ok(_) => Ok(false),
        // Who may not read what is above is not told that there is nothing.
        Err(error) if error == ENOENT || error == EACCES => Ok(true),
        Err(error) => Err(error),
    }
}

/// Reads how the domain `caller` calls us. [`None`] if that makes no sense.
///
/// Context: process context, sleeps until xenstored has answered.
pub(crate) fn answer(caller: DomId, settings: &Settings) -> Result<Option<wire::Rendezvous>> {
    let name = CString::try_from_fmt(fmt!("{}", settings.own()))?;

    let value = store::read(&directory(caller)?, &name)?;
    Ok(wire::Rendezvous::parse(&value))
}
