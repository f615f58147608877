// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/sched/mm.h>
#include <linux/vmstat.h>
#include <xen/page.h>

#include "helpers.h"

unsigned long xenoxide_page_to_pfn(const struct page *page)
{
	return page_to_pfn(page);
}

unsigned long xenoxide_page_to_gfn(struct page *page)
{
	return xen_page_to_gfn(page);
}

struct page *xenoxide_pfn_to_page(unsigned long pfn)
{
	return pfn_to_page(pfn);
}

struct page *xenoxide_nth_page(struct page *page, unsigned long n)
{
	return pfn_to_page(page_to_pfn(page) + n);
}

unsigned long xenoxide_page_va(struct page *page)
{
	return (unsigned long)page_address(page);
}

void xenoxide_get_page(struct page *page)
{
	get_page(page);
}

void xenoxide_set_page_count(struct page *page, int count)
{
	set_page_count(page, count);
}

unsigned long xenoxide_page_private(const struct page *page)
{
	return page_private(page);
}

void xenoxide_set_page_private(struct page *page, unsigned long private)
{
	set_page_private(page, private);
}

void xenoxide_set_page_offline(struct page *page)
{
	__SetPageOffline(page);
}

void xenoxide_clear_page_offline(struct page *page)
{
	__ClearPageOffline(page);
}

void xenoxide_mod_balloon_pages(struct page *page, long delta)
{
	mod_node_page_state(page_pgdat(page), NR_BALLOON_PAGES, delta);
}

unsigned long xenoxide_free_pages(void)
{
	return global_zone_page_state(NR_FREE_PAGES);
}

unsigned int xenoxide_noio_save(void)
{
	return memalloc_noio_save();
}

void xenoxide_noio_restore(unsigned int flags)
{
	memalloc_noio_restore(flags);
}
