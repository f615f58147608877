// SPDX-License-Identifier: GPL-2.0
/* What tests look at. Only linked into kernels with KUnit. */

#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>

#include "helpers.h"

unsigned long xenoxide_managed_pages(void)
{
	return totalram_pages();
}

/* To the page: what the CPUs have not added up yet counts too. */
long xenoxide_balloon_pages(void)
{
	long pages = global_node_page_state(NR_BALLOON_PAGES);
#ifdef CONFIG_SMP
	int node, cpu;

	for_each_online_node(node)
		for_each_online_cpu(cpu)
			pages += per_cpu_ptr(NODE_DATA(node)->per_cpu_nodestats, cpu)
				->vm_node_stat_diff[NR_BALLOON_PAGES];
#endif
	return pages;
}

bool xenoxide_pfn_offline(unsigned long pfn)
{
	return PageOffline(pfn_to_page(pfn));
}

bool xenoxide_pfn_free(unsigned long pfn)
{
	return page_count(pfn_to_page(pfn)) == 0;
}

long xenoxide_read_pfn(unsigned long pfn, unsigned long *word)
{
	return copy_from_kernel_nofault(word, __va(PFN_PHYS(pfn)),
					sizeof(*word));
}
