// SPDX-License-Identifier: GPL-2.0

//! What a member offers of a program's memory, and how much it may borrow.

use core::ops::Range;

/// Whether a page has nothing but zeroes: it is not worth to be offered.
pub fn is_zero(page: &[u8]) -> bool {
    page.iter().all(|&byte| byte == 0)
}

/// Returns how many pages may be mapped for files, of `most` that the owner grants, while programs
/// have `borrowed` so many for their own: an eighth at least.
pub fn left_for_files(most: u32, borrowed: u32) -> u32 {
    most.saturating_sub(borrowed).max(reserve(most))
}

/// Returns how many pages programs may borrow yet, of `most` that the owner grants, when they have
/// `borrowed` so many.
pub fn may_borrow(most: u32, borrowed: u32) -> u32 {
    most.saturating_sub(reserve(most)).saturating_sub(borrowed)
}

/// Returns how many pages are for files, whatever programs borrow: one at least.
fn reserve(most: u32) -> u32 {
    (most / 8).max(1)
}

/// Pages that are to be replaced, those that follow each other together.
#[derive(Clone, Debug, Default)]
pub struct Pending(Range<usize>);

impl Pending {
    /// Adds a page. Returns those before, if it does not follow them: they are to be replaced now.
    pub fn add(&mut self, page: usize) -> Option<Range<usize>> {
        if self.0.end == page && !self.0.is_empty() {
            self.0.end = page.saturating_add(1);
            return None;
        }
        let before = core::mem::replace(&mut self.0, page..page.saturating_add(1));
        (!before.is_empty()).then_some(before)
    }

    /// Returns what is left, to be replaced now.
    pub fn take(&mut self) -> Option<Range<usize>> {
        let left = core::mem::take(&mut self.0);
        (!left.is_empty()).then_some(left)
    }
}
