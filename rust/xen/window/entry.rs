// SPDX-License-Identifier: GPL-2.0

//! What is in a slot, and who uses it.
//!
//! Atomic operations come from the `core` crate here: they are instructions. The kernel's are calls
//! of C functions, and there are several for each page that is read or mapped.

use super::place::Place;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::prelude::*;

/// Bits of a state: 0 if nothing is mapped, else one more than how many use what is.
const COUNT: u64 = (1 << 20) - 1;

/// In a state: something is mapped, and nobody uses it.
const ONE: u64 = 1;

/// A bit of a state: it was used since somebody last looked.
const RECENT: u64 = 1 << 20;

/// A bit of a state: it is to be unmapped when nobody uses it any more; nobody begins to.
const LEAVING: u64 = 1 << 21;

/// A bit of a state, alone: the grant is being mapped or unmapped, or it never will be again.
const BUSY: u64 = 1 << 22;

/// In a state without other bits: nothing is mapped.
const EMPTY: u64 = 0;

/// Where the name begins in a state.
const NAME: u32 = 23;

/// Bits of a state without the name.
const REST: u64 = (1 << NAME) - 1;

/// What the user of a window calls what is in a slot.
///
/// # Invariants
///
/// It is less than 2^41, and not 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name(u64);

impl Name {
    /// Returns a name for two numbers.
    #[inline]
    pub fn new(group: u8, number: u32) -> Self {
        // INVARIANT: 256 is the most in the upper 9 bits, and 1 the least.
        Self(((u64::from(group) + 1) << 32) | u64::from(number))
    }

    /// Returns how many names the group has from this one on.
    #[inline]
    pub(super) const fn left(self) -> usize {
        (1 << 32) - (self.0 & 0xffff_ffff) as usize
    }

    /// Returns the name so many numbers behind it, fewer than are [left](Self::left).
    #[inline]
    pub(super) const fn after(self, count: u64) -> Self {
        // INVARIANT: The group stays.
        Self(self.0.wrapping_add(count))
    }
}

/// What is in a slot.
pub(super) struct Entry {
    /// The name, if it has one, and the bits above.
    state: AtomicU64,
    /// Where programs may have it mapped; written under the lock of the window's screens, while
    /// somebody uses it or it is busy.
    place: AtomicU64,
}

impl Entry {
    /// Nothing is mapped.
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU64::new(EMPTY),
            place: AtomicU64::new(Place::NOWHERE.raw()),
        }
    }

    /// Makes it busy, if nothing is mapped: something is to be.
    pub(super) fn begin(&self) -> bool {
        let begun = self.state.compare_exchange(EMPTY, BUSY, Acquire, Relaxed);
        begun.is_ok()
    }

    /// Ends that it is busy: nothing is mapped.
    pub(super) fn empty(&self) {
        self.state.store(EMPTY, Release);
    }

    /// Ends that it is busy: something is mapped, without a name.
    pub(super) fn fill(&self) {
        self.state.store(ONE, Release);
    }

    /// Whether nothing is mapped.
    pub(super) fn is_empty(&self) -> bool {
        self.state.load(Acquire) == EMPTY
    }

    /// Whether something is mapped that nobody uses.
    pub(super) fn is_unused(&self) -> bool {
        self.state.load(Relaxed) & (COUNT | BUSY) == ONE
    }

    /// Whether it is to be unmapped, and nobody uses it any more.
    pub(super) fn is_left_over(&self) -> bool {
        self.state.load(Relaxed) & (COUNT | LEAVING | BUSY) == LEAVING | ONE
    }

    /// Counts one who uses it more, if something is mapped that is not to be unmapped, with that
    /// name if one is given.
    #[inline]
    pub(super) fn enter(&self, name: Option<Name>) -> bool {
        let mut state = self.state.load(Relaxed);
        loop {
            let fits = name.is_none_or(|name| state >> NAME == name.0);
            // The largest number is not to be reached.
            if !fits || !is_open(state) || state & COUNT == COUNT {
                return false;
            }
            match self
                .state
                .compare_exchange_weak(state, (state + 1) | RECENT, Acquire, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// Counts one less. Returns whether it was the last one of what is to be unmapped.
    #[inline]
    pub(super) fn exit(&self) -> bool {
        let before = self.state.fetch_sub(1, Release);
        before & (COUNT | LEAVING) == LEAVING | (ONE + 1)
    }

    /// Whether it has that name and may be shown at `place`, and nobody has begun to unmap it.
    #[inline]
    pub(super) fn is_named_at(&self, name: Name, place: Place) -> bool {
        // What is noted stays so until it is unmapped: so it is looked at first.
        let noted = self.place();
        let state = self.state.load(Acquire);
        (noted == place || noted == Place::SEVERAL)
            && state >> NAME == name.0
            && self.is_used_now(state)
    }

    /// Whether it may be shown at `place`, which is one page, and nobody has begun to unmap it: then it
    /// is that page, whatever its name.
    #[inline]
    pub(super) fn is_at(&self, place: Place) -> bool {
        self.place() == place && self.is_used_now(self.state.load(Acquire))
    }

    /// Whether nobody had begun to unmap it in `state`; then it was used.
    #[inline]
    fn is_used_now(&self, state: u64) -> bool {
        if !is_open(state) {
            return false;
        }
        if state & RECENT == 0 {
            // If somebody else has changed it meanwhile, then that was a use.
            let _ = self
                .state
                .compare_exchange(state, state | RECENT, Relaxed, Relaxed);
        }
        true
    }

    /// Makes it busy, to be unmapped. `EAGAIN` if it is used: it is when nobody does any more.
    pub(super) fn leave(&self) -> Result {
        let mut state = self.state.load(Relaxed);
        loop {
            let count = state & COUNT;
            if state & BUSY != 0 || count == EMPTY {
                return Err(EBUSY);
            }
            let used = count > ONE;
            let then = if used { state | LEAVING } else { BUSY };
            match self
                .state
                .compare_exchange_weak(state, then, Acquire, Relaxed)
            {
                Ok(_) if used => return Err(EAGAIN),
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
    }

    /// Gives it a name, if something is mapped that has none.
    pub(super) fn set_name(&self, name: Name) {
        let mut state = self.state.load(Relaxed);
        while state & COUNT != 0 && state >> NAME == 0 {
            let named = (name.0 << NAME) | state & REST;
            match self
                .state
                .compare_exchange_weak(state, named, Release, Relaxed)
            {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }

    /// Returns whether it was used, and forgets that.
    pub(super) fn forget_use(&self) -> bool {
        let before = self.state.load(Relaxed);
        // What is recent is not busy.
        before & RECENT != 0 && self.state.fetch_and(!RECENT, Relaxed) & RECENT != 0
    }

    /// Returns where programs may have it mapped.
    #[inline]
    pub(super) fn place(&self) -> Place {
        Place::from_raw(self.place.load(Acquire))
    }

    /// Takes note of where programs may have it mapped.
    pub(super) fn set_place(&self, place: Place) {
        self.place.store(place.raw(), Release);
    }
}

/// Whether somebody may begin to use it.
#[inline]
fn is_open(state: u64) -> bool {
    state & (LEAVING | BUSY) == 0 && state & COUNT != 0
}
