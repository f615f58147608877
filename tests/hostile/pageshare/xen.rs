// SPDX-License-Identifier: GPL-2.0

//! The `xen` layer, with events that storm, and shared memory that says what is wrong.

#[path = "../event.rs"]
pub mod event;
pub mod grant;
#[path = "../../../rust/xen/mod.rs"]
pub mod honest;

pub use honest::*;
