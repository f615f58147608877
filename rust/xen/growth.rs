// SPDX-License-Identifier: GPL-2.0

//! Memory that the domain did not boot with and is not the built-in driver's reserve: page frames are
//! added to the kernel, with nothing behind them, to be populated.
//!
//! Where the built-in driver can do that itself (`CONFIG_XEN_BALLOON_MEMORY_HOTPLUG`) it is left to it:
//! all pages that come online without memory are its own.

use super::{
    builtin,
    reservation::Holes, //
};
use crate::linux::{
    hotplug::Blocks,
    module::Kept, //
};
#[cfg(not(CONFIG_XEN_PV))]
use core::ops::Range;
use kernel::prelude::*;

#[cfg(CONFIG_XEN_PV)]
use super::pv::{
    make_invalid,
    most_frames, //
};

/// There is no table of page frames.
#[cfg(not(CONFIG_XEN_PV))]
fn most_frames() -> Option<usize> {
    None
}

/// Nobody need be told.
#[cfg(not(CONFIG_XEN_PV))]
fn make_invalid(_frames: Range<usize>) -> Result {
    Ok(())
}

/// What added memory is called in `/proc/iomem`.
const NAME: &CStr = c"System RAM (xenballoon)";

/// Who adds memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adder {
    /// The built-in driver.
    Builtin,
    /// A [`Growth`].
    Own,
    /// Nobody can.
    Nobody,
}

impl Adder {
    /// Returns what it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Adder::Builtin => "builtin",
            Adder::Own => "module",
            Adder::Nobody => "none",
        }
    }
}

/// What is added to the domain.
///
/// Dropped, it removes what is not online. The rest stays: what is still a hole goes to the built-in
/// driver.
///
/// # Invariants
///
/// In a PV domain this module is kept for as long as there is something that is not online: the
/// kernel cannot remove memory there, as the pages of its page tables stay read-only
/// (`free_pagetable()` in `arch/x86/mm/init_64.c` knows nothing of Xen).
pub struct Growth {
    blocks: Option<Pin<KBox<Blocks>>>,
    kept: Option<Kept>,
}

impl Growth {
    /// Returns what can add memory, if this kernel has memory hotplug and nobody else keeps pages
    /// that come online.
    ///
    /// Context: may sleep.
    pub fn begin() -> Self {
        let blocks = if builtin::CAN_HOTPLUG {
            None
        } else {
            Blocks::new(NAME)
                .inspect_err(|e| pr_notice!("this kernel cannot add memory ({})\n", e.to_errno()))
                .ok()
        };
        // INVARIANT: There is nothing yet.
        Self { blocks, kept: None }
    }

    /// Returns who adds memory.
    pub fn adder(&self) -> Adder {
        match self.blocks {
            _ if builtin::CAN_HOTPLUG => Adder::Builtin,
            Some(_) => Adder::Own,
            None => Adder::Nobody,
        }
    }

    /// Adds a block of page frames. The kernel's account of them takes a sixty-fourth of its size
    /// out of what the domain has: before the next one is added, this one is better populated.
    ///
    /// Context: process context, may sleep; no lock that reclaim waits for.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it cannot, `EBUSY` if the module is about to be unloaded; those of
    /// [`Blocks::add`].
    pub fn add(&mut self) -> Result {
        let blocks = self.blocks.as_ref().ok_or(ENODEV)?;
        if most_frames().is_some() && self.kept.is_none() {
            self.kept = Some(Kept::new().ok_or(EBUSY)?);
        }
        blocks.add(most_frames().unwrap_or(usize::MAX), make_invalid)
    }

    /// Puts what has come online to `holes`, tells the built-in driver of it, and returns how many
    /// pages that was.
    ///
    /// Context: process context, may sleep.
    pub fn collect(&mut self, holes: &mut Holes) -> usize {
        let Some(blocks) = &self.blocks else { return 0 };
        let mut pages = 0;
        while let Some(arrived) = blocks.take() {
            builtin::count_added(arrived.pages());
            pages += holes.take_in(arrived);
        }
        if self.kept.is_some() && blocks.offline() == 0 {
            // INVARIANT: All is online; only `add` adds more.
            self.kept = None;
        }
        pages
    }

    /// Returns whether this module is kept until all is online.
    pub fn keeps_module(&self) -> bool {
        self.kept.is_some()
    }

    /// Returns how many pages were added and have not come online.
    pub fn offline(&self) -> usize {
        self.blocks.as_ref().map_or(0, |blocks| blocks.offline())
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        if let Some(blocks) = &self.blocks {
            // In a PV domain there is none, by the type invariants.
            blocks.remove_offline();
        }
        self.collect(&mut Holes::new());
    }
}
