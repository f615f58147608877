/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of pageshare.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pageshare

#if !defined(PAGESHARE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PAGESHARE_TRACE_H

#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(pageshare_asking,

	TP_PROTO(u32 domid, u32 tree, u32 blocks, u32 granted),

	TP_ARGS(domid, tree, blocks, granted),

	TP_STRUCT__entry(
		__field(u32, domid)
		__field(u32, tree)
		__field(u32, blocks)
		__field(u32, granted)
	),

	TP_fast_assign(
		__entry->domid = domid;
		__entry->tree = tree;
		__entry->blocks = blocks;
		__entry->granted = granted;
	),

	TP_printk("domid=%u tree=%u blocks=%u granted=%u", __entry->domid,
		  __entry->tree, __entry->blocks, __entry->granted)
);

DEFINE_EVENT(pageshare_asking, pageshare_fetch,

	TP_PROTO(u32 domid, u32 tree, u32 blocks, u32 granted),

	TP_ARGS(domid, tree, blocks, granted)
);

DEFINE_EVENT(pageshare_asking, pageshare_grant,

	TP_PROTO(u32 domid, u32 tree, u32 blocks, u32 granted),

	TP_ARGS(domid, tree, blocks, granted)
);

DECLARE_EVENT_CLASS(pageshare_returning,

	TP_PROTO(u32 domid, u32 tree, u32 blocks),

	TP_ARGS(domid, tree, blocks),

	TP_STRUCT__entry(
		__field(u32, domid)
		__field(u32, tree)
		__field(u32, blocks)
	),

	TP_fast_assign(
		__entry->domid = domid;
		__entry->tree = tree;
		__entry->blocks = blocks;
	),

	TP_printk("domid=%u tree=%u blocks=%u", __entry->domid,
		  __entry->tree, __entry->blocks)
);

DEFINE_EVENT(pageshare_returning, pageshare_withdraw,

	TP_PROTO(u32 domid, u32 tree, u32 blocks),

	TP_ARGS(domid, tree, blocks)
);

DEFINE_EVENT(pageshare_returning, pageshare_give_back,

	TP_PROTO(u32 domid, u32 tree, u32 blocks),

	TP_ARGS(domid, tree, blocks)
);

DECLARE_EVENT_CLASS(pageshare_offering,

	TP_PROTO(u32 domid, u32 pages, u32 granted),

	TP_ARGS(domid, pages, granted),

	TP_STRUCT__entry(
		__field(u32, domid)
		__field(u32, pages)
		__field(u32, granted)
	),

	TP_fast_assign(
		__entry->domid = domid;
		__entry->pages = pages;
		__entry->granted = granted;
	),

	TP_printk("domid=%u pages=%u granted=%u", __entry->domid,
		  __entry->pages, __entry->granted)
);

DEFINE_EVENT(pageshare_offering, pageshare_offer,

	TP_PROTO(u32 domid, u32 pages, u32 granted),

	TP_ARGS(domid, pages, granted)
);

DECLARE_EVENT_CLASS(pageshare_link,

	TP_PROTO(u32 domid, bool member),

	TP_ARGS(domid, member),

	TP_STRUCT__entry(
		__field(u32, domid)
		__field(u32, member)
	),

	TP_fast_assign(
		__entry->domid = domid;
		__entry->member = member;
	),

	TP_printk("domid=%u member=%u", __entry->domid, __entry->member)
);

DEFINE_EVENT(pageshare_link, pageshare_link_up,

	TP_PROTO(u32 domid, bool member),

	TP_ARGS(domid, member)
);

DEFINE_EVENT(pageshare_link, pageshare_link_down,

	TP_PROTO(u32 domid, bool member),

	TP_ARGS(domid, member)
);

#endif /* PAGESHARE_TRACE_H */

/* Outside of the guard: define_trace.h reads this file again, by way of -I. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE pageshare_trace
#include <trace/define_trace.h>
