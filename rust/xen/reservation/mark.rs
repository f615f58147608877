// SPDX-License-Identifier: GPL-2.0

//! What the kernel is told of pages that are surrendered.

use crate::{
    bindings,
    linux::pages::{
        free_run,
        nth_page,
        Order,
        Stack, //
    }, //
};
use core::ptr::NonNull;

/// Marks the pages of a run as surrendered, as the built-in driver marks its own: not managed by
/// the allocator, not to be read by a dump, counted as ballooned.
///
/// # Safety
///
/// `first` must be the first page of a run of `order` that the caller owns, not yet marked.
pub(super) unsafe fn mark_surrendered(first: NonNull<kernel::bindings::page>, order: Order) {
    // SAFETY: By the requirements.
    unsafe {
        set_offline(first, order);
        count_surrendered(first, order.pages() as isize);
    }
}

/// Marks the pages of a run as not to be read by a dump.
///
/// # Safety
///
/// `first` must be the first page of a run of `order` that the caller owns, not yet marked.
pub(super) unsafe fn set_offline(first: NonNull<kernel::bindings::page>, order: Order) {
    for i in 0..order.pages() {
        // SAFETY: The run has that many pages, all ours, and none has a type yet.
        unsafe { bindings::xenoxide_set_page_offline(nth_page(first, i).as_ptr()) };
    }
}

/// Counts `pages` pages as ballooned and takes them out of what the allocator manages; undoes that
/// where it is negative.
///
/// # Safety
///
/// `first` must be the first page of a run of so many pages that the caller owns.
pub(super) unsafe fn count_surrendered(first: NonNull<kernel::bindings::page>, pages: isize) {
    // SAFETY: The pages are ours and out of the allocator.
    unsafe {
        kernel::bindings::adjust_managed_page_count(first.as_ptr(), -pages);
        bindings::xenoxide_mod_balloon_pages(first.as_ptr(), pages);
    }
}

/// Counts `pages` pages as ballooned that the allocator has never managed.
///
/// # Safety
///
/// `first` must be the first page of a run of so many pages that the caller owns.
pub(super) unsafe fn count_added(first: NonNull<kernel::bindings::page>, pages: isize) {
    // SAFETY: By the requirements.
    unsafe { bindings::xenoxide_mod_balloon_pages(first.as_ptr(), pages) };
}

/// Takes the marks of [`mark_surrendered`] off the top run of `stack` again and gives it to the
/// page allocator.
///
/// # Safety
///
/// The run must have been surrendered and marked, and must have memory behind it again.
pub(super) unsafe fn free_populated(stack: &mut Stack) {
    let order = stack.order();
    let Some(first) = stack.pop() else { return };

    // SAFETY: The run was on the stack, so it is ours; it was counted.
    unsafe { count_surrendered(first, -(order.pages() as isize)) };
    for i in 0..order.pages() {
        // SAFETY: The run has that many pages, all ours and marked.
        unsafe { bindings::xenoxide_clear_page_offline(nth_page(first, i).as_ptr()) };
    }
    // SAFETY: The run is backed; we own it and give it up.
    unsafe { free_run(first, order) };
}
