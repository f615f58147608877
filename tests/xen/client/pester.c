// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a file of a tree of an owner who may do anything: what comes is right,
 * or an error.
 *
 * pester SOURCE OPTIONS FOLDER FILE COPY LOOKS SECONDS: mounts the tree there,
 * looks that often at some part of the file in it, by read() or by a mapping,
 * compares that with a copy of the file, unmounts it and begins anew, for so
 * long. Prints how often it was mounted, or not; how often what it saw was
 * right, an error, or wrong; and how many milliseconds the longest call took.
 * Fails if the tree cannot be unmounted.
 */
#include <err.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MOST = 16 * PAGE };

enum look { RIGHT, FAILED, WRONG };

static sigjmp_buf back;
static unsigned long mounts, refused, seen[3], slowest;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static unsigned long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ul + now.tv_nsec / 1000000;
}

static void note_time(unsigned long start)
{
	unsigned long took = now_ms() - start;

	if (took > slowest)
		slowest = took;
}

static enum look look_by_mapping(int file, const uint8_t *copy, size_t at,
				 size_t len)
{
	size_t first = at / PAGE * PAGE;
	uint8_t *map = mmap(NULL, at - first + len, PROT_READ, MAP_SHARED, file,
			    first);
	volatile enum look look = FAILED;

	if (map == MAP_FAILED)
		return FAILED;
	if (!sigsetjmp(back, 1))
		look = memcmp(map + (at - first), copy + at, len) ? WRONG : RIGHT;
	munmap(map, at - first + len);
	return look;
}

static enum look look_by_reading(int file, const uint8_t *copy, size_t at,
				 size_t len)
{
	static uint8_t buffer[MOST];
	ssize_t got = pread(file, buffer, len, at);

	if (got <= 0)
		return FAILED;
	return memcmp(buffer, copy + at, got) ? WRONG : RIGHT;
}

static enum look look(const char *folder, const char *name, const uint8_t *copy,
		      size_t size)
{
	size_t len = 1 + random() % MOST, at = random() % (size - len);
	int at_folder = open(folder, O_RDONLY | O_DIRECTORY);
	int file = at_folder < 0 ? -1 : openat(at_folder, name, O_RDONLY);
	enum look look = FAILED;
	struct stat facts;

	if (at_folder >= 0)
		close(at_folder);
	if (file < 0)
		return FAILED;
	if (!fstat(file, &facts) && facts.st_size == (off_t)size)
		look = (random() % 4 ? look_by_reading : look_by_mapping)(
			file, copy, at, len);
	close(file);
	return look;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault };
	unsigned long looks, start, end;
	struct stat facts;
	uint8_t *copy;
	int file;

	if (argc != 8)
		errx(2, "usage: pester SOURCE OPTIONS FOLDER FILE COPY LOOKS SECONDS");
	looks = strtoul(argv[6], NULL, 10);
	end = now_ms() + atoi(argv[7]) * 1000ul;
	file = open(argv[5], O_RDONLY);
	if (file < 0 || fstat(file, &facts))
		err(2, "%s", argv[5]);
	copy = mmap(NULL, facts.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
		    file, 0);
	if (copy == MAP_FAILED)
		err(2, "%s", argv[5]);
	sigaction(SIGBUS, &action, NULL);
	while (now_ms() < end) {
		start = now_ms();
		if (mount(argv[1], argv[3], "pageshare", MS_RDONLY, argv[2])) {
			note_time(start);
			refused++;
			/* Others shall have the processor, too. */
			usleep(10000);
			continue;
		}
		note_time(start);
		mounts++;
		for (unsigned long i = 0; i < looks && now_ms() < end; i++) {
			start = now_ms();
			seen[look(argv[3], argv[4], copy, facts.st_size)]++;
			note_time(start);
		}
		start = now_ms();
		if (umount(argv[3]))
			err(1, "umount");
		note_time(start);
	}
	printf("mounts=%lu refused=%lu right=%lu failed=%lu wrong=%lu slowest_ms=%lu\n",
	       mounts, refused, seen[RIGHT], seen[FAILED], seen[WRONG], slowest);
	return 0;
}
