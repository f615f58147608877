// SPDX-License-Identifier: GPL-2.0

//! Pages around one that is missing, mapped together.
//!
//! Those that are at hand are looked up and entered while their page table is locked, and not counted as
//! used: who takes a frame away waits for that lock, and finds the mapping then.

use super::Pinned;
use crate::bindings as xen_bindings;
use core::{
    ops::Range,
    sync::atomic::{
        fence,
        Ordering::SeqCst, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

/// So many pages are looked at, those in the same place of a multiple of it. The page cache's are fewer
/// (`fault_around_bytes`), or all of a large folio: each of those has counts to be kept, a frame has not.
pub const PAGES: usize = 64;

/// What a page table has room for, in bytes of the program's.
const TABLE: usize = 1 << bindings::PMD_SHIFT;

/// A page table of a program that is locked.
///
/// # Invariants
///
/// There is one only while it is locked. What was entered into tables above it before can be seen by
/// who stores something after this has been made, and by who sees that.
pub struct Locked(());

/// Pages that have frames at hand.
pub trait AtHand {
    /// Frames of pages that follow each other.
    type Frames<'a>: Pinned
    where
        Self: 'a;

    /// Calls `each` with those pages that programs may have: with the first of those that follow each
    /// other, and their frames.
    ///
    /// Context: atomic; a page table is locked.
    fn each<'a>(&'a self, locked: &'a Locked, each: impl FnMut(u64, Self::Frames<'a>));
}

/// Pages of a mapping, in one page table.
pub struct Around {
    vma: *mut bindings::vm_area_struct,
    /// Where the first one is, in the program's memory.
    address: usize,
    indexes: Range<u64>,
}

impl Around {
    /// Returns the pages around page `index` of a file with `end` pages, which a program has at
    /// `address`.
    ///
    /// # Safety
    ///
    /// The page is one of the mapping `vma`, in which a fault is being handled as long as the object is
    /// there.
    pub unsafe fn new(
        vma: *mut bindings::vm_area_struct,
        (index, address): (usize, usize),
        end: usize,
    ) -> Self {
        // SAFETY: By the requirements.
        let (start, len) = unsafe { ((*vma).vm_pgoff, xen_bindings::xenoxide_mapping_pages(vma)) };
        let before = address % TABLE / PAGE_SIZE;
        let first = (index - index % PAGES)
            .max(start)
            .max(index.saturating_sub(before));
        let end = end
            .min(start.saturating_add(len))
            .min(index - index % PAGES + PAGES)
            .min(index + TABLE / PAGE_SIZE - before);
        Self {
            vma,
            address: address - address % PAGE_SIZE - (index - first) * PAGE_SIZE,
            indexes: first as u64..end as u64,
        }
    }

    /// Returns which pages of the file they are, at most [`PAGES`].
    pub fn indexes(&self) -> Range<u64> {
        self.indexes.clone()
    }

    /// Returns how many of `count` pages from `index` on are among these. [`None`] if that one is not.
    #[inline]
    fn part(&self, index: u64, count: usize) -> Option<usize> {
        let rest = self.indexes.end.checked_sub(index)?;
        (index >= self.indexes.start && rest > 0).then(|| count.min(rest as usize))
    }

    /// Maps those that are at hand, where nothing is mapped. Returns whether page `index` is one. From
    /// then on there is a page table for them.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn insert<T: AtHand>(&self, at_hand: &T, index: u64) -> Result<bool> {
        let mut insertion = Insertion {
            around: self,
            at_hand,
            index,
            found: false,
        };
        // SAFETY: By the requirements of `new` that is an address of the mapping. The function is
        // called once, with what it is for.
        to_result(unsafe {
            bindings::apply_to_page_range(
                (*self.vma).vm_mm,
                self.address,
                PAGE_SIZE,
                Some(insert::<T>),
                (&raw mut insertion).cast(),
            )
        })?;
        Ok(insertion.found)
    }
}

/// What [`insert`] is called with.
struct Insertion<'a, T> {
    around: &'a Around,
    at_hand: &'a T,
    /// The page that is missing.
    index: u64,
    /// Whether it was at hand.
    found: bool,
}

/// Maps pages.
///
/// # Safety
///
/// `data` is an [`Insertion`], and `entry` that of its first page in a page table which is locked.
unsafe extern "C" fn insert<T: AtHand>(
    entry: *mut bindings::pte_t,
    address: c_ulong,
    data: *mut c_void,
) -> c_int {
    // SAFETY: By the requirements.
    let insertion = unsafe { &mut *data.cast::<Insertion<'_, T>>() };
    let around = insertion.around;
    fence(SeqCst);
    // INVARIANT: It is locked until this returns. The fence is behind what was entered above.
    let locked = Locked(());
    insertion.at_hand.each(&locked, |index, frames| {
        let Some(count) = around.part(index, frames.count()) else {
            return;
        };
        let offset = (index - around.indexes.start) as usize;
        // SAFETY: By the requirements of `Around::new` these pages are in the mapping and in the
        // table. The frames are such as programs may have, as long as the table is locked.
        unsafe {
            xen_bindings::xenoxide_mapping_insert(
                around.vma,
                address.wrapping_add(offset * PAGE_SIZE),
                entry.add(offset),
                frames.pfn(),
                count,
            )
        };
        insertion.found |= insertion.index.wrapping_sub(index) < count as u64;
    });
    0
}
