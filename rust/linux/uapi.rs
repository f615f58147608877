// SPDX-License-Identifier: GPL-2.0

//! What programs and the modules say to each other, as the modules' uapi headers have it.
//!
//! C headers: `balloon/uapi/xenballoon.h`, `xensock/uapi/xensock.h`,
//! `pageshare/uapi/pageshare.h`.

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

pub use bindings::{
    pageshare_area as ShareArea,
    pageshare_detach as ShareDetach,
    pageshare_disk as ShareDisk,
    pageshare_member as ShareMember,
    pageshare_offer as ShareOffer,
    pageshare_offers as ShareOffers,
    pageshare_remove as ShareRemove,
    pageshare_rules as ShareRules,
    pageshare_tree as ShareTree,
    pageshare_withdraw as ShareWithdraw,
    PAGESHARE_DIGEST as SHARE_DIGEST,
    PAGESHARE_RETIRE as SHARE_RETIRE,
    PAGESHARE_SUPPLY as SHARE_SUPPLY,
    PAGESHARE_TAKES as SHARE_TAKES,
    PAGESHARE_VERSION as SHARE_VERSION,
    XENOXIDE_SHARE_ADD as SHARE_ADD,
    XENOXIDE_SHARE_ALLOW as SHARE_ALLOW,
    XENOXIDE_SHARE_ATTACH as SHARE_ATTACH,
    XENOXIDE_SHARE_CREATE as SHARE_CREATE,
    XENOXIDE_SHARE_DETACH as SHARE_DETACH,
    XENOXIDE_SHARE_NEXT_AREA as SHARE_NEXT_AREA,
    XENOXIDE_SHARE_NEXT_MEMBER as SHARE_NEXT_MEMBER,
    XENOXIDE_SHARE_NEXT_TREE as SHARE_NEXT_TREE,
    XENOXIDE_SHARE_OFFER as SHARE_OFFER,
    XENOXIDE_SHARE_OFFERS as SHARE_OFFERS,
    XENOXIDE_SHARE_REMOVE as SHARE_REMOVE,
    XENOXIDE_SHARE_RULES as SHARE_RULES,
    XENOXIDE_SHARE_WITHDRAW as SHARE_WITHDRAW, //
};

/// Bytes of a name of an area or a tree, with the zero behind it.
pub const SHARE_NAME: usize = bindings::PAGESHARE_NAME as usize;

// An even number of 32-bit words, then 64-bit words only: no field is padded.
const _: () = {
    assert!(size_of::<BalloonStats>() == 8 * (1 + 16 + 7));
    assert!(size_of::<BalloonTarget>() == 8 * (1 + 1 + 2));
    assert!(size_of::<BalloonWait>() == 8 * (1 + 2 + 2));
    assert!(size_of::<SockSocket>() == 8 * (3 + 10 + 6));
    assert!(size_of::<SockStats>() == 8 * (2 + 27 + 5));
    assert!(size_of::<SockCheck>() == 8 * (3 + 2));
    assert!(size_of::<ShareArea>() == 8 * (1 + 8 + 2 + 1 + 10 + 2));
    assert!(size_of::<ShareTree>() == 8 * (1 + 8 + 8 + 4 + 3 + 4));
    assert!(size_of::<ShareRules>() == 8 * (1 + 8 + 1 + 4));
    assert!(size_of::<ShareRemove>() == 8 * (1 + 8 + 8 + 4));
    assert!(size_of::<ShareWithdraw>() == 8 * (1 + 8 + 8 + 1 + 1 + 4));
    assert!(size_of::<ShareMember>() == 8 * (1 + 4 + 4));
    assert!(size_of::<ShareDisk>() == 8 * (1 + 8 + 8 + 4 + 1 + 1 + 1 + 1 + 4));
    assert!(size_of::<ShareDetach>() == 8 * (1 + 4));
    assert!(size_of::<ShareOffers>() == 8 * (1 + 8 + 1 + 4));
    assert!(size_of::<ShareOffer>() == 8 * (1 + 8 + 2 + 1 + 3 + 4));
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

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareArea {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for ShareArea {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareTree {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for ShareTree {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareRules {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for ShareRules {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareRemove {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareWithdraw {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for ShareWithdraw {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareMember {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for ShareMember {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareDisk {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for ShareDisk {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareDetach {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareOffers {}

// SAFETY: Made of integers only.
unsafe impl FromBytes for ShareOffer {}
// SAFETY: Made of integers only, without padding, as asserted above.
unsafe impl AsBytes for ShareOffer {}
