// SPDX-License-Identifier: GPL-2.0

//! The `xen` layer, with events that storm.

#[path = "event.rs"]
pub mod event;
#[path = "../../rust/xen/mod.rs"]
pub mod honest;

pub use honest::*;
