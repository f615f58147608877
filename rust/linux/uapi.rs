// SPDX-License-Identifier: GPL-2.0

//! What programs and the modules say to each other, as the modules' uapi headers have it.
//!
//! C headers: `balloon/uapi/xenballoon.h`, `xensock/uapi/xensock.h`.

use crate::bindings;
use core::mem::size_of;
use kernel::transmute::{
    AsBytes,
    FromBytes, //
};

pub use bindings::{
    xenballoon_stats as BalloonStats,
    xenballoon_target as BalloonTarget,
    xenballoon_wait as BalloonWait,
    XENBALLOON_FOREVER as BALLOON_FOREVER,
    XENBALLOON_VERSION as BALLOON_VERSION,
    XENOXIDE_BALLOON_GET_STATS as BALLOON_GET_STATS,
    XENOXIDE_BALLOON_SET_TARGET as BALLOON_SET_TARGET,
    XENOXIDE_BALLOON_WAIT as BALLOON_WAIT, //
};

pub use bindings::{
    xensock_check as SockCheck,
    xensock_socket as SockSocket,
    xensock_stats as SockStats,
    XENOXIDE_SOCK_CHECK as SOCK_CHECK,
    XENOXIDE_SOCK_GET_SOCKET as SOCK_GET_SOCKET,
    XENOXIDE_SOCK_GET_STATS as SOCK_GET_STATS,
    XENOXIDE_SOCK_NEXT_SOCKET as SOCK_NEXT_SOCKET,
    XENSOCK_IN as SOCK_IN,
    XENSOCK_OUT as SOCK_OUT,
    XENSOCK_VERSION as SOCK_VERSION, //
};

// An even number of 32-bit words, then 64-bit words only: no field is padded.
const _: () = {
    assert!(size_of::<BalloonStats>() == 8 * (1 + 16 + 7));
    assert!(size_of::<BalloonTarget>() == 8 * (1 + 1 + 2));
    assert!(size_of::<BalloonWait>() == 8 * (1 + 2 + 2));
    assert!(size_of::<SockSocket>() == 8 * (3 + 10 + 6));
    assert!(size_of::<SockStats>() == 8 * (2 + 25 + 5));
    assert!(size_of::<SockCheck>() == 8 * (3 + 2));
};

// SAFETY: Made of integers only.
unsafe impl FromBytes for BalloonStats {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for BalloonStats {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for BalloonTarget {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for BalloonWait {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for BalloonWait {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for SockSocket {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for SockSocket {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for SockStats {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for SockStats {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for SockCheck {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for SockCheck {}
