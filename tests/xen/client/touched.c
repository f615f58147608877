// SPDX-License-Identifier: GPL-2.0
/*
 * touched PID: counts the pages that a process has in mappings of files: in those that
 * are executed; else, of other domains', of the page cache, and copies of its own.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
/* Documentation/admin-guide/mm/pagemap.rst */
#define PRESENT (1ULL << 63)
#define OF_FILE (1ULL << 61)
#define FRAME ((1ULL << 55) - 1)

static struct {
	uint64_t first, last;
} ram[64];
static int rams;

static void find_ram(void)
{
	FILE *file = fopen("/proc/iomem", "r");
	char line[256];
	unsigned long long first, last;

	if (!file)
		err(1, "/proc/iomem");
	while (fgets(line, sizeof(line), file)) {
		if (!strstr(line, "System RAM") || rams == 64 ||
		    sscanf(line, " %llx-%llx", &first, &last) != 2)
			continue;
		ram[rams].first = first / PAGE;
		ram[rams++].last = last / PAGE;
	}
	fclose(file);
	if (!rams || !ram[0].last)
		errx(1, "/proc/iomem tells of no memory");
}

static int is_ram(uint64_t frame)
{
	for (int i = 0; i < rams; i++)
		if (frame >= ram[i].first && frame <= ram[i].last)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long executed = 0, others = 0, cached = 0, copied = 0;
	char name[64], line[4352], rights[5];
	unsigned long long first, last, inode;
	FILE *maps;
	int pagemap;

	if (argc != 2)
		errx(1, "usage: touched PID");
	find_ram();
	snprintf(name, sizeof(name), "/proc/%s/maps", argv[1]);
	maps = fopen(name, "r");
	if (!maps)
		err(1, "%s", name);
	snprintf(name, sizeof(name), "/proc/%s/pagemap", argv[1]);
	pagemap = open(name, O_RDONLY);
	if (pagemap < 0)
		err(1, "%s", name);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %4s %*s %*s %llu", &first, &last, rights, &inode) != 4)
			errx(1, "%s", line);
		for (uint64_t at = first / PAGE; inode && at < last / PAGE; at++) {
			uint64_t entry;

			if (pread(pagemap, &entry, sizeof(entry), at * sizeof(entry)) != sizeof(entry))
				err(1, "%s", name);
			if (!(entry & PRESENT))
				continue;
			if (rights[2] == 'x')
				executed++;
			else if (!is_ram(entry & FRAME))
				others++;
			else if (entry & OF_FILE)
				cached++;
			else
				copied++;
		}
	}
	printf("area's: %lu, cached: %lu, copied: %lu, executed: %lu\n", others, cached, copied, executed);
	return 0;
}
