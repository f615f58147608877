// SPDX-License-Identifier: GPL-2.0

#include <linux/percpu.h>

#include "helpers.h"

u64 __percpu *xenoxide_alloc_percpu(void)
{
	return alloc_percpu(u64);
}

void xenoxide_free_percpu(u64 __percpu *number)
{
	free_percpu(number);
}

void xenoxide_this_cpu_add(u64 __percpu *number, u64 amount)
{
	this_cpu_add(*number, amount);
}

u64 xenoxide_sum_percpu(u64 __percpu *number)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(number, cpu));
	return sum;
}
