/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only list of C headers that the Rust code sees beyond the kernel
 * crate's own. Which names are taken from them: the file `parameters`.
 *
 * Sorted alphabetically, but for what others need before them.
 */

#include <linux/mm_types.h>
#include <linux/types.h>
#include <xen/interface/xen.h>

#include <linux/blkdev.h>
#include <linux/exportfs.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmzone.h>
#include <linux/oom.h>
#include <linux/skbuff.h>
#include <linux/statfs.h>
#include <linux/suspend.h>
#include <linux/syscore_ops.h>
#include <net/af_vsock.h>
#include <net/sock.h>
#include <net/tcp_states.h>
#include <xen/balloon.h>
#include <xen/events.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/interface/event_channel.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/hvm/hvm_op.h>
#include <xen/interface/io/xs_wire.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "../../balloon/uapi/xenballoon.h"
#include "../../pageshare/uapi/pageshare.h"
#include "../../xensock/uapi/xensock.h"
#include "../helpers/helpers.h"

/* bindgen evaluates no macros that are expressions, but it does constants. */
const gfp_t XENOXIDE_GFP_EXTENT = GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN |
				  __GFP_NORETRY | __GFP_NOMEMALLOC;
const gfp_t XENOXIDE_GFP_DATAGRAM = GFP_ATOMIC | __GFP_NOWARN;
const blk_mode_t XENOXIDE_BLK_OPEN_READ = BLK_OPEN_READ;
const u32 XENOXIDE_GNTMAP_READ = GNTMAP_host_map | GNTMAP_readonly;
const mhp_t XENOXIDE_MHP_MERGE = MHP_MERGE_RESOURCE;
const u64 XENOXIDE_SECTION = (u64)PAGES_PER_SECTION << PAGE_SHIFT;
const unsigned long XENOXIDE_PROT = PROT_READ | PROT_WRITE;
const unsigned long XENOXIDE_PROT_READ = PROT_READ;
const unsigned long XENOXIDE_PROT_EXEC = PROT_EXEC;
const unsigned long XENOXIDE_MAP = MAP_PRIVATE | MAP_ANONYMOUS;
const unsigned long XENOXIDE_MAP_OVER = MAP_PRIVATE | MAP_FIXED;
/* What the kernel crate has as VM_MAYSHARE is VM_MAYEXEC. */
const unsigned long XENOXIDE_VM_SPECIAL = VM_MAYSHARE | VM_LOCKED |
					  VM_GROWSDOWN | VM_UFFD_MISSING |
					  VM_UFFD_WP;
const unsigned long XENOXIDE_SB_KERNMOUNT = SB_KERNMOUNT;
const unsigned long XENOXIDE_SB_FLAGS = SB_RDONLY | SB_NOATIME | SB_POSIXACL;
const unsigned int XENOXIDE_BALLOON_GET_STATS = XENBALLOON_GET_STATS;
const unsigned int XENOXIDE_BALLOON_SET_TARGET = XENBALLOON_SET_TARGET;
const unsigned int XENOXIDE_BALLOON_WAIT = XENBALLOON_WAIT;
const unsigned int XENOXIDE_SOCK_GET_SOCKET = XENSOCK_GET_SOCKET;
const unsigned int XENOXIDE_SOCK_NEXT_SOCKET = XENSOCK_NEXT_SOCKET;
const unsigned int XENOXIDE_SOCK_GET_STATS = XENSOCK_GET_STATS;
const unsigned int XENOXIDE_SOCK_CHECK = XENSOCK_CHECK;
const unsigned int XENOXIDE_SHARE_CREATE = PAGESHARE_CREATE;
const unsigned int XENOXIDE_SHARE_NEXT_AREA = PAGESHARE_NEXT_AREA;
const unsigned int XENOXIDE_SHARE_ADD = PAGESHARE_ADD;
const unsigned int XENOXIDE_SHARE_NEXT_TREE = PAGESHARE_NEXT_TREE;
const unsigned int XENOXIDE_SHARE_ALLOW = PAGESHARE_ALLOW;
const unsigned int XENOXIDE_SHARE_RULES = PAGESHARE_RULES;
const unsigned int XENOXIDE_SHARE_REMOVE = PAGESHARE_REMOVE;
const unsigned int XENOXIDE_SHARE_WITHDRAW = PAGESHARE_WITHDRAW;
const unsigned int XENOXIDE_SHARE_NEXT_MEMBER = PAGESHARE_NEXT_MEMBER;
const unsigned int XENOXIDE_SHARE_OFFERS = PAGESHARE_OFFERS;
const unsigned int XENOXIDE_SHARE_OFFER = PAGESHARE_OFFER;
const unsigned int XENOXIDE_SHARE_ATTACH = PAGESHARE_ATTACH;
const unsigned int XENOXIDE_SHARE_DETACH = PAGESHARE_DETACH;

/* One item for each of the zones that this kernel has. */
const unsigned int XENOXIDE_ALLOCSTALL = ALLOCSTALL_NORMAL - ZONE_NORMAL;
const unsigned int XENOXIDE_ZONES = MAX_NR_ZONES;

/* Constants of enums without a name, whose types bindgen numbers. */
const u8 XENOXIDE_TCP_CLOSE = TCP_CLOSE;
const u8 XENOXIDE_TCP_CLOSING = TCP_CLOSING;
const u8 XENOXIDE_TCP_ESTABLISHED = TCP_ESTABLISHED;
const u8 XENOXIDE_TCP_LISTEN = TCP_LISTEN;
const u8 XENOXIDE_TCP_SYN_SENT = TCP_SYN_SENT;
const int XENOXIDE_SINGLE_DEPTH_NESTING = SINGLE_DEPTH_NESTING;
const sa_family_t XENOXIDE_AF_VSOCK = AF_VSOCK;
