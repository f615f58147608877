// SPDX-License-Identifier: GPL-2.0

//! What is in a slot, and who uses it.
//!
//! Atomic operations come from the `core` crate here: they are instructions. The kernel's are calls
//! of C functions, and there are several for each page that is read or mapped.

use crate::vfs::Mount;
use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    AtomicUsize,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// In [`Entry::users`]: nothing is mapped.
pub(super) const EMPTY: u32 = 0;

/// In [`Entry::users`]: the grant is being mapped or unmapped, or it never will be again.
pub(super) const BUSY: u32 = u32::MAX;

/// In [`Entry::users`]: something is mapped, and nobody uses it.
pub(super) const ONE: u32 = EMPTY + 1;

/// A bit of [`Entry::users`]: it is to be unmapped when nobody uses it any more; nobody begins to.
pub(super) const LEAVING: u32 = 1 << 31;

/// A bit of [`Entry::users`]: it was used since somebody last looked.
pub(super) const RECENT: u32 = 1 << 30;

/// The largest number in [`Entry::users`], without bits.
const MOST: u32 = RECENT - 1;

/// In [`Entry::name`]: none.
const NAMELESS: u64 = u64::MAX;

/// What is in a slot.
pub(super) struct Entry {
    /// [`EMPTY`], [`BUSY`], or one more than how many use what is mapped, with bits.
    pub(super) users: AtomicU32,
    /// What the user calls it, as long as it is mapped.
    pub(super) name: AtomicU64,
    /// The handle of what is mapped.
    pub(super) handle: AtomicU32,
    /// Where programs may have it mapped; written under the lock of the window's mounts.
    pub(super) shown: Shown,
}

impl Entry {
    /// Nothing is mapped.
    pub(super) fn new() -> Self {
        Self {
            users: AtomicU32::new(EMPTY),
            name: AtomicU64::new(NAMELESS),
            handle: AtomicU32::new(0),
            shown: Shown {
                mount: AtomicUsize::new(NOWHERE),
                file: AtomicU64::new(0),
                index: AtomicUsize::new(0),
            },
        }
    }

    /// Counts one who uses it more, if something is mapped that is not to be unmapped.
    #[inline]
    pub(super) fn enter(&self) -> bool {
        let mut users = self.users.load(Relaxed);
        loop {
            // The largest number is not to be reached.
            if users & LEAVING != 0 || users & MOST == EMPTY || users & MOST == MOST {
                return false;
            }
            match self
                .users
                .compare_exchange_weak(users, (users + 1) | RECENT, Acquire, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => users = now,
            }
        }
    }

    /// Makes it busy, to be unmapped. `EAGAIN` if it is used: it is when nobody does any more.
    pub(super) fn leave(&self) -> Result {
        let mut users = self.users.load(Relaxed);
        loop {
            let used = match users & !(RECENT | LEAVING) {
                _ if users == BUSY || users == EMPTY => return Err(EBUSY),
                count => count > ONE,
            };
            let then = if used { users | LEAVING } else { BUSY };
            match self
                .users
                .compare_exchange_weak(users, then, Acquire, Relaxed)
            {
                Ok(_) if used => return Err(EAGAIN),
                Ok(_) => {
                    self.name.store(NAMELESS, Relaxed);
                    return Ok(());
                }
                Err(now) => users = now,
            }
        }
    }

    /// Returns whether it was used, and forgets that.
    pub(super) fn forget_use(&self) -> bool {
        let mut users = self.users.load(Relaxed);
        while users != BUSY && users & RECENT != 0 {
            match self
                .users
                .compare_exchange_weak(users, users & !RECENT, Relaxed, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => users = now,
            }
        }
        false
    }
}

/// Where programs may have a frame mapped.
pub(super) struct Shown {
    /// [`NOWHERE`], [`SEVERAL`], or the address of the one mount.
    mount: AtomicUsize,
    /// The number of the file's inode there.
    file: AtomicU64,
    /// Which page of the file.
    index: AtomicUsize,
}

/// In [`Shown::mount`]: no program has it mapped.
const NOWHERE: usize = 0;

/// In [`Shown::mount`]: it is several pages of files.
const SEVERAL: usize = usize::MAX;

impl Shown {
    /// Whether that page of a file is taken note of.
    pub(super) fn has(&self, mount: &Arc<Mount>, file: u64, index: usize) -> bool {
        match self.mount.load(Acquire) {
            NOWHERE => false,
            SEVERAL => true,
            known => {
                known == core::ptr::from_ref(&**mount).addr()
                    && self.file.load(Relaxed) == file
                    && self.index.load(Relaxed) == index
            }
        }
    }

    /// Takes note that it is that page of a file.
    pub(super) fn add(&self, mount: &Arc<Mount>, file: u64, index: usize) {
        let mount = core::ptr::from_ref(&**mount).addr();
        let known = (
            self.mount.load(Relaxed),
            self.file.load(Relaxed),
            self.index.load(Relaxed),
        );
        if known.0 == NOWHERE {
            self.file.store(file, Relaxed);
            self.index.store(index, Relaxed);
            self.mount.store(mount, Release);
        } else if known != (mount, file, index) {
            self.mount.store(SEVERAL, Relaxed);
        }
    }

    /// Takes it away from programs.
    pub(super) fn hide(&self, mounts: &[Arc<Mount>]) {
        let place = self.mount.load(Relaxed);
        for mount in mounts {
            if place == SEVERAL {
                mount.unmap_all();
            } else if place == core::ptr::from_ref(&**mount).addr() {
                mount.unmap(self.file.load(Relaxed), self.index.load(Relaxed), 1);
            }
        }
        self.mount.store(NOWHERE, Relaxed);
    }
}
