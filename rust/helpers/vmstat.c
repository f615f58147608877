// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/vmstat.h>

#include "helpers.h"

void xenoxide_all_vm_events(unsigned long *events)
{
	all_vm_events(events);
}

unsigned long xenoxide_node_page_state(enum node_stat_item item)
{
	return global_node_page_state(item);
}

void xenoxide_cond_resched(void)
{
	cond_resched();
}
