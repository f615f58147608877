// SPDX-License-Identifier: GPL-2.0

//! Mapping and unmapping page frames in a PV domain, which keeps its own page tables and its own
//! table from page frames to machine frames (P2M).
//!
//! The kernel has functions for it (`__xenmem_reservation_va_mapping_reset()` and `_update()` in
//! `drivers/xen/mem-reservation.c`) that make a hypercall for each page and `BUG` where one fails.
//! Here a multicall does [`CALLS`] pages at a time, and a failure is an error.
//!
//! C headers: [`arch/x86/include/asm/xen/page.h`](srctree/arch/x86/include/asm/xen/page.h),
//! [`include/xen/interface/xen.h`](srctree/include/xen/interface/xen.h).

use super::domain::{
    self,
    Kind, //
};
use crate::{
    bindings,
    linux::{
        pages::{
            nth_page,
            Stack, //
        },
        timing::{
            self,
            LONGEST_CALL, //
        }, //
    }, //
};
use core::{
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    ffi::c_uint,
    prelude::*, //
};

#[cfg(CONFIG_KUNIT)]
use crate::linux::faults::{
    alloc_p2m_entry,
    multicall,
    write_p2m, //
};
#[cfg(not(CONFIG_KUNIT))]
use bindings::{
    xen_alloc_p2m_entry as alloc_p2m_entry,
    xenoxide_multicall as multicall,
    xenoxide_write_p2m as write_p2m, //
};

/// How many pages one multicall maps or unmaps: 32 KiB of entries.
const CALLS: usize = 512;

/// What the P2M holds for a page frame with nothing behind it.
const INVALID_P2M_ENTRY: usize = usize::MAX;

/// Returns how many page frames the P2M has room for, in a PV domain.
pub(super) fn most_frames() -> Option<usize> {
    // SAFETY: The kernel sets the word when it boots.
    let frames = unsafe { bindings::xen_p2m_size };
    (domain::kind() == Some(Kind::Pv)).then_some(frames)
}

/// Makes the P2M of a PV domain say that there is no memory behind `frames`, which nobody uses, so
/// that the kernel does not map what the hypervisor has at these addresses.
///
/// # Errors
///
/// `ENOMEM`, `EINVAL` if the P2M has no room for them.
pub(super) fn make_invalid(frames: Range<usize>) -> Result {
    let Some(most) = most_frames() else {
        return Ok(());
    };
    if frames.end > most {
        return Err(EINVAL);
    }
    for (n, pfn) in frames.enumerate() {
        timing::pass(n);
        // SAFETY: The P2M has the frame, and nobody uses it.
        unsafe {
            if write_p2m(pfn, INVALID_P2M_ENTRY) != 0 {
                // This part of the table is shared by frames of which all say the same, maybe
                // something else.
                to_result(alloc_p2m_entry(pfn))?;
                to_result(write_p2m(pfn, INVALID_P2M_ENTRY))?;
            }
        }
    }
    Ok(())
}

/// Maps and unmaps runs of pages.
pub(super) struct Mapper {
    calls: KVVec<bindings::multicall_entry>,
    /// How many of the calls are queued. What an attempt that failed has left there is dropped by
    /// the next one: it may be of pages that are somebody else's by then.
    used: usize,
    multicalls: u64,
}

impl Mapper {
    /// Allocates what a multicall needs.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            calls: KVVec::from_elem(bindings::multicall_entry::default(), CALLS, GFP_KERNEL)?,
            used: 0,
            multicalls: 0,
        })
    }

    /// Returns how many multicalls were made.
    pub(super) fn multicalls(&self) -> u64 {
        self.multicalls
    }

    /// Unmaps the pages of the first `runs` of `stack` and takes them out of the P2M.
    ///
    /// All CPUs of the domain have forgotten the mappings afterwards.
    ///
    /// # Errors
    ///
    /// What the hypervisor says; some of the pages may be unmapped then, and all are still in the
    /// P2M.
    pub(super) fn unmap(&mut self, stack: &Stack, runs: usize) -> Result {
        self.used = 0;
        for_each_page(stack, runs, |page, _| {
            // SAFETY: The page is ours and nobody uses it.
            unsafe { self.queue(page, None) }
        })?;
        if let Some(last) = self.used.checked_sub(1) {
            self.calls[last].args[2] = (bindings::UVMF_TLB_FLUSH | bindings::UVMF_ALL) as usize;
        }
        self.flush()?;

        for_each_page(stack, runs, |page, _| {
            // SAFETY: The page is ours and not mapped any more.
            unsafe { set_p2m(page, INVALID_P2M_ENTRY) }
        })
    }

    /// Enters the pages of the first `runs` of `stack` in the P2M and maps them. `mfn` says which
    /// machine frame is behind the `n`th page.
    ///
    /// # Errors
    ///
    /// What the hypervisor says; some of the pages may be mapped then.
    ///
    /// # Safety
    ///
    /// Each machine frame must belong to this domain and be used for nothing else.
    pub(super) unsafe fn map(
        &mut self,
        stack: &Stack,
        runs: usize,
        mfn: impl Fn(usize) -> usize,
    ) -> Result {
        self.used = 0;
        for_each_page(stack, runs, |page, n| {
            // SAFETY: By the requirements; the page is ours and nobody uses it.
            unsafe {
                set_p2m(page, mfn(n))?;
                self.queue(page, Some(mfn(n)))
            }
        })?;
        self.flush()
    }

    /// Queues the change of a page's mapping, to nothing or to `mfn`.
    ///
    /// # Safety
    ///
    /// The page must be ours and unused, and `mfn` the domain's for it.
    unsafe fn queue(
        &mut self,
        page: NonNull<kernel::bindings::page>,
        mfn: Option<usize>,
    ) -> Result {
        if self.used == CALLS {
            self.flush()?;
        }
        let call = &mut self.calls[self.used];
        call.op = bindings::__HYPERVISOR_update_va_mapping as usize;
        // SAFETY: The page is valid; this only computes.
        call.args[0] = unsafe { bindings::xenoxide_page_va(page.as_ptr()) };
        // SAFETY: As above.
        call.args[1] = mfn.map_or(0, |mfn| unsafe { bindings::xenoxide_mfn_pte(mfn) });
        call.args[2] = 0;
        self.used += 1;
        Ok(())
    }

    /// Makes the calls queued.
    fn flush(&mut self) -> Result {
        let calls = &mut self.calls[..self.used];
        if calls.is_empty() {
            return Ok(());
        }
        self.used = 0;
        self.multicalls += 1;
        let ret = LONGEST_CALL.time(|| {
            // SAFETY: The calls are those of `queue()`, whose callers vouch for them.
            unsafe { multicall(calls.as_mut_ptr(), calls.len() as c_uint) }
        });
        to_result(ret)?;
        calls
            .iter()
            .try_for_each(|call| to_result(call.result as i32))
    }
}

/// Calls `f` with each page of the first `runs` of `stack` and its number, until one fails.
fn for_each_page(
    stack: &Stack,
    runs: usize,
    mut f: impl FnMut(NonNull<kernel::bindings::page>, usize) -> Result,
) -> Result {
    let pages = stack.order().pages();
    let mut n = 0;
    let mut result = Ok(());

    stack.for_each(runs, |first| {
        for i in 0..pages {
            if result.is_err() {
                return;
            }
            // SAFETY: The run is owned by the stack and has more than `i` pages.
            result = f(unsafe { nth_page(first, i) }, n);
            n += 1;
            timing::pass(n);
        }
    });
    result
}

/// Sets a page's P2M entry.
///
/// # Safety
///
/// The page must be ours, and `mfn` the domain's for it, or [`INVALID_P2M_ENTRY`] if it is not
/// mapped.
unsafe fn set_p2m(page: NonNull<kernel::bindings::page>, mfn: usize) -> Result {
    // SAFETY: By the requirements.
    unsafe {
        let pfn = bindings::xenoxide_page_to_pfn(page.as_ptr());
        if write_p2m(pfn, mfn) == 0 {
            return Ok(());
        }
        // The part of the table is one that all frames without memory share, and cannot be written.
        if mfn == INVALID_P2M_ENTRY {
            return Ok(());
        }
        // It holds that this frame has no memory: get one of its own.
        to_result(alloc_p2m_entry(pfn))?;
        to_result(write_p2m(pfn, mfn))
    }
}
