// SPDX-License-Identifier: GPL-2.0

//! What is in a window, to be read, or to be shown to programs.

use super::{
    entry::Entry,
    Name,
    Screen,
    Window, //
};
use crate::{
    vfs::{
        Locked,
        Pinned, //
    },
    xen::shared::Bytes, //
};
use core::{
    marker::PhantomData,
    sync::atomic::Ordering::Release, //
};
use kernel::{
    bindings,
    iov::IovIterDest,
    page::PAGE_SIZE,
    prelude::*, //
};

/// Bytes of the SHA-256 of a page.
const DIGEST: usize = 32;

/// Pages of another domain, one or several in a row, that are mapped, and stay so.
///
/// # Invariants
///
/// `first` and `others` are the entries of slots in a row, of which `slot` is the first, and count this
/// user; `bytes` are those of the slots.
pub struct View<'a> {
    window: &'a Window,
    first: &'a Entry,
    others: &'a [Entry],
    bytes: Bytes<'a>,
    slot: u32,
}

impl<'a> View<'a> {
    /// Counts one who uses what is in a slot, if something is, with that name if one is given.
    #[inline]
    pub(super) fn enter(window: &'a Window, slot: u32, name: Option<Name>) -> Option<Self> {
        let first = window.room.entry(slot)?;
        let address = window.room.address(slot)?;
        if !first.enter(name) {
            return None;
        }
        // INVARIANT: It counts us.
        Some(Self {
            window,
            first,
            others: &[],
            // SAFETY: By the invariants of the room there is a page of the other domain's, as long as
            // there is one who uses it.
            bytes: unsafe { Bytes::new(address, PAGE_SIZE) },
            slot,
        })
    }

    /// As [`View::enter`], with those of up to `most` slots in all that have the names that follow, if
    /// the kernel has them mapped in a row.
    #[inline]
    pub(super) fn enter_run(
        window: &'a Window,
        slot: u32,
        (name, most): (Name, usize),
    ) -> Option<Self> {
        let mut view = Self::enter(window, slot, Some(name))?;
        let behind = window.room.behind(slot);
        let most = most.min(name.left()).saturating_sub(1);
        let names = (1..).map(|ahead| name.after(ahead));
        let entered = behind.iter().take(most).zip(names);
        let count = entered.take_while(|(entry, name)| entry.enter(Some(*name)));
        let count = count.count();
        view.others = behind.get(..count).unwrap_or(&[]);
        // SAFETY: As above; these slots are behind each other.
        view.bytes = unsafe { Bytes::new(view.bytes.address(), (1 + count) * PAGE_SIZE) };
        Some(view)
    }

    /// Returns how many pages there are.
    #[inline]
    pub fn pages(&self) -> usize {
        1 + self.others.len()
    }

    /// Copies what is at `offset` in the pages to `to`.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// `EINVAL` if they end before.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        self.bytes.read(offset, to)
    }

    /// Copies `len` bytes at `offset` in the pages to `to`, fewer if they end before, or `to` does, or
    /// is not there just now (see [`make_room`](crate::xen::shared::make_room)). Returns how many.
    ///
    /// Context: any.
    #[inline]
    pub fn copy_out(&self, offset: usize, len: usize, to: &mut IovIterDest<'_>) -> usize {
        self.bytes.copy_out(offset, len, to)
    }

    /// Returns the number of the first page's frame, where programs may have that mapped.
    ///
    /// Context: any.
    pub fn number(&self) -> Option<usize> {
        self.window.room.frame(self.slot)
    }

    /// Takes note that programs may have the first page mapped as page `index` of the file with the number
    /// `file`, on `screen`, which the window knows. Returns whether they may: in a PV domain programs
    /// cannot be shown frames.
    ///
    /// Context: process context, may sleep.
    pub fn show(&self, screen: &Screen, file: u64, index: u64) -> bool {
        let place = screen.place(file, index);
        let noted = self.first.place();
        // It stays so as long as we use it: it is hidden before it is unmapped.
        if noted == place || noted == super::Place::SEVERAL {
            return true;
        }
        let screens = self.window.screens.lock();
        if self.window.room.frame(self.slot).is_none() || !screens.knows(screen) {
            return false;
        }
        let noted = self.first.place();
        self.first.set_place(match noted {
            super::Place::NOWHERE => place,
            other if other == place => place,
            _ => super::Place::SEVERAL,
        });
        true
    }

    /// Returns the first page's frame, to be [shown](View::show) to programs; `keep` is dropped after it.
    /// [`None`] if it cannot be.
    ///
    /// Context: process context, may sleep.
    pub fn frame<K>(
        self,
        screen: &Screen,
        (file, index): (u64, u64),
        keep: K,
    ) -> Option<Frame<'a, K>> {
        let pfn = match self.window.room.frame(self.slot) {
            Some(pfn) if self.show(screen, file, index) => pfn,
            _ => {
                // In this order, as always.
                drop(self);
                drop(keep);
                return None;
            }
        };
        // INVARIANT: It is noted.
        Some(Frame {
            _view: self,
            _keep: keep,
            pfn,
        })
    }

    /// Returns the SHA-256 of what is in the first page; of a page that changes meanwhile, of anything.
    ///
    /// Context: any.
    pub fn digest(&self) -> [u8; DIGEST] {
        let mut digest = [0; DIGEST];
        // SAFETY: By the type invariants there are so many bytes, and the function, which is C, may
        // see them change. `digest` has room for its result.
        unsafe {
            bindings::sha256(
                self.bytes.address().as_ptr(),
                PAGE_SIZE,
                digest.as_mut_ptr(),
            )
        };
        digest
    }
}

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        // INVARIANT: By the type invariants they count us, and now no more.
        let leave = |entry: &Entry| {
            if entry.exit() {
                self.window.left.fetch_add(1, Release);
            }
        };
        leave(self.first);
        self.others.iter().for_each(leave);
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

/// Pages in a row that programs may be shown as long as a page table is locked.
///
/// # Invariants
///
/// `pfn` is the number of the first frame of `count` slots whose entries say where they are shown, and
/// were not busy when the page table was locked.
pub struct Shown<'a> {
    pfn: usize,
    count: usize,
    locked: PhantomData<&'a Locked>,
}

impl Shown<'_> {
    /// The caller has found, with the page table locked, that they are shown and not busy.
    #[inline]
    pub(super) fn new(pfn: usize, count: usize) -> Self {
        // INVARIANT: By the requirements.
        Self {
            pfn,
            count,
            locked: PhantomData,
        }
    }
}

// SAFETY: By the type invariants the frames had grants mapped, for reading, when the table was
// locked. Whoever unmaps it makes it busy first and then takes it away from all programs: to look into
// that table it waits until it is unlocked.
unsafe impl Pinned for Shown<'_> {
    #[inline]
    fn pfn(&self) -> usize {
        self.pfn
    }

    #[inline]
    fn count(&self) -> usize {
        self.count
    }
}
