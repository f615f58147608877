// SPDX-License-Identifier: GPL-2.0

//! What one domain has of this one, and may have: connections, and memory that one of the two
//! grants to the other. So nobody can use up what all need.

use crate::{
    counters::Count,
    link::policy::Share,
    linux::irqlock::IrqLock,
    new_irq_lock,
    settings::Settings,
    vsock::SocketError, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// The account of a domain. All links with it have the same one.
#[pin_data]
pub(crate) struct Account {
    settings: Arc<Settings>,
    #[pin]
    sockets: IrqLock<Share>,
    #[pin]
    memory: IrqLock<Share>,
}

impl Account {
    /// The account of a domain that has nothing.
    pub(crate) fn new(settings: Arc<Settings>) -> impl PinInit<Self> {
        pin_init!(Self {
            settings,
            sockets <- new_irq_lock!(Share::new(0)),
            memory <- new_irq_lock!(Share::new(0)),
        })
    }

    /// How many connections there are.
    pub(crate) fn sockets(&self) -> u64 {
        self.sockets.lock().used()
    }

    /// How much memory there is, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory.lock().used()
    }
}

/// Takes `amount` of a share that has a limit, which may have changed.
///
/// # Errors
///
/// `ENOBUFS` if it would be too much.
fn take(share: &IrqLock<Share>, limit: u64, amount: u64, over: &Count) -> Result {
    let mut share = share.lock();
    share.set_limit(limit);
    if share.take(amount) {
        return Ok(());
    }
    over.up();
    Err(SocketError::NoBuffers.into())
}

/// A connection in an account. Dropping it gives it back.
pub(crate) struct Seat(Arc<Account>);

impl Seat {
    /// Takes one.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if there are as many as there may be.
    pub(crate) fn take(account: &Arc<Account>) -> Result<Self> {
        let settings = &account.settings;
        let over = &settings.counters.over_sockets;
        take(&account.sockets, settings.most_sockets(), 1, over)?;
        settings.counters.sockets.up();
        Ok(Self(account.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.sockets.lock().give(1);
        self.0.settings.counters.sockets.down();
    }
}

/// Memory in an account. Dropping it gives it back.
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: u64,
}

impl Charge {
    /// Takes as much as so many pages.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if that would be more than there may be.
    pub(crate) fn take(account: &Arc<Account>, pages: usize) -> Result<Self> {
        let bytes = (pages as u64).saturating_mul(PAGE_SIZE as u64);
        let settings = &account.settings;
        let over = &settings.counters.over_memory;
        take(&account.memory, settings.most_memory(), bytes, over)?;
        Ok(Self {
            account: account.clone(),
            bytes,
        })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.memory.lock().give(self.bytes);
    }
}
