// SPDX-License-Identifier: GPL-2.0

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "pageshare_trace.h"

void xenoxide_trace_share_fetch(u32 domid, u32 tree, u32 blocks, u32 granted)
{
	trace_pageshare_fetch(domid, tree, blocks, granted);
}

void xenoxide_trace_share_grant(u32 domid, u32 tree, u32 blocks, u32 granted)
{
	trace_pageshare_grant(domid, tree, blocks, granted);
}

void xenoxide_trace_share_withdraw(u32 domid, u32 tree, u32 blocks)
{
	trace_pageshare_withdraw(domid, tree, blocks);
}

void xenoxide_trace_share_give_back(u32 domid, u32 tree, u32 blocks)
{
	trace_pageshare_give_back(domid, tree, blocks);
}

void xenoxide_trace_share_offer(u32 domid, u32 pages, u32 granted)
{
	trace_pageshare_offer(domid, pages, granted);
}

void xenoxide_trace_share_link_up(u32 domid, bool member)
{
	trace_pageshare_link_up(domid, member);
}

void xenoxide_trace_share_link_down(u32 domid, bool member)
{
	trace_pageshare_link_down(domid, member);
}
