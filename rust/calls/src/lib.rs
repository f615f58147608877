// SPDX-License-Identifier: GPL-2.0

//! What `/dev/pageshare` can be asked for, as `pageshare/uapi/pageshare.h` has it.

mod device;
mod name;
mod raw;
mod things;

pub use device::{Device, RULES_MAX};
pub use name::{NAME, Name};
pub use things::{Area, Disk, File, Member, Tree, Withdrawn};

use rustix::io::Errno;

type Result<T> = std::result::Result<T, Errno>;
