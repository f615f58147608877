// SPDX-License-Identifier: GPL-2.0

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "xenballoon_trace.h"

void xenoxide_trace_limits(u64 floor, u64 reserve, u64 cushion)
{
	trace_xenballoon_limits(floor, reserve, cushion);
}

void xenoxide_trace_tuning(bool auto_return, u64 relief, u32 hold_off_ms)
{
	trace_xenballoon_tuning(auto_return, relief, hold_off_ms);
}

void xenoxide_trace_wake(u64 wanted)
{
	trace_xenballoon_wake(wanted);
}

void xenoxide_trace_relieve(const struct xenballoon_view *view, u64 pages,
			    bool beyond, u64 granted)
{
	trace_xenballoon_relieve(view, pages, beyond, granted);
}

void xenoxide_trace_decision(const struct xenballoon_view *view, u64 effective,
			     enum xenballoon_action action, u64 pages,
			     u32 delay_ms)
{
	trace_xenballoon_decision(view, effective, action, pages, delay_ms);
}

void xenoxide_trace_outcome(enum xenballoon_action action, u64 pages,
			    bool is_short, u32 delay_ms)
{
	trace_xenballoon_outcome(action, pages, is_short, delay_ms);
}

void xenoxide_trace_batch(enum xenballoon_action action, u64 asked, u64 done,
			  int error, u64 hypercalls, u64 duration)
{
	trace_xenballoon_batch(action, asked, done, error, hypercalls,
			       duration);
}

void xenoxide_trace_target(enum xenballoon_source source, u64 asked,
			   u64 effective)
{
	trace_xenballoon_target(source, asked, effective);
}
