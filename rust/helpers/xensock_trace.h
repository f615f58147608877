/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of xensock.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xensock

#if !defined(XENSOCK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XENSOCK_TRACE_H

#include <linux/tracepoint.h>

#include "helpers.h"

TRACE_DEFINE_ENUM(XENOXIDE_REASON_OTHER);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_NO_LISTENER);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_DENIED);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_BUSY);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_NO_MEMORY);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_CLOSED);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_BROKEN);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_CANCELLED);
TRACE_DEFINE_ENUM(XENOXIDE_REASON_LIMIT);

#define show_xensock_reason(reason)					\
	__print_symbolic(reason,					\
			 { XENOXIDE_REASON_OTHER, "other" },		\
			 { XENOXIDE_REASON_NO_LISTENER, "no_listener" },	\
			 { XENOXIDE_REASON_DENIED, "denied" },		\
			 { XENOXIDE_REASON_BUSY, "busy" },		\
			 { XENOXIDE_REASON_NO_MEMORY, "no_memory" },	\
			 { XENOXIDE_REASON_CLOSED, "closed" },		\
			 { XENOXIDE_REASON_BROKEN, "broken" },		\
			 { XENOXIDE_REASON_CANCELLED, "cancelled" },	\
			 { XENOXIDE_REASON_LIMIT, "limit" })

/* Between whom a connection is. */
#define XENSOCK_ENDS_ENTRY			\
	__field(u32, local_port)		\
	__field(u32, remote_cid)		\
	__field(u32, remote_port)

#define XENSOCK_ENDS_ASSIGN				\
	__entry->local_port = ends->local_port;		\
	__entry->remote_cid = ends->remote_cid;		\
	__entry->remote_port = ends->remote_port

#define XENSOCK_ENDS_FORMAT	"local_port=%u remote=%u:%u "

#define XENSOCK_ENDS_VALUES					\
	__entry->local_port, __entry->remote_cid, __entry->remote_port

DECLARE_EVENT_CLASS(xensock_opening,

	TP_PROTO(const struct xensock_ends *ends, bool seqpacket,
		 u32 ring_bytes),

	TP_ARGS(ends, seqpacket, ring_bytes),

	TP_STRUCT__entry(
		XENSOCK_ENDS_ENTRY
		__field(u32, seqpacket)
		__field(u32, ring_bytes)
	),

	TP_fast_assign(
		XENSOCK_ENDS_ASSIGN;
		__entry->seqpacket = seqpacket;
		__entry->ring_bytes = ring_bytes;
	),

	TP_printk(XENSOCK_ENDS_FORMAT "seqpacket=%u ring_bytes=%u",
		  XENSOCK_ENDS_VALUES, __entry->seqpacket,
		  __entry->ring_bytes)
);

DEFINE_EVENT(xensock_opening, xensock_connect,

	TP_PROTO(const struct xensock_ends *ends, bool seqpacket,
		 u32 ring_bytes),

	TP_ARGS(ends, seqpacket, ring_bytes)
);

DEFINE_EVENT(xensock_opening, xensock_accept,

	TP_PROTO(const struct xensock_ends *ends, bool seqpacket,
		 u32 ring_bytes),

	TP_ARGS(ends, seqpacket, ring_bytes)
);

DECLARE_EVENT_CLASS(xensock_ending,

	TP_PROTO(const struct xensock_ends *ends, bool ours,
		 enum xensock_reason reason),

	TP_ARGS(ends, ours, reason),

	TP_STRUCT__entry(
		XENSOCK_ENDS_ENTRY
		__field(u32, ours)
		__field(u32, reason)
	),

	TP_fast_assign(
		XENSOCK_ENDS_ASSIGN;
		__entry->ours = ours;
		__entry->reason = reason;
	),

	TP_printk(XENSOCK_ENDS_FORMAT "ours=%u reason=%s",
		  XENSOCK_ENDS_VALUES, __entry->ours,
		  show_xensock_reason(__entry->reason))
);

DEFINE_EVENT(xensock_ending, xensock_refuse,

	TP_PROTO(const struct xensock_ends *ends, bool ours,
		 enum xensock_reason reason),

	TP_ARGS(ends, ours, reason)
);

DEFINE_EVENT(xensock_ending, xensock_reset,

	TP_PROTO(const struct xensock_ends *ends, bool ours,
		 enum xensock_reason reason),

	TP_ARGS(ends, ours, reason)
);

TRACE_EVENT(xensock_grow,

	TP_PROTO(const struct xensock_ends *ends, bool sending, u32 before,
		 u32 after),

	TP_ARGS(ends, sending, before, after),

	TP_STRUCT__entry(
		XENSOCK_ENDS_ENTRY
		__field(u32, sending)
		__field(u32, before)
		__field(u32, after)
	),

	TP_fast_assign(
		XENSOCK_ENDS_ASSIGN;
		__entry->sending = sending;
		__entry->before = before;
		__entry->after = after;
	),

	TP_printk(XENSOCK_ENDS_FORMAT "sending=%u before=%u after=%u",
		  XENSOCK_ENDS_VALUES, __entry->sending, __entry->before,
		  __entry->after)
);

DECLARE_EVENT_CLASS(xensock_link,

	TP_PROTO(u32 domid, bool initiator),

	TP_ARGS(domid, initiator),

	TP_STRUCT__entry(
		__field(u32, domid)
		__field(u32, initiator)
	),

	TP_fast_assign(
		__entry->domid = domid;
		__entry->initiator = initiator;
	),

	TP_printk("domid=%u initiator=%u", __entry->domid,
		  __entry->initiator)
);

DEFINE_EVENT(xensock_link, xensock_link_up,

	TP_PROTO(u32 domid, bool initiator),

	TP_ARGS(domid, initiator)
);

DEFINE_EVENT(xensock_link, xensock_link_down,

	TP_PROTO(u32 domid, bool initiator),

	TP_ARGS(domid, initiator)
);

#endif /* XENSOCK_TRACE_H */

/* Outside of the guard: define_trace.h reads this file again, by way of -I. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE xensock_trace
#include <trace/define_trace.h>
