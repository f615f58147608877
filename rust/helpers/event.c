// SPDX-License-Identifier: GPL-2.0

#include <linux/types.h>
#include <asm/xen/hypercall.h>

#include "helpers.h"

int xenoxide_event_channel_op(int cmd, void *arg)
{
	return HYPERVISOR_event_channel_op(cmd, arg);
}
