// SPDX-License-Identifier: GPL-2.0

#include <linux/types.h>
#include <xen/interface/xen.h>
#include <asm/xen/hypercall.h>

#include "helpers.h"

long xenoxide_memory_op(unsigned int cmd, void *arg)
{
	return HYPERVISOR_memory_op(cmd, arg);
}

int xenoxide_multicall(struct multicall_entry *calls, unsigned int nr)
{
	return HYPERVISOR_multicall(calls, nr);
}
