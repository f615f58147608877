// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a page of a file into memory that is not there, and stays away until
 * another file is there: whoever has to copy to it waits as long.
 *
 * held FILE STOP: prints a line when somebody waits for the memory, and in the
 * end 1; or what has changed or could not be done.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, NAP_US = 100000 };

static int file;
static uint8_t *at;

static void *reader(void *unused)
{
	(void)unused;
	return (void *)pread(file, at, PAGE, 0);
}

/* Makes memory whose pages come when we say so; returns who tells of it. */
static int absent(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int faults = syscall(SYS_userfaultfd, O_CLOEXEC);

	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)at;
	range.range.len = PAGE;
	if (faults < 0 || at == MAP_FAILED || ioctl(faults, UFFDIO_API, &api) ||
	    ioctl(faults, UFFDIO_REGISTER, &range))
		err(2, "userfaultfd");
	return faults;
}

int main(int argc, char **argv)
{
	static uint8_t known[PAGE];
	struct uffdio_zeropage there = { .range.len = PAGE };
	struct uffd_msg message;
	pthread_t thread;
	void *got;
	int faults;

	if (argc != 3)
		return 2;
	file = open(argv[1], O_RDONLY);
	if (file < 0 || pread(file, known, PAGE, 0) != PAGE)
		err(2, "%s", argv[1]);
	faults = absent();
	if (pthread_create(&thread, NULL, reader, NULL))
		errx(2, "no thread");
	if (read(faults, &message, sizeof(message)) != sizeof(message) ||
	    message.event != UFFD_EVENT_PAGEFAULT)
		err(2, "no fault");
	puts("begun");
	fflush(stdout);
	while (access(argv[2], F_OK))
		usleep(NAP_US);
	there.range.start = (uintptr_t)at;
	if (ioctl(faults, UFFDIO_ZEROPAGE, &there))
		err(2, "zeroes");
	pthread_join(thread, &got);
	puts((intptr_t)got == PAGE && !memcmp(at, known, PAGE) ? "1" : "it differs");
	return 0;
}
