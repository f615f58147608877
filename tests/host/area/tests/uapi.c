/* SPDX-License-Identifier: GPL-2.0 */
/* What pageshare/uapi/pageshare.h promises for good, whatever compiles it. */
#include <stddef.h>

#include "pageshare.h"

#define SIZE(type, size) \
	_Static_assert(sizeof(struct pageshare_##type) == (size), #type)
#define AT(type, field, offset) \
	_Static_assert(offsetof(struct pageshare_##type, field) == (offset), \
		       #type "." #field)
#define NUMBER(call, number) \
	_Static_assert(PAGESHARE_##call == (number), #call)

SIZE(area, 192);
AT(area, version, 0);
AT(area, pages, 4);
AT(area, name, 8);
AT(area, uuid, 72);
AT(area, grants, 88);
AT(area, trees, 92);
AT(area, referenced, 96);
AT(area, unique, 104);
AT(area, filled, 112);
AT(area, granted, 120);
AT(area, attached, 128);
AT(area, lent, 136);
AT(area, offered, 144);
AT(area, spare, 152);
AT(area, got, 160);
AT(area, read, 168);
AT(area, reserved, 176);

SIZE(tree, 224);
AT(tree, version, 0);
AT(tree, file, 4);
AT(tree, area, 8);
AT(tree, name, 72);
AT(tree, digest, 136);
AT(tree, generation, 168);
AT(tree, blocks, 176);
AT(tree, attached, 184);
AT(tree, reserved, 192);

SIZE(rules, 112);
AT(rules, version, 0);
AT(rules, bytes, 4);
AT(rules, area, 8);
AT(rules, text, 72);
AT(rules, reserved, 80);

SIZE(remove, 168);
AT(remove, version, 0);
AT(remove, reserved0, 4);
AT(remove, area, 8);
AT(remove, tree, 72);
AT(remove, reserved, 136);

SIZE(withdraw, 184);
AT(withdraw, version, 0);
AT(withdraw, flags, 4);
AT(withdraw, area, 8);
AT(withdraw, tree, 72);
AT(withdraw, freed, 136);
AT(withdraw, holders, 144);
AT(withdraw, holder, 148);
AT(withdraw, reserved, 152);

SIZE(member, 72);
AT(member, version, 0);
AT(member, domain, 4);
AT(member, number, 8);
AT(member, mounts, 16);
AT(member, granted, 24);
AT(member, pages, 32);
AT(member, reserved, 40);

SIZE(offers, 112);
AT(offers, version, 0);
AT(offers, flags, 4);
AT(offers, area, 8);
AT(offers, pages, 72);
AT(offers, reserved, 80);

SIZE(offer, 152);
AT(offer, version, 0);
AT(offer, owner, 4);
AT(offer, area, 8);
AT(offer, address, 72);
AT(offer, bytes, 80);
AT(offer, flags, 88);
AT(offer, reserved0, 92);
AT(offer, examined, 96);
AT(offer, shared, 104);
AT(offer, supplied, 112);
AT(offer, reserved, 120);

SIZE(disk, 232);
AT(disk, version, 0);
AT(disk, owner, 4);
AT(disk, area, 8);
AT(disk, tree, 72);
AT(disk, digest, 136);
AT(disk, path, 168);
AT(disk, path_bytes, 176);
AT(disk, flags, 180);
AT(disk, number, 184);
AT(disk, reserved0, 188);
AT(disk, sectors, 192);
AT(disk, reserved, 200);

SIZE(detach, 40);
AT(detach, version, 0);
AT(detach, number, 4);
AT(detach, reserved, 8);

NUMBER(CREATE, 0x40c0be20u);
NUMBER(NEXT_AREA, 0xc0c0be21u);
NUMBER(ADD, 0xc0e0be22u);
NUMBER(NEXT_TREE, 0xc0e0be23u);
NUMBER(ALLOW, 0x4070be24u);
NUMBER(RULES, 0xc070be25u);
NUMBER(REMOVE, 0x40a8be26u);
NUMBER(WITHDRAW, 0xc0b8be27u);
NUMBER(NEXT_MEMBER, 0xc048be28u);
NUMBER(OFFERS, 0x4070be29u);
NUMBER(OFFER, 0xc098be38u);
NUMBER(ATTACH, 0xc0e8be30u);
NUMBER(DETACH, 0x4028be31u);

_Static_assert(PAGESHARE_RETIRE == 1, "RETIRE");
_Static_assert(PAGESHARE_TAKES == 1, "TAKES");
_Static_assert(PAGESHARE_SUPPLY == 1, "SUPPLY");
