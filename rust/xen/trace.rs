// SPDX-License-Identifier: GPL-2.0

//! The tracepoints of `xenballoon`, below `events/xenballoon/` in tracefs.
//!
//! Only that module takes this file in: a tracepoint has one owner. While an event is off, its
//! function does nothing: the test for it is a jump that the kernel patches.
//!
//! C headers: `rust/helpers/xenballoon_trace.h`,
//! [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h).

use crate::bindings;
use kernel::{
    prelude::*,
    time::Delta, //
};

/// What the engine is shown of the domain.
pub use bindings::xenballoon_view as View;

/// What the engine has decided.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Action {
    /// Surrender 2 MiB runs.
    TakeHuge = bindings::xenballoon_action_XENOXIDE_TAKE_HUGE,
    /// Surrender single pages.
    TakeBase = bindings::xenballoon_action_XENOXIDE_TAKE_BASE,
    /// Populate 2 MiB runs.
    GiveHuge = bindings::xenballoon_action_XENOXIDE_GIVE_HUGE,
    /// Populate single pages.
    GiveBase = bindings::xenballoon_action_XENOXIDE_GIVE_BASE,
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

/// `xenballoon_limits`: the limits that the engine keeps, in pages.
///
/// Context: any.
pub fn limits(floor: u64, reserve: u64, cushion: u64) {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_trace_limits(floor, reserve, cushion) };
}

/// `xenballoon_tuning`: how the engine is tuned; `relief` is in pages.
///
/// Context: any.
pub fn tuning(auto_return: bool, relief: u64, hold_off_ms: u32) {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_trace_tuning(auto_return, relief, hold_off_ms) };
}

/// `xenballoon_wake`: the engine starts anew; a guest out of memory was to have `wanted` pages, 0 if
/// there was none.
///
/// Context: any.
pub fn wake(wanted: u64) {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_trace_wake(wanted) };
}

/// `xenballoon_relieve`: the engine was told that the guest needs `pages` pages, `beyond` its target
/// if need be, and has granted so many.
///
/// Context: any.
pub fn relieve(view: &View, pages: u64, beyond: bool, granted: u64) {
    // SAFETY: `view` is valid for reading.
    unsafe { bindings::xenoxide_trace_relieve(view, pages, beyond, granted) };
}

/// `xenballoon_decision`: what the engine was shown, the target within the limits, and what it
/// answered, for `pages` pages.
///
/// Context: any.
pub fn decision(view: &View, effective: u64, action: Action, pages: u64, delay_ms: u32) {
    // SAFETY: `view` is valid for reading.
    unsafe {
        bindings::xenoxide_trace_decision(view, effective, action as u32, pages, delay_ms);
    }
}

/// `xenballoon_outcome`: what the engine was told of an exchange, and for how many milliseconds it
/// asked to wait then.
///
/// Context: any.
pub fn outcome(action: Action, pages: u64, short: bool, delay_ms: u32) {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_trace_outcome(action as u32, pages, short, delay_ms) };
}

/// `xenballoon_batch`: an exchange of `asked` pages did `done` pages. `hypercalls` counts all since
/// the module was loaded.
///
/// Context: any.
pub fn batch(
    action: Action,
    asked: usize,
    done: usize,
    error: Option<Error>,
    hypercalls: u64,
    duration: Delta,
) {
    // SAFETY: No preconditions.
    unsafe {
        bindings::xenoxide_trace_batch(
            action as u32,
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
