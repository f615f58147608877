// SPDX-License-Identifier: GPL-2.0

//! The safe face of Xen for guest modules.

pub mod barrier;
#[cfg(CONFIG_KUNIT)]
pub mod borrowed;
pub mod builtin;
pub mod domain;
pub mod event;
pub mod grant;
pub mod growth;
pub mod lifecycle;
pub mod meeting;
pub mod permission;
pub mod physmap;
#[cfg(CONFIG_XEN_PV)]
mod pv;
pub mod reservation;
pub mod shared;
pub mod store;
pub mod words;
