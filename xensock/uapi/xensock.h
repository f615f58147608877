/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What programs can ask /dev/xensock for, see docs/xensock.md, IOCTL.
 *
 * Every argument begins with the version of its layout. What is named reserved
 * is zero, in both directions. The layouts are the same for 32-bit and 64-bit
 * programs. The file may be open for reading only.
 *
 * All calls fail with
 *   EFAULT  the argument cannot be read or written,
 *   EINVAL  its version is unknown, or something reserved is not zero,
 *   ENOTTY  there is no such call.
 */
#ifndef _XENSOCK_H
#define _XENSOCK_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The version of all layouts here. */
#define XENSOCK_VERSION		1

/**
 * struct xensock_socket - argument of XENSOCK_GET_SOCKET, XENSOCK_NEXT_SOCKET
 * @version: in: XENSOCK_VERSION
 * @local_port: in, GET: the port of this domain's end; out
 * @remote_cid: in, GET: the address of the other domain; out
 * @remote_port: in, GET: the port of its end; out
 * @type: out: SOCK_STREAM or SOCK_SEQPACKET
 * @opened_here: out: 1 if a program of this domain has opened the connection, 0
 *	if it was accepted
 * @cursor: in, NEXT: 0, or what the last call has made of it; out: says which
 *	connection this is
 * @sent_bytes: out: what programs have sent
 * @received_bytes: out: what programs have received
 * @send_ring_bytes: out: size of the ring that is written
 * @receive_ring_bytes: out: size of the ring that is read
 * @wakeups_sent: out: how often the other end was to be woken
 * @wakeups_received: out: how often this end was woken
 * @blocked_sending: out: how often a program had to wait until there was room,
 *	or would have had
 * @blocked_receiving: out: how often it had to wait until something came
 * @rings_grown: out: how often a ring was exchanged for another one
 * @reserved: zero
 *
 * What comes in for all other fields does not matter.
 */
struct xensock_socket {
	__u32 version;
	__u32 local_port;
	__u32 remote_cid;
	__u32 remote_port;
	__u32 type;
	__u32 opened_here;
	__u64 cursor;
	__u64 sent_bytes;
	__u64 received_bytes;
	__u64 send_ring_bytes;
	__u64 receive_ring_bytes;
	__u64 wakeups_sent;
	__u64 wakeups_received;
	__u64 blocked_sending;
	__u64 blocked_receiving;
	__u64 rings_grown;
	__u64 reserved[6];
};

/**
 * struct xensock_stats - argument of XENSOCK_GET_STATS
 * @version: in: XENSOCK_VERSION
 * @cid: out: the address of this domain
 * @closed: out: 1 if others may connect only where a rule allows it, else 0
 * @reserved0: zero
 * @first_ring_kb: out: the size of the ring to start with of what an opener sends
 * @largest_ring_kb: out: the size that rings grow to
 * @max_sockets_per_peer: out: how many connections there may be with a domain
 * @memory_per_peer_kb: out: how much memory may be shared with a domain
 * @events_per_link_hz: out: how many events of a link come through each
 *	second, 0 if all do; others wait
 * @links: out: domains that there are links with
 * @sockets: out: connections that there are, up to when their memory is free
 * @sent_bytes: out: what programs have sent; this and all that follows is
 *	counted since the module was loaded
 * @received_bytes: out: what programs have received
 * @events_sent: out: events that went to other domains
 * @events_received: out: events that came from them
 * @opened: out: connections that programs of this domain have asked for
 * @accepted: out: connections that others have asked for and got
 * @refused_by_peer: out: of those opened, the ones that were refused there
 * @denied: out: connections that were not opened because of rules_out
 * @refused_rule: out: connections of others that were refused by the rules
 * @refused_listener: out: because nobody listened
 * @refused_queue: out: because too many waited to be accepted
 * @refused_limit: out: because of a limit for each domain
 * @refused_memory: out: because there was no memory, or it was not mapped
 * @over_sockets: out: times that max_sockets_per_peer was reached, at
 *	connections of either side
 * @over_memory: out: times that memory_per_peer_kb was, also by larger rings
 * @over_events: out: events that were more than events_per_link_hz: after
 *	each one the next had to wait
 * @reset: out: connections that other domains have ended with an error
 * @rings_grown: out: rings that were exchanged for larger ones
 * @broken_rings: out: connections that ended because a ring was broken
 * @broken_links: out: links that ended because the other domain broke them
 * @rings_shrunk: out: rings that were exchanged for smaller ones
 * @datagrams_sent: out: datagrams that programs have sent
 * @datagrams_received: out: datagrams that have come for programs
 * @datagrams_lost: out: datagrams that have come in vain
 * @reserved: zero
 *
 * What comes in for all but @version and what is reserved does not matter. Each
 * figure is for itself; together they may be a step apart.
 */
struct xensock_stats {
	__u32 version;
	__u32 cid;
	__u32 closed;
	__u32 reserved0;
	__u64 first_ring_kb;
	__u64 largest_ring_kb;
	__u64 max_sockets_per_peer;
	__u64 memory_per_peer_kb;
	__u64 events_per_link_hz;
	__u64 links;
	__u64 sockets;
	__u64 sent_bytes;
	__u64 received_bytes;
	__u64 events_sent;
	__u64 events_received;
	__u64 opened;
	__u64 accepted;
	__u64 refused_by_peer;
	__u64 denied;
	__u64 refused_rule;
	__u64 refused_listener;
	__u64 refused_queue;
	__u64 refused_limit;
	__u64 refused_memory;
	__u64 over_sockets;
	__u64 over_memory;
	__u64 over_events;
	__u64 reset;
	__u64 rings_grown;
	__u64 broken_rings;
	__u64 broken_links;
	__u64 rings_shrunk;
	__u64 datagrams_sent;
	__u64 datagrams_received;
	__u64 datagrams_lost;
	__u64 reserved[1];
};

/* For direction: connections to this domain, and those that it opens. */
#define XENSOCK_IN	0
#define XENSOCK_OUT	1

/**
 * struct xensock_check - argument of XENSOCK_CHECK
 * @version: in: XENSOCK_VERSION
 * @direction: in: XENSOCK_IN or XENSOCK_OUT
 * @cid: in: the address of the other domain
 * @port: in: the port that is connected to: here, or there
 * @allowed: out: 1 if the rules allow it now, else 0
 * @reserved0: zero
 * @reserved: zero
 *
 * What comes in for @allowed does not matter.
 */
struct xensock_check {
	__u32 version;
	__u32 direction;
	__u32 cid;
	__u32 port;
	__u32 allowed;
	__u32 reserved0;
	__u64 reserved[2];
};

#define XENSOCK_IOC_MAGIC	0xBE

/*
 * Reads what the connection between local_port and remote_cid:remote_port has
 * done. Fails with
 *   ENOENT  there is no such connection.
 */
#define XENSOCK_GET_SOCKET \
	_IOWR(XENSOCK_IOC_MAGIC, 0x10, struct xensock_socket)

/*
 * Reads what the connection after cursor has done. Those that come or go
 * meanwhile may be left out, no other is, and none comes twice. Fails with
 *   ENOENT  there is none any more.
 */
#define XENSOCK_NEXT_SOCKET \
	_IOWR(XENSOCK_IOC_MAGIC, 0x11, struct xensock_socket)

/* Reads all figures, and the limits. */
#define XENSOCK_GET_STATS \
	_IOWR(XENSOCK_IOC_MAGIC, 0x12, struct xensock_stats)

/*
 * Asks the rules. Fails with
 *   EINVAL  also if direction is neither, or no domain has that address.
 */
#define XENSOCK_CHECK \
	_IOWR(XENSOCK_IOC_MAGIC, 0x13, struct xensock_check)

#endif /* _XENSOCK_H */
