// SPDX-License-Identifier: GPL-2.0

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "xensock_trace.h"

void xenoxide_trace_connect(const struct xensock_ends *ends, bool seqpacket,
			    u32 ring_bytes)
{
	trace_xensock_connect(ends, seqpacket, ring_bytes);
}

void xenoxide_trace_accept(const struct xensock_ends *ends, bool seqpacket,
			   u32 ring_bytes)
{
	trace_xensock_accept(ends, seqpacket, ring_bytes);
}

void xenoxide_trace_refuse(const struct xensock_ends *ends, bool ours,
			   enum xensock_reason reason)
{
	trace_xensock_refuse(ends, ours, reason);
}

void xenoxide_trace_reset(const struct xensock_ends *ends, bool ours,
			  enum xensock_reason reason)
{
	trace_xensock_reset(ends, ours, reason);
}

void xenoxide_trace_grow(const struct xensock_ends *ends, bool sending,
			 u32 before, u32 after)
{
	trace_xensock_grow(ends, sending, before, after);
}

void xenoxide_trace_link_up(u32 domid, bool initiator)
{
	trace_xensock_link_up(domid, initiator);
}

void xenoxide_trace_link_down(u32 domid, bool initiator)
{
	trace_xensock_link_down(domid, initiator);
}
