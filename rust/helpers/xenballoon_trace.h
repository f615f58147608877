/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of xenballoon. Sizes are in pages of 4 KiB.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xenballoon

#if !defined(XENBALLOON_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XENBALLOON_TRACE_H

#include <linux/tracepoint.h>

#include "helpers.h"

TRACE_DEFINE_ENUM(XENOXIDE_TAKE);
TRACE_DEFINE_ENUM(XENOXIDE_GIVE);
TRACE_DEFINE_ENUM(XENOXIDE_SPLIT);
TRACE_DEFINE_ENUM(XENOXIDE_BORROW);
TRACE_DEFINE_ENUM(XENOXIDE_WAIT);
TRACE_DEFINE_ENUM(XENOXIDE_WATCH);
TRACE_DEFINE_ENUM(XENOXIDE_REST);
TRACE_DEFINE_ENUM(XENOXIDE_TOOLSTACK);
TRACE_DEFINE_ENUM(XENOXIDE_ADMINISTRATOR);

#define show_xenballoon_action(action)			\
	__print_symbolic(action,			\
			 { XENOXIDE_TAKE, "take" },	\
			 { XENOXIDE_GIVE, "give" },	\
			 { XENOXIDE_SPLIT, "split" },	\
			 { XENOXIDE_BORROW, "borrow" }, \
			 { XENOXIDE_WAIT, "wait" },	\
			 { XENOXIDE_WATCH, "watch" },	\
			 { XENOXIDE_REST, "rest" })

#define show_xenballoon_source(source)				\
	__print_symbolic(source,				\
			 { XENOXIDE_TOOLSTACK, "toolstack" },	\
			 { XENOXIDE_ADMINISTRATOR, "administrator" })

TRACE_EVENT(xenballoon_decision,

	TP_PROTO(u64 target, u64 current_pages, u64 held_huge, u64 held_base,
		 u64 available, enum xenballoon_action action, u64 pages),

	TP_ARGS(target, current_pages, held_huge, held_base, available, action,
		pages),

	TP_STRUCT__entry(
		__field(u64, target)
		__field(u64, current_pages)
		__field(u64, held_huge)
		__field(u64, held_base)
		__field(u64, available)
		__field(u32, action)
		__field(u64, pages)
	),

	TP_fast_assign(
		__entry->target = target;
		__entry->current_pages = current_pages;
		__entry->held_huge = held_huge;
		__entry->held_base = held_base;
		__entry->available = available;
		__entry->action = action;
		__entry->pages = pages;
	),

	TP_printk("target=%llu current=%llu held_huge=%llu held_base=%llu available=%llu action=%s pages=%llu",
		  __entry->target, __entry->current_pages, __entry->held_huge,
		  __entry->held_base, __entry->available,
		  show_xenballoon_action(__entry->action), __entry->pages)
);

TRACE_EVENT(xenballoon_batch,

	TP_PROTO(enum xenballoon_action kind, u32 order, u64 asked, u64 done,
		 int error, u64 hypercalls, u64 duration),

	TP_ARGS(kind, order, asked, done, error, hypercalls, duration),

	TP_STRUCT__entry(
		__field(u32, kind)
		__field(u32, order)
		__field(u64, asked)
		__field(u64, done)
		__field(int, error)
		__field(u64, hypercalls)
		__field(u64, duration)
	),

	TP_fast_assign(
		__entry->kind = kind;
		__entry->order = order;
		__entry->asked = asked;
		__entry->done = done;
		__entry->error = error;
		__entry->hypercalls = hypercalls;
		__entry->duration = duration;
	),

	TP_printk("kind=%s order=%u asked=%llu done=%llu error=%d hypercalls=%llu duration_ns=%llu",
		  show_xenballoon_action(__entry->kind), __entry->order,
		  __entry->asked, __entry->done, __entry->error,
		  __entry->hypercalls, __entry->duration)
);

TRACE_EVENT(xenballoon_target,

	TP_PROTO(enum xenballoon_source source, u64 asked, u64 effective),

	TP_ARGS(source, asked, effective),

	TP_STRUCT__entry(
		__field(u32, source)
		__field(u64, asked)
		__field(u64, effective)
	),

	TP_fast_assign(
		__entry->source = source;
		__entry->asked = asked;
		__entry->effective = effective;
	),

	TP_printk("source=%s asked=%llu effective=%llu",
		  show_xenballoon_source(__entry->source), __entry->asked,
		  __entry->effective)
);

#endif /* XENBALLOON_TRACE_H */

/* Outside of the guard: define_trace.h reads this file again, by way of -I. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE xenballoon_trace
#include <trace/define_trace.h>
