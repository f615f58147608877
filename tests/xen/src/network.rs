// SPDX-License-Identifier: GPL-2.0
//! The network of a boot that asks for one: a bridge in dom0, an interface and a fixed address in guests.

/// In guests.
pub const FRONT_MODULE: &str = "xen_netfront";
/// In dom0.
pub const BACK_MODULES: [&str; 2] = ["bridge", "xen_netback"];
/// A guest's interface in `xl.cfg`'s words.
pub const VIF: &str = "vif=[\"script=/bed/scripts/vif\"]\n";
/// Puts an interface on the bridge. Xen's own script does so too, with a hundred processes.
pub const SCRIPT: &str = include_str!("scripts/vif");

/// Of dom0 (0) or of a guest (1 and up).
pub fn address(number: usize) -> String {
    format!("10.0.0.{}", number + 1)
}

/// What tells an agent its address.
pub fn word(number: usize) -> String {
    format!("bed.address={}/24", address(number))
}
