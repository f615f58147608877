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
    /// The size of the ring that a connection starts with, of what its opener sends.
    FirstRingKb c"first_ring_kb" = |s| s.settings().first_forth().bytes() / KIB,
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
    /// How many events of a link come through each second.
    EventsPerLinkHz c"events_per_link_hz" = |s| s.settings().most_events().unwrap_or(0),
        set |s, text| s.settings().set_most_events(number(text)?);
    /// How long a program looks for data before it sleeps.
    BusyPollUs c"busy_poll_us" = |s| s.settings().busy_poll_us(),
        set |s, text| s.settings().set_busy_poll_us(number(text)?);
    /// How long it does in the midst of a stream.
    BulkPollUs c"bulk_poll_us" = |s| s.settings().bulk_poll_us(),
        set |s, text| s.settings().set_bulk_poll_us(number(text)?);
}

attributes! { State, INFO:
    /// The address of this domain.
    Cid c"cid" = |s| s.own().cid();
    /// Domains that there are links with; two if both have called at the same time.
    LinkCount c"links" = |s| s.settings().counters.links.get();
    /// Connections that there are, up to when their memory is free.
    Sockets c"sockets" = |s| s.settings().counters.sockets.get();
    /// Bytes that programs have sent, since the module was loaded, as all that follows.
    SentBytes c"sent_bytes" = |s| s.settings().counters.sent.sum();
    /// Bytes that programs have received.
    ReceivedBytes c"received_bytes" = |s| s.settings().counters.received.sum();
    /// Events that went to other domains.
    EventsSent c"events_sent" = |s| s.settings().counters.events_sent.get();
    /// Events that came from them.
    EventsReceived c"events_received" = |s| s.settings().counters.events_received.get();
    /// Connections that programs of this domain have asked for.
    Opened c"opened" = |s| s.settings().counters.opened.get();
    /// Connections that others have asked for and got.
    Accepted c"accepted" = |s| s.settings().counters.accepted.get();
    /// Of those opened, the ones that were refused there.
    RefusedByPeer c"refused_by_peer" = |s| s.settings().counters.refused_by_peer.get();
    /// Connections that were not opened because of `rules_out`.
    Denied c"denied" = |s| s.settings().counters.denied.get();
    /// Connections of others that were refused by the rules.
    RefusedRule c"refused_rule" = |s| s.settings().counters.refused_rule.get();
    /// Because nobody listened.
    RefusedListener c"refused_listener" = |s| s.settings().counters.refused_listener.get();
    /// Because too many waited to be accepted.
    RefusedQueue c"refused_queue" = |s| s.settings().counters.refused_queue.get();
    /// Because of a limit for each domain.
    RefusedLimit c"refused_limit" = |s| s.settings().counters.refused_limit.get();
    /// Because there was no memory, or what was granted could not be mapped.
    RefusedMemory c"refused_memory" = |s| s.settings().counters.refused_memory.get();
    /// Times that `max_sockets_per_peer` was reached.
    OverSockets c"over_sockets" = |s| s.settings().counters.over_sockets.get();
    /// Times that `memory_per_peer_kb` was reached.
    OverMemory c"over_memory" = |s| s.settings().counters.over_memory.get();
    /// Events that were more than `events_per_link_hz`, after which the next one had to wait.
    OverEvents c"over_events" = |s| s.settings().counters.over_events.get();
    /// Connections that other domains have ended with an error.
    Reset c"reset" = |s| s.settings().counters.reset.get();
    /// Rings that were exchanged for larger ones.
    RingsGrown c"rings_grown" = |s| s.settings().counters.rings_grown.get();
    /// Rings that were exchanged for smaller ones.
    RingsShrunk c"rings_shrunk" = |s| s.settings().counters.rings_shrunk.get();
    /// Datagrams that programs have sent.
    DatagramsSent c"datagrams_sent" = |s| s.settings().counters.datagrams_sent.get();
    /// Datagrams that have come for programs.
    DatagramsReceived c"datagrams_received" = |s| s.settings().counters.datagrams_received.get();
    /// Datagrams that have come in vain.
    DatagramsLost c"datagrams_lost" = |s| s.settings().counters.datagrams_lost.get();
    /// Connections that ended because a ring was broken.
    BrokenRings c"broken_rings" = |s| s.settings().counters.broken_rings.get();
    /// Links that ended because the other domain had broken them.
    BrokenLinks c"broken_links" = |s| s.settings().counters.broken_links.get();
}

static ROOT_GROUP: Group = Group::new(None, &ROOT);
static INFO_GROUP: Group = Group::new(Some(c"info"), &INFO);

/// All files of the device.
pub(crate) static GROUPS: Groups<3> = Groups::new([&ROOT_GROUP, &INFO_GROUP]);
