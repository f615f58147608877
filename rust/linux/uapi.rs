// SPDX-License-Identifier: GPL-2.0

//! What programs and the modules say to each other, as the modules' uapi headers have it.
//!
//! C header: `balloon/uapi/xenballoon.h`.

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

// Two 32-bit words, then 64-bit words only: no field is padded.
const _: () = {
    assert!(size_of::<BalloonStats>() == 8 * (1 + 16 + 7));
    assert!(size_of::<BalloonTarget>() == 8 * (1 + 1 + 2));
    assert!(size_of::<BalloonWait>() == 8 * (1 + 2 + 2));
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
