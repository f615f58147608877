// SPDX-License-Identifier: GPL-2.0

//! What is counted when a member gets a page: for the area, the tree and the member.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// How often members have got a page, and what was read for that.
pub(super) struct Counts {
    got: Atomic<u64>,
    read: Atomic<u64>,
}

impl Counts {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            got: Atomic::new(0),
            read: Atomic::new(0),
        }
    }

    /// A member has got a page.
    pub(super) fn count_got(&self) {
        self.got.fetch_add(1, Relaxed);
    }

    /// A page was read from a tree's file.
    pub(super) fn count_read(&self) {
        self.read.fetch_add(1, Relaxed);
    }

    /// Times that a member has got a page.
    pub(super) fn got(&self) -> u64 {
        self.got.load(Relaxed)
    }

    /// Pages that were read from a tree's file.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Times that a member has got a page that was there.
    pub(super) fn hits(&self) -> u64 {
        self.got().saturating_sub(self.read())
    }
}
