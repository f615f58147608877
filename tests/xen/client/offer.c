// SPDX-License-Identifier: GPL-2.0
/*
 * Offers memory of its own to an area, and does things with it.
 *
 * offer OWNER AREA MIB SEED STEP...
 *
 * The memory is filled so that no two pages are equal; the same seed makes the
 * same pages. Steps, in order:
 *
 *	offer, supply	offers it, in the second case with what the area does not
 *			have; prints errno, examined, shared, supplied
 *	protect		makes it readable only, as it is at first
 *	check		compares all of it
 *	write		writes each third page, and compares all
 *	fork		a child compares, writes and ends; then compares again
 *	drop		MADV_DONTNEED, and compares
 *	move		mremap(2), and compares
 *	half		unmaps the second half
 *	unmap		unmaps all
 *	write-first	makes the memory writable, for the next offer to be refused
 *	exec		tries to make it executable, which has to fail
 *	dump=FILE	writes the memory to a file
 *	hold=FILE	makes FILE, and waits until somebody removes it
 *
 * Prints what is not as it should be, one a line.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pageshare.h"

enum { PAGE = 4096, WORDS = PAGE / sizeof(uint64_t), PAUSE_US = 20000 };

static uint64_t *memory;
static size_t pages;
static uint64_t seed;
/* How often the pages whose number is a multiple of three were written. */
static uint64_t written;
static int failures;

static void expect(const char *what, int holds)
{
	if (holds)
		return;
	printf("%s: %s\n", what, strerror(errno));
	failures++;
}

static uint64_t word(size_t page, size_t at)
{
	uint64_t x = (seed << 32) + page * WORDS + at + 1;

	x *= 0x9e3779b97f4a7c15;
	x ^= x >> 29;
	return page % 3 ? x : x + written;
}

static void fill(size_t step)
{
	for (size_t page = 0; page < pages; page += step)
		for (size_t at = 0; at < WORDS; at++)
			memory[page * WORDS + at] = word(page, at);
}

static void check(const char *what)
{
	for (size_t page = 0; page < pages; page++)
		for (size_t at = 0; at < WORDS; at++)
			if (memory[page * WORDS + at] != word(page, at)) {
				printf("%s: page %zu differs\n", what, page);
				failures++;
				return;
			}
}

static void make(void)
{
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	fill(1);
	expect("mprotect", !mprotect(memory, pages * PAGE, PROT_READ));
}

static void offer(const char *owner, const char *area, uint32_t flags)
{
	struct pageshare_offer offer = {
		.version = PAGESHARE_VERSION,
		.owner = strtoul(owner, NULL, 10),
		.address = (uintptr_t)memory,
		.bytes = pages * PAGE,
		.flags = flags,
	};
	int device = open("/dev/pageshare", O_RDONLY);
	int result;

	strncpy((char *)offer.area, area, sizeof(offer.area) - 1);
	result = ioctl(device, PAGESHARE_OFFER, &offer);
	printf("errno=%d examined=%llu shared=%llu supplied=%llu\n",
	       result ? errno : 0, offer.examined, offer.shared, offer.supplied);
	close(device);
}

static void write_some(void)
{
	expect("mprotect", !mprotect(memory, pages * PAGE, PROT_READ | PROT_WRITE));
	written++;
	fill(3);
	check("written");
}

static void in_child(void)
{
	int status = -1;
	pid_t child;

	/* Else the child would print it once more. */
	fflush(stdout);
	child = fork();
	if (child == 0) {
		check("child");
		write_some();
		fflush(stdout);
		_exit(failures);
	}
	expect("child", waitpid(child, &status, 0) == child && status == 0);
	check("after the child");
}

/* What was offered comes back. */
static void drop(size_t size)
{
	expect("drop", !madvise(memory, size, MADV_DONTNEED));
	written = 0;
	check("dropped");
}

static void move(void)
{
	size_t size = pages * PAGE;
	void *moved = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Of several mappings each has to be moved by itself. */
	for (size_t at = 0; at < size; at += PAGE)
		expect("mremap", mremap((char *)memory + at, PAGE, PAGE,
					MREMAP_MAYMOVE | MREMAP_FIXED,
					(char *)moved + at) != MAP_FAILED);
	memory = moved;
	check("moved");
}

static void hold(const char *file)
{
	fflush(stdout);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	while (!access(file, F_OK))
		usleep(PAUSE_US);
}

static void set(const char *name, unsigned long value)
{
	FILE *file = fopen(name, "w");

	if (!file || fprintf(file, "%lu\n", value) < 0 || fclose(file))
		err(1, "%s", name);
}

/*
 * For so long the guest has no memory for more than a quarter of what is
 * offered. Nobody else could end that: programs cannot be started meanwhile.
 */
static void starve(unsigned int seconds)
{
	unsigned long committed = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Committed_AS: %lu kB", &committed);
	expect("meminfo", file && !fclose(file) && committed);
	set("/proc/sys/vm/overcommit_kbytes", committed + pages * PAGE / 4096);
	set("/proc/sys/vm/overcommit_memory", 2);
	for (time_t end = time(NULL) + seconds; time(NULL) < end;)
		usleep(PAUSE_US);
	set("/proc/sys/vm/overcommit_memory", 0);
}

static void dump(const char *file)
{
	int to = open(file, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	ssize_t size = pages * PAGE;

	expect("dump", write(to, memory, size) == size);
	close(to);
}

static void step(const char *what, const char *owner, const char *area)
{
	size_t size = pages * PAGE;

	if (!strcmp(what, "offer"))
		offer(owner, area, 0);
	else if (!strcmp(what, "supply"))
		offer(owner, area, PAGESHARE_SUPPLY);
	else if (!strcmp(what, "protect"))
		expect("mprotect", !mprotect(memory, size, PROT_READ));
	else if (!strcmp(what, "check"))
		check("content");
	else if (!strcmp(what, "write"))
		write_some();
	else if (!strcmp(what, "fork"))
		in_child();
	else if (!strcmp(what, "drop"))
		drop(size);
	else if (!strcmp(what, "move"))
		move();
	else if (!strcmp(what, "half"))
		pages /= 2, expect("half", !munmap(memory + pages * WORDS, size / 2));
	else if (!strcmp(what, "unmap"))
		expect("unmap", !munmap(memory, size));
	else if (!strcmp(what, "write-first"))
		expect("mprotect", !mprotect(memory, size, PROT_READ | PROT_WRITE));
	else if (!strcmp(what, "exec"))
		expect("executable", mprotect(memory, size, PROT_READ | PROT_EXEC) && errno == EACCES);
	else if (!strncmp(what, "dump=", 5))
		dump(what + 5);
	else if (!strncmp(what, "starve=", 7))
		starve(strtoul(what + 7, NULL, 10));
	else if (!strncmp(what, "hold=", 5))
		hold(what + 5);
	else
		errx(1, "what is %s?", what);
}

int main(int argc, char **argv)
{
	if (argc < 6)
		errx(1, "usage: offer OWNER AREA MIB SEED STEP...");
	pages = strtoul(argv[3], NULL, 10) * 256;
	seed = strtoul(argv[4], NULL, 10);
	make();
	for (int i = 5; i < argc; i++)
		step(argv[i], argv[1], argv[2]);
	return failures > 0;
}
