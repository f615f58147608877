// SPDX-License-Identifier: GPL-2.0

//! Makes trees of shared pages from directories, and reads them.
//!
//! ```text
//!   directory ──scan──▶ Files ──pack──▶ Image ──▶ blocks for members
//!                                         └──check──▶ what is wrong, what it saves
//! ```
//!
//! The same files give the same bytes, wherever and whenever: the digest of a tree names its content.

mod check;
mod files;
mod image;
mod pack;
mod scan;

pub use check::{Summary, check};
pub use files::{Attributes, Block, Content, File, Files, NodeId, What};
pub use image::Image;
pub use pack::{pack, pack_with};
pub use scan::scan;
pub use shared_area::area;

use area::format::Digest;
use sha2::{Digest as _, Sha256};

/// Returns the digest of a block.
pub fn digest(block: &Block) -> Digest {
    Sha256::digest(block).into()
}
