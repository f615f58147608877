// SPDX-License-Identifier: GPL-2.0
/*
 * Uses up all memory while somebody has some in hand: taken from the allocator,
 * and still counted as the guest's.
 *
 * starve IN_HAND MORE SECONDS: waits until IN_HAND KiB less are free of as many as
 * before, or not much more than that: whoever takes them has not done then. Fills
 * what is available, and MORE KiB, and prints how many KiB that were; or "missed",
 * when nobody has taken as much in so many seconds.
 *
 * On the guest's only processor nobody else runs meanwhile, but when this waits:
 * not even for the twentieth of the time that the kernel keeps for them.
 */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define OTHERS "/sys/kernel/debug/sched/fair_server/cpu0/runtime"

enum { PAGE = 4096, KIB = 1024, LOOK_US = 1000 };

struct memory {
	long total, free, available;
};

/* Sets for how many nanoseconds of each second others run in any case. */
static void others(const char *ns)
{
	int file = open(OTHERS, O_WRONLY);

	if (file < 0 || write(file, ns, strlen(ns)) < 0)
		err(2, OTHERS);
	close(file);
}

static long figure(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? atol(at + strlen(name)) : 0;
}

static struct memory look(int meminfo)
{
	char text[4096];
	ssize_t got = pread(meminfo, text, sizeof(text) - 1, 0);

	if (got <= 0)
		err(2, "meminfo");
	text[got] = 0;
	return (struct memory){
		.total = figure(text, "MemTotal:"),
		.free = figure(text, "MemFree:"),
		.available = figure(text, "MemAvailable:"),
	};
}

/* Returns how much is available once so much is in hand; 0 if it never is. */
static long wait_for(int meminfo, long in_hand, long seconds)
{
	struct memory before = look(meminfo);
	time_t end = time(NULL) + seconds;

	while (time(NULL) < end) {
		struct memory now = look(meminfo);
		long taken = before.free - now.free;

		if (now.total != before.total || taken < 0)
			before = now;
		else if (taken >= in_hand && taken <= in_hand * 7 / 4)
			return now.available;
		usleep(LOOK_US);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sched_param first = { .sched_priority = 50 };
	int meminfo = open("/proc/meminfo", O_RDONLY);
	long available, size, at;
	volatile char *memory;

	if (argc != 4)
		return 2;
	if (meminfo < 0 || sched_setscheduler(0, SCHED_FIFO, &first))
		err(2, "cannot begin");
	others("0");
	available = wait_for(meminfo, atol(argv[1]), atol(argv[3]));
	if (!available) {
		others("50000000");
		puts("missed");
		return 0;
	}
	size = (available + atol(argv[2])) * KIB;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		err(2, "no room for it");
	/* In 2 MiB runs it would be others that wait. */
	madvise((void *)memory, size, MADV_NOHUGEPAGE);
	for (at = 0; at < size; at += PAGE)
		memory[at] = 1;
	others("50000000");
	printf("%ld\n", size / KIB);
	return 0;
}
