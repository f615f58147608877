// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/signal.h>

#include "helpers.h"

bool xenoxide_is_killed(void)
{
	return fatal_signal_pending(current);
}

bool xenoxide_must_yield(void)
{
	return need_resched() || signal_pending(current);
}
