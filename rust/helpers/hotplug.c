// SPDX-License-Identifier: GPL-2.0

#include <linux/numa.h>

#include "helpers.h"

int xenoxide_memory_nid(u64 start)
{
	return memory_add_physaddr_to_nid(start);
}
