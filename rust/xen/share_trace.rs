// SPDX-License-Identifier: GPL-2.0

//! The tracepoints of `pageshare`, below `events/pageshare/` in tracefs.
//!
//! Only that module takes this file in: a tracepoint has one owner. While an event is off, its
//! function does nothing: the test for it is a jump that the kernel patches. `tree` is the number
//! that an owner has given a tree for one member: the same at both ends.
//!
//! C headers: `rust/helpers/pageshare_trace.h`,
//! [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h).

use crate::{
    bindings,
    xen::domain::DomId, //
};

/// `pageshare_fetch`: the owner `owner` was asked for so many blocks, and has granted so many.
///
/// Context: any.
pub fn fetch(owner: DomId, tree: u32, blocks: u32, granted: u32) {
    // SAFETY: No preconditions, here and below.
    unsafe { bindings::xenoxide_trace_share_fetch(owner.number().into(), tree, blocks, granted) };
}

/// `pageshare_grant`: the member `member` has asked for so many blocks, and got so many.
///
/// Context: any.
pub fn grant(member: DomId, tree: u32, blocks: u32, granted: u32) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_share_grant(member.number().into(), tree, blocks, granted) };
}

/// `pageshare_withdraw`: the member `member` was asked to give back so many blocks.
///
/// Context: any.
pub fn withdraw(member: DomId, tree: u32, blocks: u32) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_share_withdraw(member.number().into(), tree, blocks) };
}

/// `pageshare_give_back`: so many blocks were unmapped, and the owner `owner` is told.
///
/// Context: any.
pub fn give_back(owner: DomId, tree: u32, blocks: u32) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_share_give_back(owner.number().into(), tree, blocks) };
}

/// `pageshare_offer`: so many pages were offered by the domain, or to it, and so many granted.
///
/// Context: any.
pub fn offer(domid: DomId, pages: u32, granted: u32) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_share_offer(domid.number().into(), pages, granted) };
}

/// `pageshare_link_up`: there is a link with a domain, which is a `member`, or the owner.
///
/// Context: any.
pub fn link_up(domid: DomId, member: bool) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_share_link_up(domid.number().into(), member) };
}

/// `pageshare_link_down`: a link has come to its end.
///
/// Context: any.
pub fn link_down(domid: DomId, member: bool) {
    // SAFETY: As above.
    unsafe { bindings::xenoxide_trace_share_link_down(domid.number().into(), member) };
}
