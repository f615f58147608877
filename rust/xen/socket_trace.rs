// SPDX-License-Identifier: GPL-2.0

//! The tracepoints of `xensock`, below `events/xensock/` in tracefs.
//!
//! Only that module takes this file in: a tracepoint has one owner. While an event is off, its
//! function does nothing: the test for it is a jump that the kernel patches.
//!
//! C headers: `rust/helpers/xensock_trace.h`,
//! [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h).

use crate::bindings;

/// Between whom a connection is.
pub use bindings::xensock_ends as Ends;

/// Why a connection did not come about, or ended.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Reason {
    /// One that is not known here.
    Other = bindings::xensock_reason_XENOXIDE_REASON_OTHER,
    /// Nobody listens.
    NoListener = bindings::xensock_reason_XENOXIDE_REASON_NO_LISTENER,
    /// The rules do not allow it.
    Denied = bindings::xensock_reason_XENOXIDE_REASON_DENIED,
    /// Too many wait to be accepted.
    Busy = bindings::xensock_reason_XENOXIDE_REASON_BUSY,
    /// There is no memory.
    NoMemory = bindings::xensock_reason_XENOXIDE_REASON_NO_MEMORY,
    /// The socket is closed.
    Closed = bindings::xensock_reason_XENOXIDE_REASON_CLOSED,
    /// A ring is broken.
    Broken = bindings::xensock_reason_XENOXIDE_REASON_BROKEN,
    /// Nobody wants it any more.
    Cancelled = bindings::xensock_reason_XENOXIDE_REASON_CANCELLED,
    /// It would be more than there may be.
    Limit = bindings::xensock_reason_XENOXIDE_REASON_LIMIT,
}

/// `xensock_connect`: a program here asks for a connection, with rings of so many bytes.
///
/// Context: any.
pub fn connect(ends: &Ends, seqpacket: bool, ring_bytes: u32) {
    // SAFETY: `ends` is valid for reading, here and below.
    unsafe { bindings::xenoxide_trace_connect(ends, seqpacket, ring_bytes) };
}

/// `xensock_accept`: the other domain has asked for a connection, and got it.
///
/// Context: any.
pub fn accept(ends: &Ends, seqpacket: bool, ring_bytes: u32) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_accept(ends, seqpacket, ring_bytes) };
}

/// `xensock_refuse`: a connection did not come about: this domain did not want it, if `ours`, or
/// the other one.
///
/// Context: any.
pub fn refuse(ends: &Ends, ours: bool, reason: Reason) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_refuse(ends, ours, reason as u32) };
}

/// `xensock_reset`: a connection was ended, by this domain, if `ours`, or by the other one.
///
/// Context: any.
pub fn reset(ends: &Ends, ours: bool, reason: Reason) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_reset(ends, ours, reason as u32) };
}

/// `xensock_grow`: a ring, the one that is written, if `sending`, or the one that is read, went over
/// to a segment of another size, in bytes.
///
/// Context: any.
pub fn grow(ends: &Ends, sending: bool, before: u32, after: u32) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_grow(ends, sending, before, after) };
}

/// `xensock_link_up`: a link with a domain carries connections from now on.
///
/// Context: any.
pub fn link_up(domid: u16, initiator: bool) {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_trace_link_up(domid.into(), initiator) };
}

/// `xensock_link_down`: a link with a domain has come to its end.
///
/// Context: any.
pub fn link_down(domid: u16, initiator: bool) {
    // SAFETY: No preconditions.
    unsafe { bindings::xenoxide_trace_link_down(domid.into(), initiator) };
}
