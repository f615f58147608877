// SPDX-License-Identifier: GPL-2.0
/* One ioctl of /dev/xensock, see main.h. CALL is get, next, stats or check. */
#include "fields.h"
#include "xensock.h"

#define DEVICE "xensock"

#define SOCKET(name) FIELD(struct xensock_socket, name)
#define STATS(name) FIELD(struct xensock_stats, name)
#define CHECK(name) FIELD(struct xensock_check, name)

static const struct field connection[] = {
	SOCKET(version), SOCKET(local_port), SOCKET(remote_cid),
	SOCKET(remote_port), SOCKET(type), SOCKET(opened_here), SOCKET(cursor),
	SOCKET(sent_bytes), SOCKET(received_bytes), SOCKET(send_ring_bytes),
	SOCKET(receive_ring_bytes), SOCKET(wakeups_sent),
	SOCKET(wakeups_received), SOCKET(blocked_sending),
	SOCKET(blocked_receiving), SOCKET(rings_grown), SOCKET(reserved[0]),
	SOCKET(reserved[1]), SOCKET(reserved[2]), SOCKET(reserved[3]),
	SOCKET(reserved[4]), SOCKET(reserved[5]),
};

static const struct field stats[] = {
	STATS(version), STATS(cid), STATS(closed), STATS(reserved0),
	STATS(first_ring_kb), STATS(largest_ring_kb),
	STATS(max_sockets_per_peer), STATS(memory_per_peer_kb),
	STATS(events_per_link_hz), STATS(links), STATS(sockets),
	STATS(sent_bytes), STATS(received_bytes), STATS(events_sent),
	STATS(events_received), STATS(opened), STATS(accepted),
	STATS(refused_by_peer), STATS(denied), STATS(refused_rule),
	STATS(refused_listener), STATS(refused_queue), STATS(refused_limit),
	STATS(refused_memory), STATS(over_sockets), STATS(over_memory),
	STATS(over_events), STATS(reset), STATS(rings_grown),
	STATS(broken_rings), STATS(broken_links), STATS(rings_shrunk),
	STATS(datagrams_sent), STATS(datagrams_received), STATS(datagrams_lost),
	STATS(reserved[0]),
};

static const struct field rule[] = {
	CHECK(version), CHECK(direction), CHECK(cid), CHECK(port),
	CHECK(allowed), CHECK(reserved0), CHECK(reserved[0]),
	CHECK(reserved[1]),
};

static const struct call calls[] = {
	{ "get", XENSOCK_GET_SOCKET, connection, COUNT(connection) },
	{ "next", XENSOCK_NEXT_SOCKET, connection, COUNT(connection) },
	{ "stats", XENSOCK_GET_STATS, stats, COUNT(stats) },
	{ "check", XENSOCK_CHECK, rule, COUNT(rule) },
};

static const struct xensock_stats constant = {
	.version = XENSOCK_VERSION,
};

/* The largest argument is the one of stats. */
static struct xensock_stats memory = {
	.version = XENSOCK_VERSION,
};

#include "main.h"
