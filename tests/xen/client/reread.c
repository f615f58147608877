// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a file again and again, by turns by read() and by a mapping that stays,
 * until another file is there.
 *
 * reread FILE STOP: prints a line when it has read the file for the first time,
 * and in the end how many rounds there were; or what has changed or could not
 * be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };

static sigjmp_buf back;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* Compares the mapping with what was read first; returns what differs. */
static const char *compare_mapping(const uint8_t *at, const uint8_t *known,
				   size_t size)
{
	if (sigsetjmp(back, 1))
		return "a page of the mapping is not there";
	return memcmp(at, known, size) ? "the mapping differs" : NULL;
}

static const char *compare_reading(int file, const uint8_t *known, size_t size)
{
	static uint8_t page[PAGE];

	for (size_t at = 0; at < size; at += PAGE) {
		size_t wanted = size - at < PAGE ? size - at : PAGE;
		ssize_t got = pread(file, page, wanted, at);

		if (got < 0)
			return "read";
		if ((size_t)got != wanted || memcmp(page, known + at, wanted))
			return "what is read differs";
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault };
	const char *wrong = NULL;
	unsigned long rounds = 0;
	struct stat facts;
	uint8_t *known, *at;
	size_t size;
	int file;

	if (argc != 3)
		return 2;
	file = open(argv[1], O_RDONLY);
	if (file < 0 || fstat(file, &facts)) {
		perror(argv[1]);
		return 2;
	}
	size = facts.st_size;
	known = malloc(size);
	at = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
	if (!known || at == MAP_FAILED ||
	    pread(file, known, size, 0) != facts.st_size) {
		perror(argv[1]);
		return 2;
	}
	sigaction(SIGBUS, &action, NULL);
	puts("begun");
	fflush(stdout);
	while (!wrong && access(argv[2], F_OK)) {
		wrong = compare_mapping(at, known, size);
		if (!wrong)
			wrong = compare_reading(file, known, size);
		rounds++;
	}
	if (wrong) {
		printf("%s: %s\n", wrong, strerror(errno));
		return 1;
	}
	printf("%lu\n", rounds);
	return 0;
}
