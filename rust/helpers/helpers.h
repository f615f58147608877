/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions around what is a macro or inline in the kernel's headers, so
 * that Rust can call it. No logic: one call each.
 */
#ifndef XENOXIDE_HELPERS_H
#define XENOXIDE_HELPERS_H

#include <linux/mm_types.h>
#include <linux/mmzone.h>
#include <linux/spinlock_types.h>
#include <linux/workqueue.h>

struct bio;
struct dentry;
struct dir_context;
struct file;
struct file_operations;
struct fs_context;
struct fs_context_operations;
struct fs_parameter;
struct gendisk;
struct gnttab_map_grant_ref;
struct gnttab_unmap_grant_ref;
struct inode;
struct iov_iter;
struct kstatfs;
struct multicall_entry;
struct notifier_block;
struct posix_acl;
struct queue_limits;
struct sk_buff;
struct sock;
struct sockaddr_vm;
struct socket;
struct super_block;
struct tasklet_struct;
struct timer_list;
struct vsock_sock;
struct vsock_transport;

/* disk.c */
struct gendisk *xenoxide_alloc_disk(struct queue_limits *limits);
bool xenoxide_bio_is_read(const struct bio *bio);
struct gendisk *xenoxide_bio_disk(const struct bio *bio);
u64 xenoxide_bio_sector(const struct bio *bio);
void xenoxide_bio_iter(struct bio *bio, struct iov_iter *iter);
void xenoxide_bio_end_acct(struct bio *bio, unsigned long start);

/* domain.c */
bool xenoxide_xen_domain(void);
bool xenoxide_xen_pv_domain(void);
bool xenoxide_xen_pvh_domain(void);
bool xenoxide_xen_initial_domain(void);
bool xenoxide_xen_feature(int flag);

/* event.c */
int xenoxide_event_channel_op(int cmd, void *arg);

/* grant.c */
void xenoxide_set_map_op(struct gnttab_map_grant_ref *op, unsigned long va,
			 u32 ref, u16 domid);
void xenoxide_set_unmap_op(struct gnttab_unmap_grant_ref *op, unsigned long va,
			   u32 handle);
int xenoxide_grant_unmap(struct gnttab_unmap_grant_ref *ops, unsigned int count);
size_t xenoxide_shared_copy_out(const void *from, size_t len,
				struct iov_iter *to);
void xenoxide_shared_copy(void *to, const void *from, size_t len);

/* hotplug.c */
int xenoxide_memory_nid(u64 start);

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

/* lock.c */
unsigned long xenoxide_spin_lock_irqsave(spinlock_t *lock);
bool xenoxide_spin_trylock_irqsave(spinlock_t *lock, unsigned long *flags);
void xenoxide_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);

/* page.c */
unsigned long xenoxide_page_to_pfn(const struct page *page);
unsigned long xenoxide_page_to_gfn(struct page *page);
struct page *xenoxide_pfn_to_page(unsigned long pfn);
struct page *xenoxide_nth_page(struct page *page, unsigned long n);
unsigned long xenoxide_page_va(struct page *page);
void xenoxide_get_page(struct page *page);
void xenoxide_set_page_count(struct page *page, int count);
unsigned long xenoxide_page_private(const struct page *page);
void xenoxide_set_page_private(struct page *page, unsigned long private);
void xenoxide_set_page_offline(struct page *page);
void xenoxide_clear_page_offline(struct page *page);
void xenoxide_mod_balloon_pages(struct page *page, long delta);
unsigned long xenoxide_free_pages(void);
unsigned int xenoxide_noio_save(void);
void xenoxide_noio_restore(unsigned int flags);

/* percpu.c */
u64 __percpu *xenoxide_alloc_percpu(void);
void xenoxide_free_percpu(u64 __percpu *number);
void xenoxide_this_cpu_add(u64 __percpu *number, u64 amount);
u64 xenoxide_sum_percpu(u64 __percpu *number);

/* power.c */
int xenoxide_register_pm_notifier(struct notifier_block *block);
int xenoxide_unregister_pm_notifier(struct notifier_block *block);

/* pv.c */
unsigned long xenoxide_mfn_pte(unsigned long mfn);
int xenoxide_write_p2m(unsigned long pfn, unsigned long mfn);

/* share_trace.c */
void xenoxide_trace_share_fetch(u32 domid, u32 tree, u32 blocks, u32 granted);
void xenoxide_trace_share_grant(u32 domid, u32 tree, u32 blocks, u32 granted);
void xenoxide_trace_share_withdraw(u32 domid, u32 tree, u32 blocks);
void xenoxide_trace_share_give_back(u32 domid, u32 tree, u32 blocks);
void xenoxide_trace_share_offer(u32 domid, u32 pages, u32 granted);
void xenoxide_trace_share_link_up(u32 domid, bool member);
void xenoxide_trace_share_link_down(u32 domid, bool member);

/* socket_trace.c */
enum xensock_reason {
	XENOXIDE_REASON_OTHER,
	XENOXIDE_REASON_NO_LISTENER,
	XENOXIDE_REASON_DENIED,
	XENOXIDE_REASON_BUSY,
	XENOXIDE_REASON_NO_MEMORY,
	XENOXIDE_REASON_CLOSED,
	XENOXIDE_REASON_BROKEN,
	XENOXIDE_REASON_CANCELLED,
	XENOXIDE_REASON_LIMIT,
};

struct xensock_ends {
	u32 local_port;
	u32 remote_cid;
	u32 remote_port;
};

void xenoxide_trace_connect(const struct xensock_ends *ends, bool seqpacket,
			    u32 ring_bytes);
void xenoxide_trace_accept(const struct xensock_ends *ends, bool seqpacket,
			   u32 ring_bytes);
void xenoxide_trace_refuse(const struct xensock_ends *ends, bool ours,
			   enum xensock_reason reason);
void xenoxide_trace_reset(const struct xensock_ends *ends, bool ours,
			  enum xensock_reason reason);
void xenoxide_trace_grow(const struct xensock_ends *ends, bool sending,
			 u32 before, u32 after);
void xenoxide_trace_link_up(u32 domid, bool initiator);
void xenoxide_trace_link_down(u32 domid, bool initiator);

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

/* vfs.c */
void **xenoxide_fs_private(struct fs_context *fc);
void **xenoxide_fs_info(struct fs_context *fc);
const u8 *xenoxide_fs_source(const struct fs_context *fc);
void xenoxide_fs_set_operations(struct fs_context *fc,
				const struct fs_context_operations *ops);
void xenoxide_fs_stay_read_only(struct fs_context *fc);
void xenoxide_fs_error(struct fs_context *fc, const void *arguments);
const u8 *xenoxide_fs_key(const struct fs_parameter *parameter);
bool xenoxide_fs_is_string(const struct fs_parameter *parameter);
const u8 *xenoxide_fs_string(const struct fs_parameter *parameter);
void xenoxide_super_set_uuid(struct super_block *sb, const u8 *uuid);
void xenoxide_statfs_set_id(struct kstatfs *buf, struct super_block *sb);
bool xenoxide_inode_is_new(struct inode *inode);
void xenoxide_inode_set_uid(struct inode *inode, u32 uid);
void xenoxide_inode_set_gid(struct inode *inode, u32 gid);
void xenoxide_inode_set_times(struct inode *inode, s64 seconds,
			      u32 nanoseconds);
void xenoxide_inode_set_link(struct inode *inode, char *target);
char *xenoxide_inode_link(struct inode *inode);
void xenoxide_inode_set_fop(struct inode *inode,
			    const struct file_operations *fop);
const u8 *xenoxide_dentry_name(const struct dentry *dentry);
u32 xenoxide_dentry_name_len(const struct dentry *dentry);
bool xenoxide_dir_emit_dots(struct file *file, struct dir_context *context);
bool xenoxide_dir_emit(struct dir_context *context, const u8 *name, int len,
		       u64 number, u32 kind);
const char *xenoxide_acl_name(int type);
struct posix_acl *xenoxide_acl_from_xattr(const void *value, size_t size);
void xenoxide_iter_truncate(struct iov_iter *iter, u64 count);
void xenoxide_iter_reexpand(struct iov_iter *iter, size_t count);
struct inode *xenoxide_folio_inode(struct folio *folio);
unsigned long xenoxide_folio_index(struct folio *folio);
void *xenoxide_folio_map(struct folio *folio);
void xenoxide_folio_unmap(void *address);
bool xenoxide_mapping_executes(const struct vm_area_desc *mapping);
void xenoxide_mapping_never_executes(struct vm_area_desc *mapping);
void xenoxide_mapping_has_frames(struct vm_area_desc *mapping);
unsigned long xenoxide_mapping_pages(const struct vm_area_struct *vma);
void xenoxide_mapping_insert(struct vm_area_struct *vma, unsigned long address,
			     pte_t *entry, unsigned long number,
			     unsigned long count);
unsigned long xenoxide_mapping_index(const struct vm_area_struct *vma,
				     unsigned long address);
struct file *xenoxide_memory_file(s64 size);
int xenoxide_memory_folio(struct file *file, unsigned long index, bool make,
			  struct folio **folio);
unsigned long xenoxide_folio_pages(struct folio *folio);
void xenoxide_memory_folio_write(struct folio *folio, unsigned long nth,
				 const void *content);
void xenoxide_memory_folio_end(struct folio *folio);
bool xenoxide_memory_file_is_empty(struct file *file);

/* vmstat.c */
void xenoxide_all_vm_events(unsigned long *events);
unsigned long xenoxide_node_page_state(enum node_stat_item item);
void xenoxide_cond_resched(void);

/* vsock.c */
void xenoxide_sock_hold(struct sock *sk);
void xenoxide_sock_put(struct sock *sk);
void xenoxide_sock_spin_lock(struct sock *sk);
void xenoxide_sock_spin_unlock(struct sock *sk);
bool xenoxide_sock_owned(const struct sock *sk);
void xenoxide_sock_set_owned(struct sock *sk);
void xenoxide_sock_acquired(struct sock *sk);
void xenoxide_sock_data_ready(struct sock *sk);
void xenoxide_sock_write_space(struct sock *sk);
void xenoxide_sock_state_change(struct sock *sk);
bool xenoxide_sock_has_sleeper(const struct sock *sk);
bool xenoxide_sock_fasync(const struct sock *sk);
bool xenoxide_sock_zerocopy(const struct sock *sk);
u16 xenoxide_sock_type(const struct sock *sk);
u8 xenoxide_sock_state(const struct sock *sk);
void xenoxide_sock_set_state(struct sock *sk, u8 state);
void xenoxide_sock_set_error(struct sock *sk, int error);
int xenoxide_sock_receive_low_water(const struct sock *sk);
bool xenoxide_sock_acceptq_is_full(const struct sock *sk);
struct socket *xenoxide_sock_socket(struct sock *sk);
int xenoxide_sock_queue(struct sock *sk, struct sk_buff *skb);
struct sk_buff *xenoxide_alloc_skb(unsigned int size, gfp_t gfp);
unsigned int xenoxide_skb_len(const struct sk_buff *skb);
void xenoxide_kfree_skb(struct sk_buff *skb);
struct sockaddr_vm *xenoxide_vsock_local(struct vsock_sock *vsk);
struct sockaddr_vm *xenoxide_vsock_remote(struct vsock_sock *vsk);
const struct vsock_transport *xenoxide_vsock_transport(const struct vsock_sock *vsk);
void **xenoxide_vsock_trans(struct vsock_sock *vsk);
u64 xenoxide_vsock_buffer_size(const struct vsock_sock *vsk);
bool xenoxide_vsock_global(struct vsock_sock *vsk);
void xenoxide_vsock_add_peer_shutdown(struct vsock_sock *vsk, u32 how);

/* sched.c */
bool xenoxide_is_killed(void);
bool xenoxide_must_yield(void);

/* work.c */
struct workqueue_struct *xenoxide_alloc_workqueue(const char *name,
						  bool freezable);
void xenoxide_init_classed_work(struct delayed_work *dwork, work_func_t func,
				struct lock_class_key *key);
void xenoxide_tasklet_schedule(struct tasklet_struct *tasklet);
void xenoxide_timer_setup(struct timer_list *timer,
			  void (*func)(struct timer_list *));
void xenoxide_timer_start(struct timer_list *timer, unsigned long ticks);

#endif /* XENOXIDE_HELPERS_H */
