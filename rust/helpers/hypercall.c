// SPDX-License-Identifier: GPL-2.0

#include <linux/types.h>
#include <xen/interface/xen.h>
#include <asm/xen/hypercall.h>

#include "helpers.h"

int xenoxide_hvm_op(int op, void *arg)
{
	return HYPERVISOR_hvm_op(op, arg);
}

long xenoxide_memory_op(unsigned int cmd, void *arg)
{
	return HYPERVISOR_memory_op(cmd, arg);
}

int xenoxide_multicall(struct multicall_entry *calls, unsigned int nr)
{
	return HYPERVISOR_multicall(calls, nr);
}
