// SPDX-License-Identifier: GPL-2.0

//! What kind of domain this kernel runs in.
//!
//! C headers: [`include/xen/xen.h`](srctree/include/xen/xen.h),
//! [`include/xen/features.h`](srctree/include/xen/features.h).

use crate::bindings;
use kernel::prelude::*;

/// How the hypervisor runs a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Paravirtual: the guest sees machine frames and keeps its page tables by hypercall.
    Pv,
    /// Hardware virtualised without device emulation.
    Pvh,
    /// Hardware virtualised with device emulation.
    Hvm,
}

impl Kind {
    /// Returns the name that `xl` uses.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Pv => "pv",
            Kind::Pvh => "pvh",
            Kind::Hvm => "hvm",
        }
    }
}

/// A feature that the hypervisor announces (`xen/interface/features.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// The hypervisor translates frame numbers: the guest never sees machine frames.
    AutoTranslatedPhysmap,
    /// Event channels reach the guest as an interrupt vector of its choice.
    HvmCallbackVector,
}

/// Returns the kind of this domain, or [`None`] when not running on Xen.
///
/// Context: any.
pub fn kind() -> Option<Kind> {
    // SAFETY: No preconditions, here and below.
    if !unsafe { bindings::xenoxide_xen_domain() } {
        return None;
    }
    // SAFETY: As above.
    if unsafe { bindings::xenoxide_xen_pv_domain() } {
        return Some(Kind::Pv);
    }
    // SAFETY: As above.
    if unsafe { bindings::xenoxide_xen_pvh_domain() } {
        return Some(Kind::Pvh);
    }
    Some(Kind::Hvm)
}

/// Returns the kind of this domain.
///
/// # Errors
///
/// `ENODEV` when not running on Xen.
pub fn require() -> Result<Kind> {
    kind().ok_or(ENODEV)
}

/// Returns whether this is the initial domain, dom0.
///
/// Context: any.
pub fn is_initial() -> bool {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_xen_initial_domain() }
}

/// Returns whether the hypervisor announces `feature`.
///
/// Context: any.
pub fn has(feature: Feature) -> bool {
    let flag = match feature {
        Feature::AutoTranslatedPhysmap => bindings::XENFEAT_auto_translated_physmap,
        Feature::HvmCallbackVector => bindings::XENFEAT_hvm_callback_vector,
    };
    // SAFETY: `flag` is one of the features that the header names, so within the kernel's table.
    unsafe { bindings::xenoxide_xen_feature(flag as i32) }
}
