// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <xen/grant_table.h>
#include <asm/xen/hypercall.h>

#include "helpers.h"

void xenoxide_set_map_op(struct gnttab_map_grant_ref *op, unsigned long va,
			 u32 ref, u16 domid)
{
	gnttab_set_map_op(op, va, GNTMAP_host_map, ref, domid);
}

void xenoxide_set_unmap_op(struct gnttab_unmap_grant_ref *op, unsigned long va,
			   u32 handle)
{
	gnttab_set_unmap_op(op, va, GNTMAP_host_map, handle);
}

int xenoxide_grant_unmap(struct gnttab_unmap_grant_ref *ops, unsigned int count)
{
	return HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, ops, count);
}

/* Copies to what is there of a program's memory, without faults: nobody is waited for. */
size_t xenoxide_shared_copy_out(const void *from, size_t len,
				struct iov_iter *to)
{
	size_t copied;

	pagefault_disable();
	copied = _copy_to_iter(from, len, to);
	pagefault_enable();
	return copied;
}

/* Out of the compiler's sight: what it cannot see it cannot do twice. */
void xenoxide_shared_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}
