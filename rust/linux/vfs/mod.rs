// SPDX-License-Identifier: GPL-2.0

//! A file system that can only be read, in safe Rust.
//!
//! ```text
//!   mount(2) ──▶ registration ──▶ FileSystem::attach
//!                     │
//!   path walk ──▶ directory, xattr, export ──▶ inode ──▶ FileSystem::inode
//!   read, mmap ─▶ file, mapping ──▶ FileSystem::{read, fill, frame}
//! ```
//!
//! What a file system says once of an inode is kept with it as long as the kernel keeps the inode.
//! So it must not change: there is no way to tell the kernel to forget it.
//!
//! A module has one such type of file system. Nothing here is but in `rust/helpers/vfs.o`, which
//! only modules with a file system have.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h),
//! [`include/linux/exportfs.h`](srctree/include/linux/exportfs.h).

mod around;
mod directory;
mod error;
mod export;
mod file;
mod file_system;
mod inode;
#[cfg(CONFIG_KUNIT)]
pub mod inside;
mod mapping;
mod registration;
mod request;
mod super_block;
mod xattr;

pub use around::{
    Around,
    AtHand,
    Locked,
    PAGES, //
};
pub use file_system::{
    Attributes,
    FileSystem,
    NoFrame,
    Pinned,
    Seek,
    Statfs,
    NAME_MAX,
    TARGET_MAX, //
};
pub use registration::Registration;
pub use request::Request;
pub use super_block::Mount;
