// SPDX-License-Identifier: GPL-2.0
/*
 * warm read SIZE ROUNDS FILE..., warm fault private|shared ROUNDS FILE...: goes
 * through each of the files in turn, ROUNDS times: reads it in pieces of SIZE bytes,
 * or maps it, touches each page, and unmaps it. A first round warms up. In the others
 * each part is between two marks (tests/xen/emulator/instructions.c): parts are so
 * short that the clock seldom ticks in one. Prints how many pieces or pages there are
 * in each file, and how many parts.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define PIECE_MAX (1 << 20)
#define MARK(number) \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00; .long 0x4e4f5800 + " #number)

static char buffer[PIECE_MAX];

/* Bytes that are read, and pages that are touched, in a part. */
#define READ_PART (1 << 16)
#define TOUCH_PART 64

static int marking;
static size_t parts;

static void begin(void)
{
	if (marking)
		MARK(1);
}

static void end(void)
{
	if (marking)
		MARK(2);
	parts++;
}

static void read_all(int file, const char *name, size_t size, size_t pieces)
{
	size_t each = size < READ_PART ? READ_PART / size : 1;

	for (size_t first = 0; first < pieces; first += each) {
		begin();
		for (size_t i = first; i < first + each && i < pieces; i++)
			if (pread(file, buffer, size, i * size) != (ssize_t)size)
				err(1, "%s: read", name);
		end();
	}
}

static void touch_all(int file, const char *name, int flags, size_t pages)
{
	volatile char *bytes;

	begin();
	bytes = mmap(NULL, pages * PAGE, PROT_READ, flags, file, 0);
	end();
	if (bytes == MAP_FAILED)
		err(1, "%s: mmap", name);
	for (size_t first = 0; first < pages; first += TOUCH_PART) {
		begin();
		for (size_t i = first; i < first + TOUCH_PART && i < pages; i++)
			(void)bytes[i * PAGE];
		end();
	}
	begin();
	munmap((void *)bytes, pages * PAGE);
	end();
}

int main(int argc, char **argv)
{
	size_t size = PAGE, rounds, count = 0;
	int reads, flags = MAP_PRIVATE, files[2];

	if (argc < 5 || argc > 6)
		errx(1, "usage: warm read SIZE ROUNDS FILE..., warm fault private|shared ROUNDS FILE...");
	reads = !strcmp(argv[1], "read");
	if (reads)
		size = strtoul(argv[2], NULL, 10);
	else if (!strcmp(argv[2], "shared"))
		flags = MAP_SHARED;
	if (size == 0 || size > PIECE_MAX)
		errx(1, "%s: no size", argv[2]);
	rounds = strtoul(argv[3], NULL, 10);
	for (int i = 4; i < argc; i++) {
		struct stat stat;

		files[i - 4] = open(argv[i], O_RDONLY);
		if (files[i - 4] < 0 || fstat(files[i - 4], &stat))
			err(1, "%s", argv[i]);
		if (count && count != stat.st_size / size)
			errx(1, "%s: not as long as the other", argv[i]);
		count = stat.st_size / size;
	}
	/* Or the first write to a page of the buffer is counted. */
	memset(buffer, 1, sizeof(buffer));
	for (size_t round = 0; round <= rounds; round++) {
		marking = round > 0;
		for (int i = 4; i < argc; i++) {
			parts = 0;
			if (reads)
				read_all(files[i - 4], argv[i], size, count);
			else
				touch_all(files[i - 4], argv[i], flags, count);
		}
	}
	printf("%zu %zu\n", count, parts);
	return 0;
}
