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

/// Reads a size in pages.
fn pages(name: &CStr) -> Result<Option<u64>> {
    let value = store::read(c"memory", name)?;
    Ok(value.number().map(|kib| kib / 4))
}

impl Toolstack {
    /// Asks xenstore, in a domain of which the guest does not see `unseen` pages.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn read(unseen: u64) -> Self {
        let seen = |pages: u64| pages.saturating_sub(unseen);
        let static_max = pages(c"static-max").ok().flatten().unwrap_or(0);

        Self {
            target: pages(c"target").map(|target| target.map(seen)),
            ceiling: seen(static_max),
        }
    }
}

/// No domain has more memory that its guest does not see than this, in pages: 64 MiB.
const MOST_UNSEEN: u64 = 16384;

/// Returns how many pages the toolstack counts that the guest does not see as memory: some of a PVH
/// or HVM domain's, fixed when it is built.
///
/// The built-in driver reckons the same way, once (`watch_target()` in
/// `drivers/xen/xen-balloon.c`): what the domain was built with was its static-max. If that has been
/// changed since, the built-in driver's target tells what it has found.
///
/// Context: process context, sleeps; before the built-in driver is given a target of ours.
pub(crate) fn unseen(kind: Kind) -> u64 {
    if kind == Kind::Pv || domain::is_initial() {
        return 0;
    }
    let builtin = builtin::stats();
    let beyond = |name, seen: usize| {
        let counted = pages(name).ok().flatten()?;
        let unseen = counted.checked_sub(seen as u64)?;
        (unseen <= MOST_UNSEEN).then_some(unseen)
    };

    beyond(c"static-max", builtin.total)
        .or_else(|| beyond(c"target", builtin.target))
        .unwrap_or(0)
}

/// Returns how many pages the domain can have beyond those that the built-in driver counts as
/// there, if the toolstack lets it grow to `ceiling`.
pub(crate) fn reserve(builtin: &builtin::Stats, ceiling: u64) -> u64 {
    // In the middle of a batch the driver has pages that are in neither of its counts.
    let held = builtin
        .total
        .saturating_sub(builtin.current)
        .max(builtin.reserve) as u64;

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
