// SPDX-License-Identifier: GPL-2.0

//! What a program is told that sends with `MSG_ZEROCOPY`: that its memory is its own again.
//!
//! A [`Transport`](super::Transport) has copied what it has sent when it returns. So it is told at
//! once, and also that there was a copy (`SO_EE_CODE_ZEROCOPY_COPIED`), as by other protocols that
//! cannot do without one.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h).

use super::{
    Locked,
    Outgoing, //
};
use crate::bindings as xen_bindings;
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// What will be told. Dropping it tells nothing, and the number of the call is given to the next one.
///
/// # Invariants
///
/// It is the socket layer's, with one reference, which is ours.
struct Receipt(NonNull<bindings::ubuf_info>);

impl Receipt {
    /// Returns what a program will be told, if it has asked for that.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also where too much that it was told waits to be read.
    fn asked(sock: &Locked, message: &Outgoing<'_>) -> Result<Option<Self>> {
        if !message.zerocopy() {
            return Ok(None);
        }
        // SAFETY: The socket is there.
        if !unsafe { xen_bindings::xenoxide_sock_zerocopy(sock.base()) } {
            return Ok(None);
        }
        // SAFETY: As above, and it is locked. No memory of the program stays pinned.
        let raw =
            unsafe { bindings::msg_zerocopy_realloc(sock.base(), 0, core::ptr::null_mut(), false) };
        // INVARIANT: It was just made, with one reference.
        NonNull::new(raw).map(Self).ok_or(ENOMEM).map(Some)
    }

    /// Tells.
    fn give(self) {
        let raw = ManuallyDrop::new(self).0.as_ptr();
        // SAFETY: By the type invariants; the reference goes with it.
        unsafe {
            if let Some(complete) = (*(*raw).ops).complete {
                complete(core::ptr::null_mut(), raw, false);
            }
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; the reference goes with it.
        unsafe { bindings::msg_zerocopy_put_abort(self.0.as_ptr(), true) };
    }
}

/// Has `send` send a message; tells the program if it has sent anything, and the program has asked.
///
/// # Errors
///
/// Those of `send`, and `ENOMEM`: then nothing is sent.
pub(super) fn with(
    sock: &Locked,
    message: &mut Outgoing<'_>,
    send: impl FnOnce(&mut Outgoing<'_>) -> Result<usize>,
) -> Result<usize> {
    let receipt = Receipt::asked(sock, message)?;
    let sent = send(message)?;
    match receipt {
        Some(receipt) if sent > 0 => receipt.give(),
        _ => {}
    }
    Ok(sent)
}
