// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <xen/page.h>

#include "helpers.h"

#ifdef CONFIG_XEN_PV
unsigned long xenoxide_mfn_pte(unsigned long mfn)
{
	return mfn_pte(mfn, PAGE_KERNEL).pte;
}

int xenoxide_write_p2m(unsigned long pfn, unsigned long mfn)
{
	return xen_safe_write_ulong(xen_p2m_addr + pfn, mfn);
}
#endif
