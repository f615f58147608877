// SPDX-License-Identifier: GPL-2.0

//! What is in a window, to be read, or to be shown to programs.

use super::{
    Chunk,
    Entry,
    Window,
    LEAVING,
    ONE,
    RECENT, //
};
use crate::{
    bindings as xen_bindings,
    vfs::{
        Mount,
        Pinned, //
    },
    xen::domain::{
        self,
        Kind, //
    }, //
};
use core::sync::atomic::Ordering::Release;
use kernel::{
    bindings,
    iov::IovIterDest,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// Bytes of the SHA-256 of a page.
const DIGEST: usize = 32;

/// A page of another domain that is mapped, and stays so.
///
/// # Invariants
///
/// `entry` is the one at `at` of `chunk`, and counts this user.
pub struct View<'a> {
    pub(super) window: &'a Window,
    pub(super) chunk: &'a Chunk,
    pub(super) entry: &'a Entry,
    pub(super) at: usize,
}

impl<'a> View<'a> {
    /// Copies what is at `offset` in the page to `to`.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the page ends before.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        let end = offset.checked_add(to.len()).ok_or(EINVAL)?;
        if end > PAGE_SIZE {
            return Err(EINVAL);
        }
        self.chunk.memory.read(self.at * PAGE_SIZE + offset, to)
    }

    /// Copies `len` bytes at `offset` in the page to `to`, fewer if the page ends before or `to`
    /// cannot be written any further. Returns how many.
    ///
    /// Context: process context, may sleep, if `to` is a program's memory.
    #[inline]
    pub fn copy_out(&self, offset: usize, len: usize, to: &mut IovIterDest<'_>) -> usize {
        let len = len.min(PAGE_SIZE.saturating_sub(offset));
        let at = self.at * PAGE_SIZE + offset;
        self.chunk.memory.copy_out(at, len, to)
    }

    /// Returns the page's frame, to be shown to programs as page `index` of the file with the number
    /// `file`, by way of `mount`, which the window knows; `keep` is dropped after it. [`None`] if it
    /// does not, or if programs cannot be shown frames: in a PV domain.
    ///
    /// Context: process context, may sleep.
    pub fn frame<K>(
        self,
        mount: &Arc<Mount>,
        (file, index): (u64, usize),
        keep: K,
    ) -> Option<Frame<'a, K>> {
        let Some(page) = self.show(mount, file, index) else {
            // In this order, as always.
            drop(self);
            drop(keep);
            return None;
        };
        // SAFETY: It is a page of the kernel's.
        let pfn = unsafe { xen_bindings::xenoxide_page_to_pfn(page) } as usize;
        // INVARIANT: It is noted.
        Some(Frame {
            _view: self,
            _keep: keep,
            pfn,
        })
    }

    /// Returns the page, if programs may have it mapped, and takes note of where.
    fn show(&self, mount: &Arc<Mount>, file: u64, index: usize) -> Option<*mut bindings::page> {
        // It stays so as long as we use it: it is hidden before it is unmapped.
        if self.entry.shown.has(mount, file, index) {
            return self.chunk.pages.get(self.at).copied();
        }
        let mounts = self.window.mounts.lock();
        let known = mounts.iter().any(|other| Arc::ptr_eq(other, mount));
        if !known || domain::kind() == Some(Kind::Pv) {
            return None;
        }
        self.entry.shown.add(mount, file, index);
        self.chunk.pages.get(self.at).copied()
    }

    /// Returns the SHA-256 of what is in the page; of a page that changes meanwhile, of anything.
    ///
    /// Context: any.
    pub fn digest(&self) -> [u8; DIGEST] {
        let mut digest = [0; DIGEST];
        if let Some(page) = self.chunk.pages.get(self.at) {
            // SAFETY: By the type invariants the page is mapped where the kernel maps all memory,
            // and the function, which is C, may see it change. `digest` has room for its result.
            unsafe {
                bindings::sha256(
                    xen_bindings::xenoxide_page_va(*page) as *const u8,
                    PAGE_SIZE,
                    digest.as_mut_ptr(),
                )
            };
        }
        digest
    }
}

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        // INVARIANT: By the type invariants it counts us, and now no more.
        let before = self.entry.users.fetch_sub(1, Release);
        if before & !RECENT == LEAVING | (ONE + 1) {
            self.window.left.fetch_add(1, Release);
        }
    }
}

/// A page that programs may be shown, and what is kept as long.
///
/// # Invariants
///
/// `pfn` is the number of the frame of the view's page, whose entry says where it is shown.
pub struct Frame<'a, K> {
    _view: View<'a>,
    _keep: K,
    pfn: usize,
}

// SAFETY: By the type invariants the frame has the grant mapped, for reading, as long as the view is
// there; and it is not unmapped later before it was taken away from all programs. The hypervisor
// lets nobody write to it, or execute it.
unsafe impl<K> Pinned for Frame<'_, K> {
    fn pfn(&self) -> usize {
        self.pfn
    }
}
