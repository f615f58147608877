// SPDX-License-Identifier: GPL-2.0

//! Words that lie together in memory that is shared with another domain.
//!
//! Who looks at them does so several times for each message. Where they are is found out once: a
//! word of [`Memory`] takes fourteen instructions, one of [`Words`] three.

use super::shared::{
    Memory,
    Word32,
    Word64, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::sync::Arc;

/// `LEN` bytes of shared memory, within one page. A word that would be outside of the memory is not
/// there.
///
/// # Invariants
///
/// `address`, if there is one, is that of `LEN` bytes of the [`Memory`] behind `memory`, aligned to
/// eight.
pub struct Words<M, const LEN: usize> {
    memory: Arc<M>,
    address: Option<NonNull<u8>>,
}

// SAFETY: The address means the same on each CPU, and all access to it is by atomic words. Whoever
// has the object has a reference to `M`.
unsafe impl<M: Send + Sync, const LEN: usize> Send for Words<M, LEN> {}
// SAFETY: As above.
unsafe impl<M: Send + Sync, const LEN: usize> Sync for Words<M, LEN> {}

impl<M, const LEN: usize> Clone for Words<M, LEN> {
    fn clone(&self) -> Self {
        // INVARIANT: It is the same memory.
        Self {
            memory: self.memory.clone(),
            address: self.address,
        }
    }
}

impl<M: Deref<Target = Memory>, const LEN: usize> Words<M, LEN> {
    /// Returns the words that begin at byte `at` of `memory`: none where so many bytes from there on
    /// are not within one page of it, or not aligned to eight.
    pub fn new(memory: Arc<M>, at: usize) -> Self {
        // INVARIANT: As the function says.
        let address = memory.within_page(at, LEN);
        Self { memory, address }
    }

    /// Returns the address of a word at byte `at`.
    #[inline]
    fn word<T>(&self, at: usize) -> Option<NonNull<T>> {
        if at % size_of::<T>() != 0 || at.checked_add(size_of::<T>())? > LEN {
            return None;
        }
        let address = self.address?;
        // SAFETY: By the type invariants, and as just checked, it is within the bytes there.
        Some(unsafe { address.add(at) }.cast())
    }

    /// Returns the word at byte `at`, or [`None`] if that is not aligned or not there.
    #[inline]
    pub fn word32(&self, at: usize) -> Option<&Word32> {
        // SAFETY: By the type invariants the word is in the memory, aligned. That stays as long as
        // `memory`, which had lent it for as long as we keep that.
        Some(unsafe { self.word(at)?.as_ref() })
    }

    /// Returns the word at byte `at`, or [`None`] if that is not aligned or not there.
    #[inline]
    pub fn word64(&self, at: usize) -> Option<&Word64> {
        // SAFETY: As for `word32`.
        Some(unsafe { self.word(at)?.as_ref() })
    }
}
