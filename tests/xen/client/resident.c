// SPDX-License-Identifier: GPL-2.0
/*
 * resident DIRECTORY: prints, for each file below it with pages in the page cache, a
 * line: which pages, as ranges of numbers, and its path from there.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static size_t root_length;

static int look(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	size_t count = (stat->st_size + PAGE - 1) / PAGE;
	unsigned char *there;
	void *bytes;
	int file, any = 0;

	(void)place;
	if (kind != FTW_F || !S_ISREG(stat->st_mode) || !count)
		return 0;
	there = malloc(count);
	file = open(path, O_RDONLY);
	if (!there || file < 0)
		err(1, "%s", path);
	bytes = mmap(NULL, count * PAGE, PROT_READ, MAP_SHARED, file, 0);
	if (bytes == MAP_FAILED || mincore(bytes, count * PAGE, there))
		err(1, "%s", path);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && (there[end] & 1) == (there[i] & 1);)
			end++;
		if (there[i] & 1)
			printf("%s%zu-%zu", any++ ? "," : "", i, end - 1);
	}
	if (any)
		printf("\t%s\n", path + root_length + 1);
	munmap(bytes, count * PAGE);
	close(file);
	free(there);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(1, "usage: resident DIRECTORY");
	root_length = strlen(argv[1]);
	if (nftw(argv[1], look, 16, FTW_PHYS | FTW_MOUNT))
		err(1, "%s", argv[1]);
	return 0;
}
