// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's that counts instructions, for each processor: all but Xen's,
 * and Xen's. A program anywhere in the machine marks a place with an instruction
 * that does nothing, a NOP with MARK and a number in its displacement; each time
 * one is executed a line goes to the file that out= names: the number, the
 * processor, and both counts until then.
 *
 * Instructions are counted by blocks, before they are executed: what a fault keeps
 * a block from doing is counted too, a few instructions for each. A string
 * instruction is one, however long the string.
 *
 * include/qemu/qemu-plugin.h, version 4; Debian has the header in no package.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VERSION 4
#define ADD 0
#define NO_REGISTERS 0

#define EXPORT __attribute__((visibility("default")))

struct tb;
struct insn;
struct scoreboard;

struct counter {
	struct scoreboard *score;
	size_t offset;
};

typedef void (*translated)(uint64_t id, struct tb *tb);
typedef void (*executed)(unsigned int processor, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated call);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct tb *tb, int op,
						       struct counter counter,
						       uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *insn, executed call,
					    int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct tb *tb);
struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t index);
size_t qemu_plugin_insn_size(const struct insn *insn);
size_t qemu_plugin_insn_data(const struct insn *insn, void *to, size_t len);
struct scoreboard *qemu_plugin_scoreboard_new(size_t size);
uint64_t qemu_plugin_u64_get(struct counter counter, unsigned int processor);

/* nopl MARK | number(%rax,%rax,1): tests/xen/client/warm.c */
static const uint8_t nop[] = { 0x0f, 0x1f, 0x84, 0x00 };
#define MARK UINT32_C(0x4e4f5800)
#define NUMBERS UINT32_C(0xff)

/* Where Xen itself runs, as opposed to guests: xen/arch/x86/include/asm/config.h. */
#define XEN_START UINT64_C(0xffff82d000000000)
#define XEN_END UINT64_C(0xffff82e000000000)

EXPORT int qemu_plugin_version = VERSION;

static struct counter others, xen;
static int out;

static void mark(unsigned int processor, void *number)
{
	dprintf(out, "%u %u %llu %llu\n", (unsigned int)(uintptr_t)number, processor,
		(unsigned long long)qemu_plugin_u64_get(others, processor),
		(unsigned long long)qemu_plugin_u64_get(xen, processor));
}

static void look(struct insn *insn)
{
	uint8_t bytes[8];
	uint32_t place;

	if (qemu_plugin_insn_size(insn) != sizeof(bytes))
		return;
	qemu_plugin_insn_data(insn, bytes, sizeof(bytes));
	memcpy(&place, bytes + sizeof(nop), sizeof(place));
	if (!memcmp(bytes, nop, sizeof(nop)) && (place & ~NUMBERS) == MARK)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS,
						       (void *)(uintptr_t)(place & NUMBERS));
}

static void count(uint64_t id, struct tb *tb)
{
	uint64_t at = qemu_plugin_tb_vaddr(tb);
	size_t length = qemu_plugin_tb_n_insns(tb);
	struct counter counter = at >= XEN_START && at < XEN_END ? xen : others;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, ADD, counter, length);
	for (size_t i = 0; i < length; i++)
		look(qemu_plugin_tb_get_insn(tb, i));
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "instructions: out=FILE\n");
		return 1;
	}
	out = open(argv[0] + 4, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0) {
		perror(argv[0] + 4);
		return 1;
	}
	others.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	xen.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, count);
	return 0;
}
