// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's that counts hypercalls, for each processor and by their
 * number, and the bytes that Xen copies by grants. The file that out= names has
 * the counts at any time: struct counts for each processor, little-endian.
 *
 * A hypercall is VMMCALL or VMCALL, and in PV domains a SYSCALL of the kernel, the
 * return from interrupts and from system calls (HYPERVISOR_iret) included. Of a
 * multicall only the one is counted.
 *
 * include/qemu/qemu-plugin.h, version 4; Debian has the header in no package.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VERSION 4
#define READS_REGISTERS 1

#define EXPORT __attribute__((visibility("default")))

struct tb;
struct insn;
struct handle;

struct bytes {
	uint8_t *data;
	unsigned int len;
};

struct array {
	char *data;
	unsigned int len;
};

struct descriptor {
	struct handle *handle;
	const char *name, *feature;
};

typedef void (*translated)(uint64_t id, struct tb *tb);
typedef void (*executed)(unsigned int processor, void *data);
typedef void (*initialised)(uint64_t id, unsigned int processor);

void qemu_plugin_register_vcpu_init_cb(uint64_t id, initialised call);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated call);
void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *insn, executed call,
					    int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct tb *tb);
struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t index);
size_t qemu_plugin_insn_size(const struct insn *insn);
size_t qemu_plugin_insn_data(const struct insn *insn, void *to, size_t len);
uint64_t qemu_plugin_insn_vaddr(const struct insn *insn);
struct array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct handle *handle, struct bytes *to);
bool qemu_plugin_read_memory_vaddr(uint64_t at, struct bytes *to, size_t len);
struct bytes *g_byte_array_new(void);
struct bytes *g_byte_array_set_size(struct bytes *array, unsigned int len);

/* Where kernels are. Programs are below. */
#define KERNEL_START UINT64_C(0xffff800000000000)

/* xen/include/public/xen.h, and grant_table.h: struct gnttab_copy. */
#define NUMBERS 64
#define GRANT_TABLE_OP 20
#define GNTTABOP_COPY 5
#define COPY_SIZE 40
#define COPY_LEN 32

#define PROCESSORS 8

static const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1 };
static const uint8_t vmmcall[] = { 0x0f, 0x01, 0xd9 };
static const uint8_t syscall_[] = { 0x0f, 0x05 };

EXPORT int qemu_plugin_version = VERSION;

static struct counts {
	uint64_t calls[NUMBERS];
	uint64_t copied;
} *counts;

enum { RAX, RDI, RSI, RDX, REGISTERS };

static const char *const names[REGISTERS] = { "rax", "rdi", "rsi", "rdx" };
static struct handle *handles[REGISTERS];
static struct bytes *scratch[PROCESSORS];

static uint64_t number(const struct bytes *bytes)
{
	uint64_t value = 0;

	memcpy(&value, bytes->data, bytes->len < 8 ? bytes->len : 8);
	return value;
}

static uint64_t value(unsigned int processor, int which)
{
	struct bytes *bytes = g_byte_array_set_size(scratch[processor], 0);

	qemu_plugin_read_register(handles[which], bytes);
	return number(bytes);
}

static uint64_t copied(unsigned int processor)
{
	uint64_t at = value(processor, RSI) + COPY_LEN, sum = 0;
	uint32_t left = value(processor, RDX);

	for (; left; left--, at += COPY_SIZE) {
		struct bytes *bytes = g_byte_array_set_size(scratch[processor], 0);

		if (qemu_plugin_read_memory_vaddr(at, bytes, sizeof(uint16_t)))
			sum += number(bytes);
	}
	return sum;
}

static void call(unsigned int processor, void *data)
{
	uint32_t nr;

	(void)data;
	if (processor >= PROCESSORS)
		return;
	nr = value(processor, RAX);
	if (nr >= NUMBERS)
		return;
	counts[processor].calls[nr]++;
	if (nr == GRANT_TABLE_OP && (uint32_t)value(processor, RDI) == GNTTABOP_COPY)
		counts[processor].copied += copied(processor);
}

static bool is_call(const struct insn *insn)
{
	uint8_t bytes[sizeof(vmcall)];
	size_t size = qemu_plugin_insn_size(insn);

	if (size > sizeof(bytes))
		return false;
	qemu_plugin_insn_data(insn, bytes, size);
	if (size == sizeof(syscall_))
		return !memcmp(bytes, syscall_, size) &&
		       qemu_plugin_insn_vaddr(insn) >= KERNEL_START;
	return size == sizeof(vmcall) &&
	       (!memcmp(bytes, vmcall, size) || !memcmp(bytes, vmmcall, size));
}

static void look(uint64_t id, struct tb *tb)
{
	size_t length = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < length; i++) {
		struct insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (is_call(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, call,
							       READS_REGISTERS, NULL);
	}
}

static void begin(uint64_t id, unsigned int processor)
{
	struct array *all = qemu_plugin_get_registers();
	const struct descriptor *each = (const struct descriptor *)all->data;

	(void)id;
	if (processor < PROCESSORS)
		scratch[processor] = g_byte_array_new();
	for (unsigned int i = 0; i < all->len; i++)
		for (int which = 0; which < REGISTERS; which++)
			if (!strcmp(each[i].name, names[which]))
				handles[which] = each[i].handle;
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	const size_t size = PROCESSORS * sizeof(*counts);
	int out;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "hypercalls: out=FILE\n");
		return 1;
	}
	out = open(argv[0] + 4, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0 || ftruncate(out, size)) {
		perror(argv[0] + 4);
		return 1;
	}
	counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
	if (counts == MAP_FAILED) {
		perror(argv[0] + 4);
		return 1;
	}
	qemu_plugin_register_vcpu_init_cb(id, begin);
	qemu_plugin_register_vcpu_tb_trans_cb(id, look);
	return 0;
}
