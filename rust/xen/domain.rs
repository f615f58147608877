// SPDX-License-Identifier: GPL-2.0

//! What kind of domain this kernel runs in.
//!
//! C headers: [`include/xen/xen.h`](srctree/include/xen/xen.h),
//! [`include/xen/features.h`](srctree/include/xen/features.h).

use crate::bindings;
use kernel::{
    fmt,
    prelude::*, //
};

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

/// The number of a domain.
///
/// # Invariants
///
/// The number is that of a domain that may exist, or [`DomId::SELF`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DomId(u16);

impl DomId {
    /// Whichever domain asks (`DOMID_SELF`).
    // INVARIANT: It is that number.
    pub const SELF: Self = Self(bindings::DOMID_SELF as u16);

    /// The first number that no domain has (`DOMID_FIRST_RESERVED`, `xen/include/public/xen.h`).
    const FIRST_RESERVED: u32 = bindings::DOMID_FIRST_RESERVED;

    /// How far the address of a domain in `AF_VSOCK`, its CID, is from its number: 0 and 1 are
    /// taken, and 2, the host, is dom0.
    const CID_OFFSET: u32 = 2;

    /// Returns the domain of that number, or [`None`] if there can be none.
    pub const fn new(number: u32) -> Option<Self> {
        if number < Self::FIRST_RESERVED {
            // INVARIANT: As just checked.
            Some(Self(number as u16))
        } else {
            None
        }
    }

    /// Returns the domain of that address, or [`None`] if there can be none.
    pub const fn from_cid(cid: u32) -> Option<Self> {
        match cid.checked_sub(Self::CID_OFFSET) {
            Some(number) => Self::new(number),
            None => None,
        }
    }

    /// Returns the number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Returns the address in `AF_VSOCK`.
    pub const fn cid(self) -> u32 {
        self.0 as u32 + Self::CID_OFFSET
    }
}

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
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
