// SPDX-License-Identifier: GPL-2.0

//! The core of pageshare as the module compiles it.

#![no_std]

#[path = "../../../../pageshare/area/mod.rs"]
pub mod area;
