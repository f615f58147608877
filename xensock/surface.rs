// SPDX-License-Identifier: GPL-2.0

//! What the administrator sees and sets: the files in `/sys/class/misc/xensock/`.

use crate::{
    attributes,
    driver::Driver,
    link::{
        policy::{
            self,
            Verdict, //
        },
        segment::Size, //
    },
    linux::{
        device::{
            Group,
            Groups, //
        },
        work::Worker, //
    }, //
};
use kernel::prelude::*;

/// Bytes of a KiB.
const KIB: u32 = 1024;

/// The state behind the device.
type State = Worker<Driver>;

/// Reads a number.
fn number(text: &str) -> Result<u64> {
    policy::number(text).ok_or(EINVAL)
}

/// Reads a size of rings, in KiB.
fn ring_size(text: &str) -> Result<Size> {
    let bytes = number(text)?.checked_mul(KIB.into()).ok_or(ERANGE)?;
    u32::try_from(bytes)
        .ok()
        .and_then(Size::from_bytes)
        .ok_or(ERANGE)
}

attributes! { State, ROOT:
    /// Who may connect to this domain.
    IncomingRules c"rules" = |s| &s.settings().incoming,
        set |s, text| s.settings().incoming.replace(text);
    /// To whom this domain may connect.
    OutgoingRules c"rules_out" = |s| &s.settings().outgoing,
        set |s, text| s.settings().outgoing.replace(text);
    /// What holds for connections to this domain about which there is no rule.
    DefaultPolicy c"default_policy" = |s| match s.settings().default_verdict() {
            Verdict::Allow => "open",
            Verdict::Deny => "closed",
        },
        set |s, text| {
            s.settings().set_closed(match text {
                "open" => false,
                "closed" => true,
                _ => return Err(EINVAL),
            });
            Ok(())
        };
    /// The size of the rings that a connection starts with, each way.
    FirstRingKb c"first_ring_kb" = |s| s.settings().first().bytes() / KIB,
        set |s, text| s.settings().set_first(ring_size(text)?);
    /// The size that rings grow to, each way.
    LargestRingKb c"largest_ring_kb" = |s| s.settings().last().bytes() / KIB,
        set |s, text| s.settings().set_last(ring_size(text)?);
    /// How many connections there may be with one domain.
    MaxSocketsPerPeer c"max_sockets_per_peer" = |s| s.settings().most_sockets(),
        set |s, text| s.settings().set_most_sockets(number(text)?);
    /// How much memory may be shared with one domain.
    MemoryPerPeerKb c"memory_per_peer_kb" = |s| s.settings().most_memory() / u64::from(KIB),
        set |s, text| s.settings().set_most_memory(number(text)?);
}

attributes! { State, INFO:
    /// The address of this domain.
    Cid c"cid" = |s| s.own().cid();
}

static ROOT_GROUP: Group = Group::new(None, &ROOT);
static INFO_GROUP: Group = Group::new(Some(c"info"), &INFO);

/// All files of the device.
pub(crate) static GROUPS: Groups<3> = Groups::new([&ROOT_GROUP, &INFO_GROUP]);
