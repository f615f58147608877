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

TRACE_DEFINE_ENUM(XENOXIDE_TAKE_HUGE);
TRACE_DEFINE_ENUM(XENOXIDE_TAKE_BASE);
TRACE_DEFINE_ENUM(XENOXIDE_GIVE_HUGE);
TRACE_DEFINE_ENUM(XENOXIDE_GIVE_BASE);
TRACE_DEFINE_ENUM(XENOXIDE_SPLIT);
TRACE_DEFINE_ENUM(XENOXIDE_BORROW);
TRACE_DEFINE_ENUM(XENOXIDE_WAIT);
TRACE_DEFINE_ENUM(XENOXIDE_WATCH);
TRACE_DEFINE_ENUM(XENOXIDE_REST);
TRACE_DEFINE_ENUM(XENOXIDE_TOOLSTACK);
TRACE_DEFINE_ENUM(XENOXIDE_ADMINISTRATOR);

#define show_xenballoon_action(action)				\
	__print_symbolic(action,				\
			 { XENOXIDE_TAKE_HUGE, "take_huge" },	\
			 { XENOXIDE_TAKE_BASE, "take_base" },	\
			 { XENOXIDE_GIVE_HUGE, "give_huge" },	\
			 { XENOXIDE_GIVE_BASE, "give_base" },	\
			 { XENOXIDE_SPLIT, "split" },		\
			 { XENOXIDE_BORROW, "borrow" },		\
			 { XENOXIDE_WAIT, "wait" },		\
			 { XENOXIDE_WATCH, "watch" },		\
			 { XENOXIDE_REST, "rest" })

#define show_xenballoon_source(source)				\
	__print_symbolic(source,				\
			 { XENOXIDE_TOOLSTACK, "toolstack" },	\
			 { XENOXIDE_ADMINISTRATOR, "administrator" })

/* What the engine is shown of the domain, by the names of its own fields. */
#define XENBALLOON_VIEW_ENTRY			\
	__field(u64, now_ms)			\
	__field(u64, target)			\
	__field(u64, current_pages)		\
	__field(u64, held_huge)			\
	__field(u64, held_base)			\
	__field(u64, reserve)			\
	__field(u64, available)			\
	__field(u64, free)

#define XENBALLOON_VIEW_ASSIGN					\
	__entry->now_ms = view->now_ms;				\
	__entry->target = view->target;				\
	__entry->current_pages = view->current_pages;		\
	__entry->held_huge = view->held_huge;			\
	__entry->held_base = view->held_base;			\
	__entry->reserve = view->reserve;			\
	__entry->available = view->available;			\
	__entry->free = view->free

#define XENBALLOON_VIEW_FORMAT						\
	"now_ms=%llu target=%llu current=%llu held_huge=%llu "		\
	"held_base=%llu reserve=%llu available=%llu free=%llu "

#define XENBALLOON_VIEW_VALUES					\
	__entry->now_ms, __entry->target,			\
	__entry->current_pages, __entry->held_huge,		\
	__entry->held_base, __entry->reserve,			\
	__entry->available, __entry->free

TRACE_EVENT(xenballoon_limits,

	TP_PROTO(u64 floor, u64 reserve, u64 cushion),

	TP_ARGS(floor, reserve, cushion),

	TP_STRUCT__entry(
		__field(u64, floor)
		__field(u64, reserve)
		__field(u64, cushion)
	),

	TP_fast_assign(
		__entry->floor = floor;
		__entry->reserve = reserve;
		__entry->cushion = cushion;
	),

	TP_printk("floor=%llu reserve=%llu cushion=%llu",
		  __entry->floor, __entry->reserve, __entry->cushion)
);

TRACE_EVENT(xenballoon_tuning,

	TP_PROTO(bool auto_return, u64 relief, u32 hold_off_ms),

	TP_ARGS(auto_return, relief, hold_off_ms),

	TP_STRUCT__entry(
		__field(u32, auto_return)
		__field(u64, relief)
		__field(u32, hold_off_ms)
	),

	TP_fast_assign(
		__entry->auto_return = auto_return;
		__entry->relief = relief;
		__entry->hold_off_ms = hold_off_ms;
	),

	TP_printk("auto_return=%u relief=%llu hold_off_ms=%u",
		  __entry->auto_return, __entry->relief,
		  __entry->hold_off_ms)
);

TRACE_EVENT(xenballoon_wake,

	TP_PROTO(u64 wanted),

	TP_ARGS(wanted),

	TP_STRUCT__entry(
		__field(u64, wanted)
	),

	TP_fast_assign(
		__entry->wanted = wanted;
	),

	TP_printk("wanted=%llu", __entry->wanted)
);

TRACE_EVENT(xenballoon_relieve,

	TP_PROTO(const struct xenballoon_view *view, u64 pages, bool beyond,
		 u64 granted),

	TP_ARGS(view, pages, beyond, granted),

	TP_STRUCT__entry(
		XENBALLOON_VIEW_ENTRY
		__field(u64, pages)
		__field(u32, beyond)
		__field(u64, granted)
	),

	TP_fast_assign(
		XENBALLOON_VIEW_ASSIGN;
		__entry->pages = pages;
		__entry->beyond = beyond;
		__entry->granted = granted;
	),

	TP_printk(XENBALLOON_VIEW_FORMAT "pages=%llu beyond=%u granted=%llu",
		  XENBALLOON_VIEW_VALUES, __entry->pages, __entry->beyond,
		  __entry->granted)
);

TRACE_EVENT(xenballoon_decision,

	TP_PROTO(const struct xenballoon_view *view, u64 effective,
		 enum xenballoon_action action, u64 pages, u32 delay_ms),

	TP_ARGS(view, effective, action, pages, delay_ms),

	TP_STRUCT__entry(
		XENBALLOON_VIEW_ENTRY
		__field(u64, effective)
		__field(u32, action)
		__field(u64, pages)
		__field(u32, delay_ms)
	),

	TP_fast_assign(
		XENBALLOON_VIEW_ASSIGN;
		__entry->effective = effective;
		__entry->action = action;
		__entry->pages = pages;
		__entry->delay_ms = delay_ms;
	),

	TP_printk(XENBALLOON_VIEW_FORMAT "effective=%llu action=%s pages=%llu delay_ms=%u",
		  XENBALLOON_VIEW_VALUES, __entry->effective,
		  show_xenballoon_action(__entry->action), __entry->pages,
		  __entry->delay_ms)
);

TRACE_EVENT(xenballoon_outcome,

	TP_PROTO(enum xenballoon_action action, u64 pages, bool is_short,
		 u32 delay_ms),

	TP_ARGS(action, pages, is_short, delay_ms),

	TP_STRUCT__entry(
		__field(u32, action)
		__field(u64, pages)
		__field(u32, is_short)
		__field(u32, delay_ms)
	),

	TP_fast_assign(
		__entry->action = action;
		__entry->pages = pages;
		__entry->is_short = is_short;
		__entry->delay_ms = delay_ms;
	),

	TP_printk("action=%s pages=%llu short=%u delay_ms=%u",
		  show_xenballoon_action(__entry->action), __entry->pages,
		  __entry->is_short, __entry->delay_ms)
);

TRACE_EVENT(xenballoon_batch,

	TP_PROTO(enum xenballoon_action action, u64 asked, u64 done, int error,
		 u64 hypercalls, u64 duration),

	TP_ARGS(action, asked, done, error, hypercalls, duration),

	TP_STRUCT__entry(
		__field(u32, action)
		__field(u64, asked)
		__field(u64, done)
		__field(int, error)
		__field(u64, hypercalls)
		__field(u64, duration)
	),

	TP_fast_assign(
		__entry->action = action;
		__entry->asked = asked;
		__entry->done = done;
		__entry->error = error;
		__entry->hypercalls = hypercalls;
		__entry->duration = duration;
	),

	TP_printk("action=%s asked=%llu done=%llu error=%d hypercalls=%llu duration_ns=%llu",
		  show_xenballoon_action(__entry->action), __entry->asked,
		  __entry->done, __entry->error, __entry->hypercalls,
		  __entry->duration)
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
