// SPDX-License-Identifier: GPL-2.0

#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "helpers.h"

struct workqueue_struct *xenoxide_alloc_workqueue(const char *name,
						  bool freezable)
{
	unsigned int flags = WQ_UNBOUND | WQ_MEM_RECLAIM;

	return alloc_workqueue("%s", flags | (freezable ? WQ_FREEZABLE : 0), 1,
			       name);
}

/* What INIT_DELAYED_WORK() does, with a lock class of the caller's. */
void xenoxide_init_classed_work(struct delayed_work *dwork, work_func_t func,
				struct lock_class_key *key)
{
	__INIT_WORK_KEY(&dwork->work, func, 0, key);
	__timer_init(&dwork->timer, delayed_work_timer_fn, TIMER_IRQSAFE);
}

void xenoxide_tasklet_schedule(struct tasklet_struct *tasklet)
{
	tasklet_schedule(tasklet);
}

void xenoxide_timer_setup(struct timer_list *timer,
			  void (*func)(struct timer_list *))
{
	timer_setup(timer, func, 0);
}

void xenoxide_timer_start(struct timer_list *timer, unsigned long ticks)
{
	mod_timer(timer, jiffies + ticks);
}
