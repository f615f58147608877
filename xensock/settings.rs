// SPDX-License-Identifier: GPL-2.0

//! What all links share: who we are, and what the administrator may change.

use crate::{
    link::segment::Size,
    xen::{
        domain::DomId,
        store, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// The pages of a connection's first segment, as a power of two, per direction: 16 KiB.
const FIRST_ORDER: u32 = 2;

/// The largest segment, as a power of two of pages: 1 MiB per direction.
const LAST_ORDER: u32 = 8;

/// See the module's documentation.
pub(crate) struct Settings {
    own: Atomic<u32>,
    /// The order of a connection's first segments, in pages.
    first_order: Atomic<u32>,
    /// The order of the largest segment, in pages.
    last_order: Atomic<u32>,
}

impl Settings {
    /// Returns the defaults.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            own: Atomic::new(u32::from(store::own_domid()?.number())),
            first_order: Atomic::new(FIRST_ORDER),
            last_order: Atomic::new(LAST_ORDER),
        })
    }

    /// The domain this kernel runs in.
    pub(crate) fn own(&self) -> DomId {
        DomId::new(self.own.load(Relaxed)).unwrap_or(DomId::SELF)
    }

    /// The size of a connection's first segments.
    pub(crate) fn first(&self) -> Size {
        size(&self.first_order)
    }

    /// The size of the largest segment.
    pub(crate) fn last(&self) -> Size {
        size(&self.last_order)
    }

    /// Asks again who we are: a restored domain has another ID.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    pub(crate) fn ask_again(&self) -> Result {
        self.own
            .store(u32::from(store::own_domid()?.number()), Relaxed);
        Ok(())
    }
}

fn size(order: &Atomic<u32>) -> Size {
    Size::from_order(order.load(Relaxed) as u8).unwrap_or(Size::MIN)
}
