// SPDX-License-Identifier: GPL-2.0

//! What the toolstack says in xenstore of the domain's size, and what follows from it.

use crate::xen::{
    builtin,
    domain::{
        self,
        Kind, //
    },
    store, //
};
use kernel::prelude::*;

/// The toolstack's figures, in pages as the guest counts them.
pub(crate) struct Toolstack {
    /// What it asks for. [`None`] if that is no number.
    pub(crate) target: Result<Option<u64>>,
    /// What the domain may grow to; 0 if it does not say.
    pub(crate) ceiling: u64,
}

impl Toolstack {
    /// Asks xenstore.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn read(kind: Kind) -> Self {
        let pages = |name| {
            let value = store::read(c"memory", name)?;
            Ok(value.number().map(|kib| kib / 4))
        };
        let static_max = pages(c"static-max").ok().flatten().unwrap_or(0);
        // The toolstack counts pages of a PVH or HVM domain that the guest does not see as memory;
        // how many is fixed when the domain is built. The built-in driver reckons the same way
        // (`watch_target()` in `drivers/xen/xen-balloon.c`).
        let unseen = if kind == Kind::Pv || domain::is_initial() {
            0
        } else {
            static_max.saturating_sub(builtin::stats().total as u64)
        };
        let seen = |pages: u64| pages.saturating_sub(unseen);

        Self {
            target: pages(c"target").map(|target| target.map(seen)),
            ceiling: seen(static_max),
        }
    }
}

/// Returns how many pages the domain can have beyond those that the built-in driver counts as
/// there, if the toolstack lets it grow to `ceiling`.
pub(crate) fn reserve(builtin: &builtin::Stats, ceiling: u64) -> u64 {
    let held = builtin.reserve as u64;

    match ceiling.checked_sub(builtin.current as u64) {
        Some(growth) if builtin::CAN_HOTPLUG => growth,
        Some(growth) => held.min(growth),
        None if ceiling == 0 => held,
        None => 0,
    }
}

/// Returns how many pages the domain can have: the built-in driver does not know what we hold, so
/// that is in its count.
pub(crate) fn most(ceiling: u64) -> u64 {
    let builtin = builtin::stats();
    builtin.current as u64 + reserve(&builtin, ceiling)
}
