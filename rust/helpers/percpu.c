// SPDX-License-Identifier: GPL-2.0

#include <linux/percpu_counter.h>

#include "helpers.h"

int xenoxide_percpu_counter_init(struct percpu_counter *counter)
{
	return percpu_counter_init(counter, 0, GFP_KERNEL);
}

void xenoxide_percpu_counter_add(struct percpu_counter *counter, s64 amount)
{
	percpu_counter_add_local(counter, amount);
}

s64 xenoxide_percpu_counter_sum(struct percpu_counter *counter)
{
	return percpu_counter_sum(counter);
}

void xenoxide_percpu_counter_destroy(struct percpu_counter *counter)
{
	percpu_counter_destroy(counter);
}
