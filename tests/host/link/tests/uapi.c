/* SPDX-License-Identifier: GPL-2.0 */
/* What xensock/uapi/xensock.h promises for good, whatever compiles it. */
#include <stddef.h>

#include "xensock.h"

#define SIZE(type, size) \
	_Static_assert(sizeof(struct xensock_##type) == (size), #type)
#define AT(type, field, offset) \
	_Static_assert(offsetof(struct xensock_##type, field) == (offset), \
		       #type "." #field)
#define NUMBER(call, number) \
	_Static_assert(XENSOCK_##call == (number), #call)

SIZE(socket, 152);
AT(socket, version, 0);
AT(socket, local_port, 4);
AT(socket, remote_cid, 8);
AT(socket, remote_port, 12);
AT(socket, type, 16);
AT(socket, opened_here, 20);
AT(socket, cursor, 24);
AT(socket, sent_bytes, 32);
AT(socket, received_bytes, 40);
AT(socket, send_ring_bytes, 48);
AT(socket, receive_ring_bytes, 56);
AT(socket, wakeups_sent, 64);
AT(socket, wakeups_received, 72);
AT(socket, blocked_sending, 80);
AT(socket, blocked_receiving, 88);
AT(socket, rings_grown, 96);
AT(socket, reserved, 104);

SIZE(stats, 272);
AT(stats, version, 0);
AT(stats, cid, 4);
AT(stats, closed, 8);
AT(stats, reserved0, 12);
AT(stats, first_ring_kb, 16);
AT(stats, largest_ring_kb, 24);
AT(stats, max_sockets_per_peer, 32);
AT(stats, memory_per_peer_kb, 40);
AT(stats, events_per_link_hz, 48);
AT(stats, links, 56);
AT(stats, sockets, 64);
AT(stats, sent_bytes, 72);
AT(stats, received_bytes, 80);
AT(stats, events_sent, 88);
AT(stats, events_received, 96);
AT(stats, opened, 104);
AT(stats, accepted, 112);
AT(stats, refused_by_peer, 120);
AT(stats, denied, 128);
AT(stats, refused_rule, 136);
AT(stats, refused_listener, 144);
AT(stats, refused_queue, 152);
AT(stats, refused_limit, 160);
AT(stats, refused_memory, 168);
AT(stats, over_sockets, 176);
AT(stats, over_memory, 184);
AT(stats, over_events, 192);
AT(stats, reset, 200);
AT(stats, rings_grown, 208);
AT(stats, broken_rings, 216);
AT(stats, broken_links, 224);
AT(stats, rings_shrunk, 232);
AT(stats, datagrams_sent, 240);
AT(stats, datagrams_received, 248);
AT(stats, datagrams_lost, 256);
AT(stats, reserved, 264);

SIZE(check, 40);
AT(check, version, 0);
AT(check, direction, 4);
AT(check, cid, 8);
AT(check, port, 12);
AT(check, allowed, 16);
AT(check, reserved0, 20);
AT(check, reserved, 24);

NUMBER(GET_SOCKET, 0xc098be10);
NUMBER(NEXT_SOCKET, 0xc098be11);
NUMBER(GET_STATS, 0xc110be12);
NUMBER(CHECK, 0xc028be13);
