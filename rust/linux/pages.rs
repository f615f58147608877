// SPDX-License-Identifier: GPL-2.0

//! Runs of page frames that are owned, and stacks of them that need no memory of their own.
//!
//! C headers: [`include/linux/gfp.h`](srctree/include/linux/gfp.h),
//! [`include/linux/mm_types.h`](srctree/include/linux/mm_types.h).

use super::timing;
use crate::bindings as xen_bindings;
use core::{
    mem,
    ptr::NonNull, //
};
use kernel::bindings;

#[cfg(CONFIG_KUNIT)]
use super::faults::alloc_pages;
#[cfg(not(CONFIG_KUNIT))]
use bindings::alloc_pages;

/// How pages for the hypervisor are allocated: zeroed; trying no more than a little, warning nobody,
/// leaving the reserves alone.
const GFP_EXTENT: bindings::gfp_t = xen_bindings::XENOXIDE_GFP_EXTENT;

/// The size of a run of page frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One 4 KiB page.
    Base,
    /// A naturally aligned 2 MiB run, a superpage in the hypervisor's second stage tables.
    Huge,
}

impl Order {
    /// Returns the binary logarithm of the number of pages.
    pub const fn log2(self) -> u32 {
        match self {
            Order::Base => 0,
            Order::Huge => 9,
        }
    }

    /// Returns the number of 4 KiB pages.
    pub const fn pages(self) -> usize {
        1 << self.log2()
    }
}

/// A stack of equally large runs of page frames, threaded through `struct page` itself.
///
/// It says nothing about what is behind the frames: [`Extents`] and the hypervisor's side of the
/// matter do.
///
/// # Invariants
///
/// - `top` and each page's `private` field chain exactly `len` pages, the last one's being 0.
/// - Each of them is the first page of a run of `order` from the page allocator, or that is as if it
///   were from there, which the stack owns alone.
pub struct Stack {
    top: *mut bindings::page,
    len: usize,
    order: Order,
}

// SAFETY: A stack owns its pages, and nothing of them is bound to a thread.
unsafe impl Send for Stack {}

impl Stack {
    /// Returns an empty stack for runs of `order`.
    pub const fn new(order: Order) -> Self {
        // INVARIANT: There is no page.
        Self {
            top: core::ptr::null_mut(),
            len: 0,
            order,
        }
    }

    /// Returns the number of runs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is no run.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the size of each run.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Puts a run on top.
    ///
    /// # Safety
    ///
    /// `page` must be the first page of a run of `self.order()` that nobody else owns, and that is
    /// from the page allocator, or has as many references as if it were.
    pub(crate) unsafe fn push(&mut self, page: NonNull<bindings::page>) {
        // SAFETY: By the requirements we own `page`, so its private field is ours.
        unsafe { xen_bindings::xenoxide_set_page_private(page.as_ptr(), self.top as usize) };
        // INVARIANT: The chain has grown by a page that we own.
        self.top = page.as_ptr();
        self.len += 1;
    }

    /// Takes the top run away. The caller owns it from then on.
    pub(crate) fn pop(&mut self) -> Option<NonNull<bindings::page>> {
        let page = NonNull::new(self.top)?;
        // SAFETY: By the type invariants `page` is ours, and its private field is the next one.
        self.top = unsafe { xen_bindings::xenoxide_page_private(page.as_ptr()) } as *mut _;
        // SAFETY: As above; nobody else looks at the field.
        unsafe { xen_bindings::xenoxide_set_page_private(page.as_ptr(), 0) };
        // INVARIANT: The chain is one page shorter.
        self.len -= 1;
        Some(page)
    }

    /// Moves the top run to the top of `to`, if there is one and it has the same order, and returns
    /// whether it did.
    pub(crate) fn move_top(&mut self, to: &mut Stack) -> bool {
        if self.order != to.order {
            return false;
        }
        let Some(page) = self.pop() else {
            return false;
        };
        // SAFETY: The run was on this stack, so it has the order and nobody else owns it.
        unsafe { to.push(page) };
        true
    }

    /// Calls `f` with the first page of each of the top `runs` runs.
    pub(crate) fn for_each(&self, runs: usize, mut f: impl FnMut(NonNull<bindings::page>)) {
        let mut next = self.top;

        for _ in 0..runs {
            let Some(page) = NonNull::new(next) else {
                return;
            };
            // SAFETY: By the type invariants `page` is ours, and its private field is the next one.
            next = unsafe { xen_bindings::xenoxide_page_private(page.as_ptr()) } as *mut _;
            f(page);
        }
    }

    /// Breaks the top run, if it is a larger one, into single pages and puts them on `pages`.
    ///
    /// Returns whether there was a run to break.
    pub fn split_top_into(&mut self, pages: &mut Stack) -> bool {
        if self.order == Order::Base || pages.order != Order::Base {
            return false;
        }
        let Some(first) = self.pop() else {
            return false;
        };
        // SAFETY: `first` is a run of `order` from the page allocator, which we own; it is no
        // compound page, for `Extents` does not ask for one.
        unsafe { bindings::split_page(first.as_ptr(), self.order.log2()) };
        for i in (0..self.order.pages()).rev() {
            // SAFETY: The run has that many pages, and each is now an allocation of its own.
            unsafe { pages.push(nth_page(first, i)) };
        }
        true
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Whoever wraps a stack empties it in its own `drop`: only there it is known where pages
        // go. A stack that still holds some here would lose them.
        debug_assert!(self.is_empty());
    }
}

/// Returns the `n`th page of a run.
///
/// # Safety
///
/// `first` must be the first page of a run of more than `n` pages.
pub(crate) unsafe fn nth_page(first: NonNull<bindings::page>, n: usize) -> NonNull<bindings::page> {
    // SAFETY: By the requirements the page exists, so its `struct page` does and is not null.
    unsafe { NonNull::new_unchecked(xen_bindings::xenoxide_nth_page(first.as_ptr(), n)) }
}

/// Gives a run back to the page allocator, a large one in halves: as a whole it would go to those that
/// are kept for this processor, tens of MiB of them, and who needs a single page cannot have it there.
///
/// # Safety
///
/// `first` must be the first page of a run of `order` that the caller owns, with memory behind it, and
/// that is as it came from the page allocator.
pub(crate) unsafe fn free_run(first: NonNull<bindings::page>, order: Order) {
    let mut log2 = order.log2();
    if order == Order::Huge {
        log2 -= 1;
        // SAFETY: By the requirements the run has that page, nobody else has it, and a run that is no
        // compound page is two of half its size but for the second one's reference.
        unsafe {
            let half = nth_page(first, order.pages() / 2);
            xen_bindings::xenoxide_set_page_count(half.as_ptr(), 1);
            bindings::__free_pages(half.as_ptr(), log2);
        }
    }
    // SAFETY: By the requirements; it is what is left of the run.
    unsafe { bindings::__free_pages(first.as_ptr(), log2) };
}

/// Runs of page frames that were allocated and are backed by memory.
///
/// Dropping them gives them back to the page allocator.
///
/// # Examples
///
/// ```ignore
/// let mut extents = Extents::new(Order::Huge);
/// while extents.len() < 8 && extents.grow() {}
/// ```
pub struct Extents(Stack);

impl Extents {
    /// Returns no extents yet, of `order`.
    pub const fn new(order: Order) -> Self {
        Self(Stack::new(order))
    }

    /// Allocates one more extent, filled with zeroes, and returns whether there was one.
    ///
    /// Pages that the hypervisor gets must not tell it or anybody else what was in them, so they
    /// are zeroed here, once: the allocator leaves that out where `init_on_free` has done it.
    /// The allocation may reclaim a little, but neither retries nor wakes the OOM killer nor uses
    /// reserves.
    ///
    /// Context: may sleep.
    pub fn grow(&mut self) -> bool {
        // SAFETY: No preconditions: flags and order are valid.
        let page = unsafe { alloc_pages(GFP_EXTENT, self.0.order.log2()) };

        match NonNull::new(page) {
            Some(page) => {
                // SAFETY: `page` is a new allocation of this order and ours alone.
                unsafe { self.0.push(page) };
                timing::pass(self.0.len() * self.0.order.pages());
                true
            }
            None => false,
        }
    }

    /// Gives one extent back to the page allocator, and returns whether there was one.
    ///
    /// Context: may sleep.
    pub fn shrink(&mut self) -> bool {
        let Some(page) = self.0.pop() else {
            return false;
        };
        // SAFETY: `page` is a backed run of this order, which we owned and now give up.
        unsafe { free_run(page, self.0.order) };
        timing::pass(self.0.len() * self.0.order.pages());
        true
    }

    /// Returns the number of extents.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no extent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the size of each extent.
    pub fn order(&self) -> Order {
        self.0.order()
    }

    /// Gives access to the stack underneath.
    pub(crate) fn stack(&mut self) -> &mut Stack {
        &mut self.0
    }

    /// Returns the first page frame number of the top extent.
    pub fn top_pfn(&self) -> Option<usize> {
        let page = NonNull::new(self.0.top)?;
        // SAFETY: By the type invariants of `Stack`, `page` is a valid page.
        Some(unsafe { xen_bindings::xenoxide_page_to_pfn(page.as_ptr()) })
    }
}

impl Drop for Extents {
    fn drop(&mut self) {
        while self.shrink() {}
    }
}

/// Takes all runs out of `stack`, leaving it empty.
pub(crate) fn take(stack: &mut Stack) -> Stack {
    let order = stack.order;
    mem::replace(stack, Stack::new(order))
}
