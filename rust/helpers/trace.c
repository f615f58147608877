// SPDX-License-Identifier: GPL-2.0

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "xenballoon_trace.h"

void xenoxide_trace_decision(u64 target, u64 current_pages, u64 held_huge,
			     u64 held_base, u64 available,
			     enum xenballoon_action action, u64 pages)
{
	trace_xenballoon_decision(target, current_pages, held_huge, held_base,
				  available, action, pages);
}

void xenoxide_trace_batch(enum xenballoon_action kind, u32 order, u64 asked,
			  u64 done, int error, u64 hypercalls, u64 duration)
{
	trace_xenballoon_batch(kind, order, asked, done, error, hypercalls,
			       duration);
}

void xenoxide_trace_target(enum xenballoon_source source, u64 asked,
			   u64 effective)
{
	trace_xenballoon_target(source, asked, effective);
}
