// SPDX-License-Identifier: GPL-2.0
/*
 * Is killed in the middle of a call that takes long, and looks whether it ends
 * soon.
 *
 * killed FILE seek: looks for a hole in it
 * killed FILE read: reads 512 MiB of it by one call
 *
 * A child does that to the end; another one gets a signal after an eighth of the
 * time that the first took. Prints both times, in milliseconds. Fails if the
 * second one takes more than half of the first's.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* With less it is the start of a child that is measured. */
enum { PART = 2 << 20, PARTS = 256, TRIES = 8, SHORTEST_US = 8000 };

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void seek(int file)
{
	off_t size = lseek(file, 0, SEEK_END);

	if (size < 0 || lseek(file, 0, SEEK_HOLE) != size)
		err(1, "seek");
}

/* All parts are the same memory. */
static void read_much(int file)
{
	struct iovec parts[PARTS];
	void *memory = mmap(NULL, PART, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	for (int i = 0; i < PARTS; i++)
		parts[i] = (struct iovec){ memory, PART };
	if (preadv(file, parts, PARTS, 0) != (ssize_t)PART * PARTS)
		err(1, "read");
}

/*
 * Returns how long a child takes that gets a signal then, unless that is 0; -1 if
 * it was done before.
 */
static int64_t run(int file, void (*what)(int), int64_t signal_us)
{
	struct itimerval timer = {
		.it_value = { signal_us / 1000000, signal_us % 1000000 },
	};
	int64_t time = now_us();
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		setitimer(ITIMER_REAL, &timer, NULL);
		what(file);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		err(1, "child");
	time = now_us() - time;
	if (signal_us && WIFSIGNALED(status))
		return time;
	if (status)
		errx(1, "a child has ended with %#x", status);
	return signal_us ? -1 : time;
}

int main(int argc, char **argv)
{
	int file = argc == 3 ? open(argv[1], O_RDONLY) : -1;
	void (*what)(int);
	int64_t whole, part = 0;

	if (file < 0)
		err(1, "usage: killed FILE seek|read");
	what = strcmp(argv[2], "seek") ? read_much : seek;
	/* What is to be had of another domain is there the second time. */
	run(file, what, 0);
	whole = run(file, what, 0);
	if (whole < SHORTEST_US)
		errx(1, "%s takes %lld us only", argv[2], (long long)whole);
	for (int i = 0; i < TRIES; i++) {
		part = run(file, what, whole / 8);
		if (part >= 0 && part <= whole / 2)
			break;
	}
	printf("whole=%lld killed=%lld\n", (long long)whole / 1000,
	       (long long)part / 1000);
	return part < 0 || part > whole / 2;
}
