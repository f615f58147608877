// SPDX-License-Identifier: GPL-2.0
/* One ioctl of /dev/xenballoon, see main.h. CALL is stats, set or wait. */
#include "fields.h"
#include "xenballoon.h"

#define DEVICE "xenballoon"

#define STATS(name) FIELD(struct xenballoon_stats, name)
#define TARGET(name) FIELD(struct xenballoon_target, name)
#define WAIT(name) FIELD(struct xenballoon_wait, name)

static const struct field stats[] = {
	STATS(version), STATS(reserved0), STATS(target_kb), STATS(current_kb),
	STATS(asked_kb), STATS(floor_kb), STATS(reserve_kb), STATS(max_kb),
	STATS(limit_kb), STATS(held_kb), STATS(builtin_kb), STATS(hypercalls),
	STATS(taken_huge_kb), STATS(taken_base_kb), STATS(given_huge_kb),
	STATS(given_base_kb), STATS(failures), STATS(refused),
	STATS(reserved[0]), STATS(reserved[1]), STATS(reserved[2]),
	STATS(reserved[3]), STATS(reserved[4]), STATS(reserved[5]),
	STATS(reserved[6]),
};

static const struct field target[] = {
	TARGET(version), TARGET(reserved0), TARGET(target_kb),
	TARGET(reserved[0]), TARGET(reserved[1]),
};

static const struct field wait_for[] = {
	WAIT(version), WAIT(timeout_ms), WAIT(target_kb), WAIT(current_kb),
	WAIT(reserved[0]), WAIT(reserved[1]),
};

static const struct call calls[] = {
	{ "stats", XENBALLOON_GET_STATS, stats, COUNT(stats) },
	{ "set", XENBALLOON_SET_TARGET, target, COUNT(target) },
	{ "wait", XENBALLOON_WAIT, wait_for, COUNT(wait_for) },
};

static const struct xenballoon_stats constant = {
	.version = XENBALLOON_VERSION,
};

/* The largest argument is the one of stats. */
static struct xenballoon_stats memory = {
	.version = XENBALLOON_VERSION,
};

#include "main.h"
