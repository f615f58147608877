// SPDX-License-Identifier: GPL-2.0
//! What the bed and its agents say to each other.

pub mod frame;
pub mod message;
