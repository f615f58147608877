/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions around what is a macro or inline in the kernel's headers, so
 * that Rust can call it. No logic: one call each.
 */
#ifndef XENOXIDE_HELPERS_H
#define XENOXIDE_HELPERS_H

#include <linux/mm_types.h>
#include <linux/mmzone.h>
#include <linux/workqueue.h>

struct multicall_entry;
struct notifier_block;

/* domain.c */
bool xenoxide_xen_domain(void);
bool xenoxide_xen_pv_domain(void);
bool xenoxide_xen_pvh_domain(void);
bool xenoxide_xen_initial_domain(void);
bool xenoxide_xen_feature(int flag);

/* hypercall.c */
int xenoxide_hvm_op(int op, void *arg);
long xenoxide_memory_op(unsigned int cmd, void *arg);
int xenoxide_multicall(struct multicall_entry *calls, unsigned int nr);

/* kunit.c */
unsigned long xenoxide_managed_pages(void);
long xenoxide_balloon_pages(void);
bool xenoxide_pfn_offline(unsigned long pfn);
bool xenoxide_pfn_free(unsigned long pfn);
long xenoxide_read_pfn(unsigned long pfn, unsigned long *word);

/* page.c */
unsigned long xenoxide_page_to_pfn(const struct page *page);
unsigned long xenoxide_page_to_gfn(struct page *page);
struct page *xenoxide_nth_page(struct page *page, unsigned long n);
unsigned long xenoxide_page_va(struct page *page);
unsigned long xenoxide_page_private(const struct page *page);
void xenoxide_set_page_private(struct page *page, unsigned long private);
void xenoxide_set_page_offline(struct page *page);
void xenoxide_clear_page_offline(struct page *page);
void xenoxide_mod_balloon_pages(struct page *page, long delta);
unsigned long xenoxide_free_pages(void);

/* power.c */
int xenoxide_register_pm_notifier(struct notifier_block *block);
int xenoxide_unregister_pm_notifier(struct notifier_block *block);

/* pv.c */
unsigned long xenoxide_mfn_pte(unsigned long mfn);
int xenoxide_write_p2m(unsigned long pfn, unsigned long mfn);

/* trace.c */
enum xenballoon_action {
	XENOXIDE_TAKE_HUGE,
	XENOXIDE_TAKE_BASE,
	XENOXIDE_GIVE_HUGE,
	XENOXIDE_GIVE_BASE,
	XENOXIDE_SPLIT,
	XENOXIDE_BORROW,
	XENOXIDE_WAIT,
	XENOXIDE_WATCH,
	XENOXIDE_REST,
};

enum xenballoon_source {
	XENOXIDE_TOOLSTACK,
	XENOXIDE_ADMINISTRATOR,
};

struct xenballoon_view {
	u64 now_ms;
	u64 target;
	u64 current_pages;
	u64 held_huge;
	u64 held_base;
	u64 reserve;
	u64 available;
	u64 free;
};

void xenoxide_trace_limits(u64 floor, u64 reserve, u64 cushion);
void xenoxide_trace_tuning(bool auto_return, u64 relief, u32 hold_off_ms);
void xenoxide_trace_wake(u64 wanted);
void xenoxide_trace_relieve(const struct xenballoon_view *view, u64 pages,
			    bool beyond, u64 granted);
void xenoxide_trace_decision(const struct xenballoon_view *view, u64 effective,
			     enum xenballoon_action action, u64 pages,
			     u32 delay_ms);
void xenoxide_trace_outcome(enum xenballoon_action action, u64 pages,
			    bool is_short, u32 delay_ms);
void xenoxide_trace_batch(enum xenballoon_action action, u64 asked, u64 done,
			  int error, u64 hypercalls, u64 duration);
void xenoxide_trace_target(enum xenballoon_source source, u64 asked,
			   u64 effective);

/* vmstat.c */
void xenoxide_all_vm_events(unsigned long *events);
unsigned long xenoxide_node_page_state(enum node_stat_item item);
void xenoxide_cond_resched(void);

/* work.c */
struct workqueue_struct *xenoxide_alloc_freezable_workqueue(const char *name);
void xenoxide_init_delayed_work(struct delayed_work *dwork, work_func_t func);

#endif /* XENOXIDE_HELPERS_H */
