// SPDX-License-Identifier: GPL-2.0
//! The test bed: boots Xen with guests in QEMU, and runs things there.
//!
//! ```no_run
//! use bed::{Bed, Guest, Host};
//! # fn main() -> anyhow::Result<()> {
//! let bed = Bed::boot(Host::new("example").guest(Guest::pvh("a").module("xenballoon")))?;
//! bed.guest("a")?.insmod("xenballoon", &[])?;
//! let output = bed.dom0().run(&["xl", "mem-set", "a", "200"])?.ok()?;
//! println!("{:?}", output.elapsed);
//! # Ok(())
//! # }
//! ```

pub mod balloon;
mod bed;
mod describe;
pub mod guard;
mod kernel;
mod link;
mod machine;
mod network;
pub mod pages;
mod payload;
pub mod place;
pub mod problems;
mod qemu;
mod ramdisk;
mod state;
pub mod tools;
pub mod trees;
mod xentop;

pub use bed::Bed;
pub use describe::{Flavour, Guest, Host, Kind};
pub use link::Refused;
pub use machine::{Machine, Output, Program, Span, Until, Write};
pub use state::LogLine;
