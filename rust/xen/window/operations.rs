// SPDX-License-Identifier: GPL-2.0

//! Memory for the arguments of a hypercall.

use crate::{
    bindings as xen_bindings,
    xen::grant::BATCH, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// The arguments of a hypercall that maps or unmaps, and what they are about.
pub(super) struct Operations {
    pub(super) maps: KVVec<xen_bindings::gnttab_map_grant_ref>,
    pub(super) unmaps: KVec<xen_bindings::gnttab_unmap_grant_ref>,
    /// Null where slots have none.
    pub(super) pages: KVVec<*mut bindings::page>,
    pub(super) slots: KVVec<u32>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Operations {}

impl Operations {
    /// There is room for a batch.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            unmaps: KVec::with_capacity(BATCH, GFP_KERNEL)?,
            ..Self::for_maps(BATCH)?
        })
    }

    /// There is room for so many that map, and for none that unmaps.
    pub(super) fn for_maps(count: usize) -> Result<Self> {
        Ok(Self {
            maps: KVVec::with_capacity(count, GFP_KERNEL)?,
            unmaps: KVec::new(),
            pages: KVVec::with_capacity(count, GFP_KERNEL)?,
            slots: KVVec::with_capacity(count, GFP_KERNEL)?,
        })
    }

    pub(super) fn clear(&mut self) {
        self.maps.clear();
        self.unmaps.clear();
        self.pages.clear();
        self.slots.clear();
    }

    fn push(&mut self, slot: u32, page: *mut bindings::page) -> Result {
        self.slots.push(slot, GFP_KERNEL)?;
        Ok(self.pages.push(page, GFP_KERNEL)?)
    }

    /// Adds one that maps a grant of a domain's, for reading.
    pub(super) fn push_map(
        &mut self,
        slot: u32,
        (address, page): (u64, *mut bindings::page),
        (domain, reference): (u16, u32),
    ) -> Result {
        let operation = xen_bindings::gnttab_map_grant_ref {
            host_addr: address,
            flags: xen_bindings::XENOXIDE_GNTMAP_READ,
            ref_: reference,
            dom: domain,
            ..pin_init::zeroed()
        };
        // There is room: nothing fails between one and the next.
        self.push(slot, page)?;
        Ok(self.maps.push(operation, GFP_KERNEL)?)
    }

    /// Adds one that unmaps what has that handle.
    pub(super) fn push_unmap(
        &mut self,
        slot: u32,
        (address, page): (u64, *mut bindings::page),
        handle: u32,
    ) -> Result {
        let operation = xen_bindings::gnttab_unmap_grant_ref {
            host_addr: address,
            handle,
            ..pin_init::zeroed()
        };
        // As above.
        self.push(slot, page)?;
        Ok(self.unmaps.push(operation, GFP_KERNEL)?)
    }
}
