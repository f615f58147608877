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

SIZE(stats, 256);
AT(stats, version, 0);
AT(stats, cid, 4);
AT(stats, closed, 8);
AT(stats, reserved0, 12);
AT(stats, first_ring_kb, 16);
AT(stats, largest_ring_kb, 24);
AT(stats, max_sockets_per_peer, 32);
AT(stats, memory_per_peer_kb, 40);
AT(stats, links, 48);
AT(stats, sockets, 56);
AT(stats, sent_bytes, 64);
AT(stats, received_bytes, 72);
AT(stats, events_sent, 80);
AT(stats, events_received, 88);
AT(stats, opened, 96);
AT(stats, accepted, 104);
AT(stats, refused_by_peer, 112);
AT(stats, denied, 120);
AT(stats, refused_rule, 128);
AT(stats, refused_listener, 136);
AT(stats, refused_queue, 144);
AT(stats, refused_limit, 152);
AT(stats, refused_memory, 160);
AT(stats, over_sockets, 168);
AT(stats, over_memory, 176);
AT(stats, reset, 184);
AT(stats, rings_grown, 192);
AT(stats, broken_rings, 200);
AT(stats, broken_links, 208);
AT(stats, rings_shrunk, 216);
AT(stats, datagrams_sent, 224);
AT(stats, datagrams_received, 232);
AT(stats, datagrams_lost, 240);
AT(stats, reserved, 248);

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
NUMBER(GET_STATS, 0xc100be12);
NUMBER(CHECK, 0xc028be13);
