/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What programs can ask /dev/xenballoon for, see docs/xenballoon.md, IOCTL.
 *
 * Every argument begins with the version of its layout. What is named reserved
 * is zero, in both directions. Sizes are in KiB, as in
 * /sys/class/misc/xenballoon/, and multiples of 4. The layouts are the same for
 * 32-bit and 64-bit programs.
 *
 * All calls fail with
 *   EFAULT  the argument cannot be read or written,
 *   EINVAL  its version is unknown, or something reserved is not zero,
 *   ENOTTY  there is no such call.
 */
#ifndef _XENBALLOON_H
#define _XENBALLOON_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The version of all layouts here. */
#define XENBALLOON_VERSION	1

/**
 * struct xenballoon_stats - argument of XENBALLOON_GET_STATS
 * @version: in: XENBALLOON_VERSION
 * @reserved0: zero
 * @target_kb: out: what is aimed at: what is asked for, within the limits
 * @current_kb: out: what the domain has
 * @asked_kb: out: what was asked for last, before the limits
 * @floor_kb: out: the domain is never made smaller
 * @reserve_kb: out: nothing is taken that would leave less than this available
 * @max_kb: out: what the domain can have at the most
 * @limit_kb: out: what the host lets it have at the moment, 0 if it does not
 *	say; counts pages of the toolstack's that the domain does not see
 * @held_kb: out: what the module holds surrendered
 * @builtin_kb: out: what the built-in driver holds surrendered
 * @hypercalls: out: hypercalls made to exchange memory, a number; this and all
 *	that follows is counted since the module was loaded
 * @taken_huge_kb: out: taken in 2 MiB extents
 * @taken_base_kb: out: taken in single pages
 * @given_huge_kb: out: given back in 2 MiB extents
 * @given_base_kb: out: given back in single pages
 * @failures: out: steps that got less than they asked for, a number
 * @refused: out: targets that were refused and sizes in xenstore that are none,
 *	a number
 * @reserved: zero
 *
 * What comes in for @target_kb to @refused does not matter. Each figure is for
 * itself; together they may be a step apart.
 */
struct xenballoon_stats {
	__u32 version;
	__u32 reserved0;
	__u64 target_kb;
	__u64 current_kb;
	__u64 asked_kb;
	__u64 floor_kb;
	__u64 reserve_kb;
	__u64 max_kb;
	__u64 limit_kb;
	__u64 held_kb;
	__u64 builtin_kb;
	__u64 hypercalls;
	__u64 taken_huge_kb;
	__u64 taken_base_kb;
	__u64 given_huge_kb;
	__u64 given_base_kb;
	__u64 failures;
	__u64 refused;
	__u64 reserved[7];
};

/**
 * struct xenballoon_target - argument of XENBALLOON_SET_TARGET
 * @version: in: XENBALLOON_VERSION
 * @reserved0: zero
 * @target_kb: in: what the domain shall have, rounded down to a page; from the
 *	floor up to what the domain can have
 * @reserved: zero
 */
struct xenballoon_target {
	__u32 version;
	__u32 reserved0;
	__u64 target_kb;
	__u64 reserved[2];
};

/* For timeout_ms: as long as it takes. */
#define XENBALLOON_FOREVER	0xffffffffU

/**
 * struct xenballoon_wait - argument of XENBALLOON_WAIT
 * @version: in: XENBALLOON_VERSION
 * @timeout_ms: in: how long to wait at the most, in milliseconds; 0: only look,
 *	XENBALLOON_FOREVER: as long as it takes. Out, if a signal ended the wait:
 *	what is left of it
 * @target_kb: out: what is aimed at
 * @current_kb: out: what the domain has
 * @reserved: zero
 *
 * What comes in for @target_kb and @current_kb does not matter.
 */
struct xenballoon_wait {
	__u32 version;
	__u32 timeout_ms;
	__u64 target_kb;
	__u64 current_kb;
	__u64 reserved[2];
};

#define XENBALLOON_IOC_MAGIC	0xBE

/* Reads all figures. */
#define XENBALLOON_GET_STATS \
	_IOWR(XENBALLOON_IOC_MAGIC, 0x00, struct xenballoon_stats)

/*
 * Sets the target, and does not wait until it is reached. Fails with
 *   EBADF   the file is not open for writing,
 *   ERANGE  the target is outside the limits; nothing changes.
 */
#define XENBALLOON_SET_TARGET \
	_IOW(XENBALLOON_IOC_MAGIC, 0x01, struct xenballoon_target)

/*
 * Waits until the domain has what is aimed at, whatever that is by then, or has
 * something else on purpose: less, as what it did not use went back by itself,
 * or more, as it was out of memory. Fails with
 *   ETIMEDOUT  not within the time; target_kb and current_kb are filled in,
 *   EINTR      a signal came.
 */
#define XENBALLOON_WAIT \
	_IOWR(XENBALLOON_IOC_MAGIC, 0x02, struct xenballoon_wait)

#endif /* _XENBALLOON_H */
