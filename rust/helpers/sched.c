// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/signal.h>

#include "helpers.h"

bool xenoxide_must_yield(void)
{
	return need_resched() || signal_pending(current);
}
