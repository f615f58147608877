/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What programs can ask /dev/pageshare for: to keep areas of pages that other
 * domains may read, to have disks over what others keep, and to have pages of
 * their own replaced by equal ones of others. See docs/pageshare.md; the command
 * pageshare does all but the last.
 *
 * Every argument begins with the version of its layout. What is named reserved
 * is zero, in both directions. The layouts are the same for 32-bit and 64-bit
 * programs. Names are up to 63 letters, digits, '.', '_' and '-', with zeroes
 * behind them; a letter or a digit comes first.
 *
 * All calls fail with
 *   EFAULT  the argument cannot be read or written,
 *   EINVAL  its version is unknown, something reserved is not zero, or a name
 *           is none,
 *   EPERM   the file is open for reading only, and the call changes something,
 *   ENOTTY  there is no such call.
 */
#ifndef _PAGESHARE_H
#define _PAGESHARE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The version of all layouts here. */
#define PAGESHARE_VERSION	1

#define PAGESHARE_IOC_MAGIC	0xBE

/* Bytes of a name, with at least one zero behind it. */
#define PAGESHARE_NAME		64

/**
 * struct pageshare_area - argument of PAGESHARE_CREATE, PAGESHARE_NEXT_AREA
 * @version: in: PAGESHARE_VERSION
 * @pages: in, CREATE: how many pages of different content the area may have;
 *	out, NEXT
 * @name: in, CREATE: its name; NEXT: of the area before, or zeroes; out
 * @uuid: in, CREATE: its UUID; out
 * @grants: in, CREATE: how many pages all members together may have mapped;
 *	out, NEXT
 * @trees: out: how many trees it has
 * @referenced: out: blocks of all trees, equal ones counted each time
 * @unique: out: pages of different content
 * @filled: out: pages that have memory
 * @granted: out: pages that members have mapped, one counted for each of them
 * @attached: out: how often a tree is mounted
 * @lent: out: pages that members' programs have borrowed, one counted each time
 * @offered: out: pages that no tree has ever had, but members have offered
 * @spare: out: pages that have memory and that no member has
 * @got: out: times that a member has got a page, since the area was created
 * @read: out: pages that were read from a tree's file for that
 * @reserved: zero
 */
struct pageshare_area {
	__u32 version;
	__u32 pages;
	__u8 name[PAGESHARE_NAME];
	__u8 uuid[16];
	__u32 grants;
	__u32 trees;
	__u64 referenced;
	__u64 unique;
	__u64 filled;
	__u64 granted;
	__u64 attached;
	__u64 lent;
	__u64 offered;
	__u64 spare;
	__u64 got;
	__u64 read;
	__u64 reserved[2];
};

/**
 * struct pageshare_tree - argument of PAGESHARE_ADD, PAGESHARE_NEXT_TREE
 * @version: in: PAGESHARE_VERSION
 * @file: in, ADD: a file with the tree's blocks, one after the other, open for
 *	reading. It is read whenever a block is asked for that has no memory
 * @area: in: the area's name
 * @name: in, ADD: the tree's name; NEXT: of the tree before, or zeroes; out
 * @digest: out: SHA-256 of the tree's first block
 * @generation: out: how often trees of that name were added
 * @blocks: out: how many blocks it has
 * @attached: out: how often it is mounted
 * @reserved: zero
 */
struct pageshare_tree {
	__u32 version;
	__u32 file;
	__u8 area[PAGESHARE_NAME];
	__u8 name[PAGESHARE_NAME];
	__u8 digest[32];
	__u64 generation;
	__u64 blocks;
	__u64 attached;
	__u64 reserved[4];
};

/**
 * struct pageshare_rules - argument of PAGESHARE_ALLOW, PAGESHARE_RULES
 * @version: in: PAGESHARE_VERSION
 * @bytes: in: how long the text is, or how much room there is for it; out,
 *	RULES: how long it is
 * @area: in: the area's name
 * @text: in: where the text is, or is to be put: one rule a line, such as
 *	"allow 5", "deny uuid ..." or "allow *", of which the first that fits
 *	decides; without one nobody may attach
 * @reserved: zero
 */
struct pageshare_rules {
	__u32 version;
	__u32 bytes;
	__u8 area[PAGESHARE_NAME];
	__u64 text;
	__u64 reserved[4];
};

/**
 * struct pageshare_remove - argument of PAGESHARE_REMOVE
 * @version: in: PAGESHARE_VERSION
 * @reserved0: zero
 * @area: in: the area's name
 * @tree: in: the tree's name; zeroes for the whole area
 * @reserved: zero
 */
struct pageshare_remove {
	__u32 version;
	__u32 reserved0;
	__u8 area[PAGESHARE_NAME];
	__u8 tree[PAGESHARE_NAME];
	__u64 reserved[4];
};

/* In flags of struct pageshare_withdraw: nothing is to be had any more. */
#define PAGESHARE_RETIRE	(1U << 0)

/**
 * struct pageshare_withdraw - argument of PAGESHARE_WITHDRAW
 * @version: in: PAGESHARE_VERSION
 * @flags: in: 0 or PAGESHARE_RETIRE
 * @area: in: the area's name
 * @tree: in: the tree's name; zeroes for all trees
 * @freed: out: pages whose memory was freed
 * @holders: out: how many members have not given back what they have
 * @holder: out: the domain of the last one of them
 * @reserved: zero
 */
struct pageshare_withdraw {
	__u32 version;
	__u32 flags;
	__u8 area[PAGESHARE_NAME];
	__u8 tree[PAGESHARE_NAME];
	__u64 freed;
	__u32 holders;
	__u32 holder;
	__u64 reserved[4];
};

/* In pageshare_disk.flags: the tree is to have that digest. */
#define PAGESHARE_DIGEST	1

/**
 * struct pageshare_disk - argument of PAGESHARE_ATTACH
 * @version: in: PAGESHARE_VERSION
 * @owner: in: the domain that has the area
 * @area: in: the area's name
 * @tree: in: the tree's name; zeroes for the only tree of the area
 * @digest: in, with PAGESHARE_DIGEST: SHA-256 of the tree's first block; out
 * @path: in: where the text is that says which file of the tree: names with '/'
 *	between, up to 4095 bytes. Links are not followed
 * @path_bytes: in: how long it is; 0 for the only file of the tree
 * @flags: in: PAGESHARE_DIGEST, or 0
 * @number: out: the disk's number, as in /dev/pageshare0
 * @reserved0: zero
 * @sectors: out: how many sectors of 512 bytes it has
 * @reserved: zero
 */
struct pageshare_disk {
	__u32 version;
	__u32 owner;
	__u8 area[PAGESHARE_NAME];
	__u8 tree[PAGESHARE_NAME];
	__u8 digest[32];
	__u64 path;
	__u32 path_bytes;
	__u32 flags;
	__u32 number;
	__u32 reserved0;
	__u64 sectors;
	__u64 reserved[4];
};

/**
 * struct pageshare_member - argument of PAGESHARE_NEXT_MEMBER
 * @version: in: PAGESHARE_VERSION
 * @domain: out: the member's domain
 * @number: in: of the member before, or 0; out
 * @mounts: out: how many trees it has mounted
 * @granted: out: how many pages it has
 * @pages: out: how many it may have
 * @reserved: zero
 */
struct pageshare_member {
	__u32 version;
	__u32 domain;
	__u64 number;
	__u64 mounts;
	__u64 granted;
	__u64 pages;
	__u64 reserved[4];
};

/**
 * struct pageshare_detach - argument of PAGESHARE_DETACH
 * @version: in: PAGESHARE_VERSION
 * @number: in: the disk's number
 * @reserved: zero
 */
struct pageshare_detach {
	__u32 version;
	__u32 number;
	__u64 reserved[4];
};

/* In pageshare_offers.flags: members may offer pages of their programs. */
#define PAGESHARE_TAKES		(1U << 0)

/**
 * struct pageshare_offers - argument of PAGESHARE_OFFERS
 * @version: in: PAGESHARE_VERSION
 * @flags: in: PAGESHARE_TAKES, or 0
 * @area: in: the area's name
 * @pages: in, with PAGESHARE_TAKES: how many pages the area may have that no
 *	tree has, of what members offer; 0 to have none but those of trees
 * @reserved: zero
 */
struct pageshare_offers {
	__u32 version;
	__u32 flags;
	__u8 area[PAGESHARE_NAME];
	__u64 pages;
	__u64 reserved[4];
};

/* In pageshare_offer.flags: what the area does not have it shall get. */
#define PAGESHARE_SUPPLY	(1U << 0)

/**
 * struct pageshare_offer - argument of PAGESHARE_OFFER
 * @version: in: PAGESHARE_VERSION
 * @owner: in: the domain that has the area
 * @area: in: the area's name
 * @address: in: where the memory begins, a multiple of 4096
 * @bytes: in: how much it is, a multiple of 4096
 * @flags: in: PAGESHARE_SUPPLY, or 0
 * @reserved0: zero
 * @examined: out: pages that could be replaced and are not all zeroes
 * @shared: out: pages that were replaced
 * @supplied: out: of those, the ones whose content the owner got from here
 * @reserved: zero
 */
struct pageshare_offer {
	__u32 version;
	__u32 owner;
	__u8 area[PAGESHARE_NAME];
	__u64 address;
	__u64 bytes;
	__u32 flags;
	__u32 reserved0;
	__u64 examined;
	__u64 shared;
	__u64 supplied;
	__u64 reserved[4];
};

/*
 * Creates an area without trees, to which nobody may attach.
 *   EEXIST  there is an area of that name or UUID,
 *   ERANGE  pages or grants are 0 or too many,
 *   ENOMEM  there is no memory to keep account of so many.
 */
#define PAGESHARE_CREATE \
	_IOW(PAGESHARE_IOC_MAGIC, 0x20, struct pageshare_area)

/*
 * The area after that with the name, in no particular order but always the
 * same.
 *   ENOENT  that was the last one, or there is none of that name.
 */
#define PAGESHARE_NEXT_AREA \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x21, struct pageshare_area)

/*
 * Adds a tree to an area. If it has one of that name, the new one takes its
 * place; who has mounted the old one goes on reading that.
 *   ENOENT  there is no such area,
 *   EBADF   the file is not open for reading,
 *   EBADMSG what is in it is no tree,
 *   ENOSPC  the area may not have so many pages,
 *   ENOMEM  there is no memory to keep account of it.
 * and whatever the file says when it is read.
 */
#define PAGESHARE_ADD \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x22, struct pageshare_tree)

/*
 * The tree of an area after that with the name.
 *   ENOENT  that was the last one, or there is none of that name.
 */
#define PAGESHARE_NEXT_TREE \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x23, struct pageshare_tree)

/*
 * Says who may attach to an area from now on.
 *   ENOENT  there is no such area,
 *   EINVAL  a line is no rule; then nothing changes,
 *   E2BIG   more than 4 KiB of rules.
 */
#define PAGESHARE_ALLOW \
	_IOW(PAGESHARE_IOC_MAGIC, 0x24, struct pageshare_rules)

/*
 * Tells who may attach.
 *   ENOENT  there is no such area,
 *   ENOSPC  there is not enough room for the text.
 */
#define PAGESHARE_RULES \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x25, struct pageshare_rules)

/*
 * Removes a tree, so that nobody can mount it any more; who has goes on reading
 * it. Or a whole area.
 *   ENOENT  there is no such area or tree,
 *   EBUSY   a tree of the area is mounted, or members' programs have pages of it.
 */
#define PAGESHARE_REMOVE \
	_IOW(PAGESHARE_IOC_MAGIC, 0x26, struct pageshare_remove)

/*
 * Has members give back what they have of a tree, or of all, old versions that
 * are still mounted among them, and frees the memory of what nobody reads then.
 * They get it again when they read it, unless it is retired: then it is removed
 * as by PAGESHARE_REMOVE, and who reads it gets ESTALE. Waits for each member
 * for ten seconds at the most.
 *   ENOENT  there is no such area or tree,
 *   ENOMEM  there is no memory to ask.
 */
#define PAGESHARE_WITHDRAW \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x27, struct pageshare_withdraw)

/*
 * The member after that with the number.
 *   ENOENT  that was the last one, or there is none.
 */
#define PAGESHARE_NEXT_MEMBER \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x28, struct pageshare_member)

/*
 * Says whether members may offer pages of their programs to an area from now on.
 * At first they may not. What they have by then they keep.
 *   ENOENT  there is no such area,
 *   ERANGE  more pages than the area may have.
 */
#define PAGESHARE_OFFERS \
	_IOW(PAGESHARE_IOC_MAGIC, 0x29, struct pageshare_offers)

/*
 * Offers memory of the calling program: pages in it that are equal to pages of
 * an area are replaced by those, and go back to the kernel. Only private
 * anonymous memory is replaced, and nothing that is locked, of huge pages, a
 * stack that grows, or not inherited by children. It must not be written while
 * the call lasts, nor be the target of I/O: so it must be readable only, by
 * mprotect(2), which may make it writable again later; then what is written is
 * the program's own copy. The file need not be open for writing. Where the call
 * fails what was done before counts, and the figures tell.
 *   EINVAL  address or bytes are no whole pages, or the owner is this domain or
 *           none,
 *   E2BIG   more than 4 GiB,
 *   ENOMEM  there is no memory somewhere in the range, or none is left,
 *   EBUSY   it can be written,
 *   EACCES  it can be executed, or not be read; or the area takes no offers,
 *   EOPNOTSUPP this is a PV domain, which cannot map others' pages for programs,
 *   ENOENT  there is no such area for this domain,
 *   ENOTCONN the owner does not answer, or the link was lost meanwhile,
 *   ENOSPC  this domain has as many pages of the owner as it may have,
 *   EINTR   for a signal.
 */
#define PAGESHARE_OFFER \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x38, struct pageshare_offer)

/*
 * Makes a disk of a file that another domain keeps, which can only be read.
 *   EINVAL  the owner is this domain or none; what is named is no regular file
 *           or an empty one; or no path is given and the tree has not one file
 *           only,
 *   E2BIG   the path is too long,
 *   ENOENT  there is no such area for this domain, or no such tree or file,
 *   ENOTDIR a part of the path is no directory,
 *   EISDIR  it is a directory,
 *   EFBIG   the file is larger than a disk can be,
 *   ESTALE  the tree has another digest,
 *   ENOTCONN the owner does not answer,
 *   EDQUOT  64 trees of the owner are attached,
 *   EUCLEAN what describes the files makes no sense,
 *   EIO     the owner does not grant a page,
 *   ENOMEM, ENOSPC  no memory, no event channel, no grant is left.
 */
#define PAGESHARE_ATTACH \
	_IOWR(PAGESHARE_IOC_MAGIC, 0x30, struct pageshare_disk)

/*
 * Removes a disk.
 *   ENXIO   there is none of that number,
 *   EBUSY   it is open.
 */
#define PAGESHARE_DETACH \
	_IOW(PAGESHARE_IOC_MAGIC, 0x31, struct pageshare_detach)

#endif /* _PAGESHARE_H */
