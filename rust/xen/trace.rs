// SPDX-License-Identifier: GPL-2.0

//! The tracepoints of `xenballoon`, below `events/xenballoon/` in tracefs.
//!
//! Only that module takes this file in: a tracepoint has one owner. While an event is off, its
//! function does nothing: the test for it is a jump that the kernel patches.
//!
//! C headers: `rust/helpers/xenballoon_trace.h`,
//! [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h).

use crate::{
    bindings,
    linux::pages::Order, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};

/// What the engine has decided.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Action {
    /// Surrender memory.
    Take = bindings::xenballoon_action_XENOXIDE_TAKE,
    /// Populate memory.
    Give = bindings::xenballoon_action_XENOXIDE_GIVE,
    /// Break a 2 MiB run held into single pages.
    Split = bindings::xenballoon_action_XENOXIDE_SPLIT,
    /// Let the built-in driver return pages.
    Borrow = bindings::xenballoon_action_XENOXIDE_BORROW,
    /// Try again later.
    Wait = bindings::xenballoon_action_XENOXIDE_WAIT,
    /// Nothing to do for now: look again later.
    Watch = bindings::xenballoon_action_XENOXIDE_WATCH,
    /// The target is reached.
    Rest = bindings::xenballoon_action_XENOXIDE_REST,
}

/// Who has set a target.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Source {
    /// `memory/target` in xenstore.
    Toolstack = bindings::xenballoon_source_XENOXIDE_TOOLSTACK,
    /// A file or an ioctl in the guest.
    Administrator = bindings::xenballoon_source_XENOXIDE_ADMINISTRATOR,
}

/// `xenballoon_decision`: what the engine was shown and what it answered, for `pages` pages.
///
/// Context: any.
pub fn decision(
    target: u64,
    current: u64,
    held_huge: u64,
    held_base: u64,
    available: u64,
    action: Action,
    pages: u64,
) {
    // SAFETY: No preconditions.
    unsafe {
        bindings::xenoxide_trace_decision(
            target,
            current,
            held_huge,
            held_base,
            available,
            action as u32,
            pages,
        )
    };
}

/// `xenballoon_batch`: an exchange of `asked` pages in runs of `order` did `done` pages.
/// `hypercalls` counts all since the module was loaded.
///
/// Context: any.
pub fn batch(
    kind: Action,
    order: Order,
    asked: usize,
    done: usize,
    error: Option<Error>,
    hypercalls: u64,
    duration: Delta,
) {
    // SAFETY: No preconditions.
    unsafe {
        bindings::xenoxide_trace_batch(
            kind as u32,
            order.log2(),
            asked as u64,
            done as u64,
            error.map_or(0, Error::to_errno),
            hypercalls,
            duration.as_nanos() as u64,
        )
    };
}

/// `xenballoon_target`: `asked` pages are asked for, and `effective` is what that comes to.
///
/// Context: any.
pub fn target(source: Source, asked: u64, effective: u64) {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_trace_target(source as u32, asked, effective) };
}
