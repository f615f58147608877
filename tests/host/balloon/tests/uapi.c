/* SPDX-License-Identifier: GPL-2.0 */
/* What balloon/uapi/xenballoon.h promises for good, whatever compiles it. */
#include <stddef.h>

#include "xenballoon.h"

#define SIZE(type, size) \
	_Static_assert(sizeof(struct xenballoon_##type) == (size), #type)
#define AT(type, field, offset) \
	_Static_assert(offsetof(struct xenballoon_##type, field) == (offset), \
		       #type "." #field)
#define NUMBER(call, number) \
	_Static_assert(XENBALLOON_##call == (number), #call)

SIZE(stats, 192);
AT(stats, version, 0);
AT(stats, reserved0, 4);
AT(stats, target_kb, 8);
AT(stats, current_kb, 16);
AT(stats, asked_kb, 24);
AT(stats, floor_kb, 32);
AT(stats, reserve_kb, 40);
AT(stats, max_kb, 48);
AT(stats, limit_kb, 56);
AT(stats, held_kb, 64);
AT(stats, builtin_kb, 72);
AT(stats, hypercalls, 80);
AT(stats, taken_huge_kb, 88);
AT(stats, taken_base_kb, 96);
AT(stats, given_huge_kb, 104);
AT(stats, given_base_kb, 112);
AT(stats, failures, 120);
AT(stats, refused, 128);
AT(stats, reserved, 136);

SIZE(target, 32);
AT(target, version, 0);
AT(target, reserved0, 4);
AT(target, target_kb, 8);
AT(target, reserved, 16);

SIZE(wait, 40);
AT(wait, version, 0);
AT(wait, timeout_ms, 4);
AT(wait, target_kb, 8);
AT(wait, current_kb, 16);
AT(wait, reserved, 24);

NUMBER(GET_STATS, 0xc0c0be00);
NUMBER(SET_TARGET, 0x4020be01);
NUMBER(WAIT, 0xc028be02);
