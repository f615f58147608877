// SPDX-License-Identifier: GPL-2.0

//! What the toolstack says in xenstore of the domain's size, and what follows from it.

use crate::{
    linux::memory::PAGE_KIB,
    xen::{
        builtin,
        domain::{
            self,
            Kind, //
        },
        growth::Adder,
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

/// Where the toolstack says how much the domain may grow to.
pub(crate) const CEILING: &CStr = c"memory/static-max";
/// Where it says how much the domain shall have.
pub(crate) const TARGET: &CStr = c"memory/target";

/// No domain has more, in pages: 64 TiB.
const MOST: u64 = 1 << 34;

/// Reads a size in pages. [`None`] if it is none that a domain can have.
fn pages(name: &CStr) -> Result<Option<u64>> {
    let value = store::read(c"memory", name)?;
    let pages = value.number().map(|kib| kib / PAGE_KIB);
    Ok(pages.filter(|&pages| pages <= MOST))
}

/// Returns what the toolstack asks for, in pages as the guest counts them, in a domain of which the
/// guest does not see `unseen` pages. [`None`] if it is no size.
///
/// Context: process context, sleeps.
///
/// # Errors
///
/// What xenstored says: `ENOENT` if there is no target, …
fn target(unseen: u64) -> Result<Option<u64>> {
    let target = pages(c"target")?;
    Ok(target.map(|pages| pages.saturating_sub(unseen)))
}

/// What the toolstack has asked for last.
///
/// Dropped, it looks whether that is something else by now, and tells the built-in driver, which
/// has been held still and may have been told of the other since.
pub(crate) struct Heard {
    unseen: u64,
    target: Atomic<u64>,
}

impl Heard {
    /// Hears it for the first time, in a domain of which the guest does not see `unseen` pages.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn new(unseen: u64) -> Self {
        let heard = Self {
            unseen,
            target: Atomic::new(u64::MAX),
        };
        // Where there is nothing to be heard there is nothing to be missed.
        let _ = heard.read();
        heard
    }

    /// Hears it again: [`target`].
    ///
    /// Context: process context, sleeps.
    ///
    /// # Errors
    ///
    /// Those of [`target`].
    pub(crate) fn read(&self) -> Result<Option<u64>> {
        let target = target(self.unseen)?;
        if let Some(pages) = target {
            self.target.store(pages, Relaxed);
        }
        Ok(target)
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let before = self.target.load(Relaxed);
        if let Ok(Some(pages)) = self.read() {
            if pages != before {
                builtin::set_target(pages as usize);
            }
        }
    }
}

/// Returns what the domain may grow to, in pages as the guest counts them, likewise; 0 if the
/// toolstack does not say. [`None`] if it is no size.
///
/// Context: process context, sleeps.
///
/// # Errors
///
/// What xenstored says, but for `ENOENT`.
pub(crate) fn ceiling(unseen: u64) -> Result<Option<u64>> {
    match pages(c"static-max") {
        Err(e) if e == ENOENT => Ok(Some(0)),
        ceiling => Ok(ceiling?.map(|pages| pages.saturating_sub(unseen))),
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
/// there, if the toolstack lets it grow to `ceiling` and `adder` adds memory.
pub(crate) fn reserve(builtin: &builtin::Stats, ceiling: u64, adder: Adder) -> u64 {
    // In the middle of a batch the driver has pages that are in neither of its counts.
    let held = builtin
        .total
        .saturating_sub(builtin.current)
        .max(builtin.reserve) as u64;

    match ceiling.checked_sub(builtin.current as u64) {
        Some(growth) if adder != Adder::Nobody => growth,
        Some(growth) => held.min(growth),
        None if ceiling == 0 => held,
        None => 0,
    }
}

/// Returns how many pages the domain can have: the built-in driver does not know what we hold, so
/// that is in its count. What was `added` may be more than the toolstack's `ceiling`, as it comes in
/// blocks, and does not count then.
pub(crate) fn most(ceiling: u64, adder: Adder, added: u64) -> u64 {
    let builtin = builtin::stats();
    let most = builtin.current as u64 + reserve(&builtin, ceiling, adder);

    match most.checked_sub(ceiling) {
        Some(surplus) if ceiling > 0 => most - surplus.min(added),
        _ => most,
    }
}
