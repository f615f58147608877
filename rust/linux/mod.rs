// SPDX-License-Identifier: GPL-2.0

//! Small wrappers for kernel subjects that the kernel crate does not cover yet.

pub mod device;
#[cfg(CONFIG_KUNIT)]
pub mod faults;
pub mod folder;
pub mod hotplug;
pub mod irqlock;
pub mod memory;
pub mod module;
pub mod noio;
pub mod oom;
pub mod pages;
pub mod param;
pub mod percpu;
pub mod power;
pub mod random;
pub mod shrinker;
pub mod timing;
pub mod uapi;
pub mod vmstat;
pub mod work;
