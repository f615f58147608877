// SPDX-License-Identifier: GPL-2.0

//! The physical map of a domain that the hypervisor translates addresses for: all but PV domains.
//!
//! C header: [`include/xen/interface/hvm/hvm_op.h`](srctree/include/xen/interface/hvm/hvm_op.h). What
//! the hypervisor does: `xen/arch/x86/hvm/hvm.c`, `hvmop_get_mem_type()`.

use crate::bindings;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*, //
};

#[cfg(CONFIG_KUNIT)]
use crate::linux::faults::hvm_op;
#[cfg(not(CONFIG_KUNIT))]
use bindings::xenoxide_hvm_op as hvm_op;

/// Returns whether there is memory behind guest frame `gfn`.
///
/// Context: any.
///
/// # Errors
///
/// What the hypervisor says: it may not know the question, or not answer this domain.
pub fn is_backed(gfn: usize) -> Result<bool> {
    let mut query = bindings::xen_hvm_get_mem_type {
        domid: bindings::DOMID_SELF as bindings::domid_t,
        pfn: gfn as u64,
        ..Default::default()
    };

    // SAFETY: The operation reads the query and writes its answer there.
    let ret = unsafe {
        hvm_op(
            bindings::HVMOP_get_mem_type as c_int,
            (&raw mut query).cast::<c_void>(),
        )
    };
    to_result(ret)?;
    Ok(u32::from(query.mem_type) != bindings::hvmmem_type_t_HVMMEM_mmio_dm)
}
