// SPDX-License-Identifier: GPL-2.0
/*
 * Reads two trees that should be the same in every way there is, by chance, and
 * compares.
 *
 * torture KNOWN SEEN PROCESSES SEED UNTIL: UNTIL is a file that will be there, or
 * how many operations each process does. Prints a line when it has begun, and in
 * the end how many operations there were, or the first thing that was not the
 * same.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MOST = 1 << 18 };

/* "PgSh" */
#define TREE_MAGIC	0x68536750

/* The same file of both trees, opened. */
struct pair {
	const char *name;
	int known, seen;
	off_t size;
};

static const char *trees[2];
static char **names;
static size_t count, root_length;
static uint64_t state;
static uint8_t known[MOST + PAGE], seen[MOST + PAGE];

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static int wrong(const char *what, const char *name)
{
	printf("%s: %s (%s)\n", name, what, strerror(errno));
	fflush(stdout);
	return -1;
}

static const char *path(int tree, const char *name, char *room)
{
	snprintf(room, PATH_MAX, "%s%s", trees[tree], name);
	return room;
}

static int remember(const char *at, const struct stat *facts, int kind,
		    struct FTW *where)
{
	(void)facts, (void)kind, (void)where;
	/* Room is made when a power of two is reached. */
	if (!(count & (count - 1)))
		names = realloc(names, (count ? 2 * count : 1) * sizeof(*names));
	if (names)
		names[count] = strdup(at + root_length);
	return !names || !names[count++];
}

/* pread() anywhere, also beyond the end. */
static int reads(const struct pair *file)
{
	off_t at = chance(file->size + PAGE);
	size_t size = chance(MOST);
	ssize_t some = pread(file->known, known, size, at);

	if (pread(file->seen, seen, size, at) != some)
		return wrong("length of a read", file->name);
	if (some > 0 && memcmp(known, seen, some))
		return wrong("read", file->name);
	return 0;
}

/* preadv() into pieces that are no pages. */
static int scatters(const struct pair *file)
{
	size_t first = 1 + chance(PAGE), second = 1 + chance(3 * PAGE);
	off_t at = chance(file->size);
	struct iovec pieces[2] = {
		{ .iov_base = seen, .iov_len = first },
		{ .iov_base = seen + first, .iov_len = second },
	};
	ssize_t some = pread(file->known, known, first + second, at);

	if (preadv(file->seen, pieces, 2, at) != some)
		return wrong("length of a scattered read", file->name);
	if (some > 0 && memcmp(known, seen, some))
		return wrong("scattered read", file->name);
	return 0;
}

/* From the page cache's side of the kernel into a pipe. */
static int sends(const struct pair *file)
{
	off_t at = chance(file->size), from = at;
	ssize_t some, got;
	int ends[2];

	if (pipe(ends))
		return wrong("pipe", file->name);
	some = pread(file->known, known, PAGE, at);
	got = sendfile(ends[1], file->seen, &from, PAGE);
	close(ends[1]);
	if (got == some && some > 0)
		got = read(ends[0], seen, PAGE);
	close(ends[0]);
	if (got != some || (some > 0 && memcmp(known, seen, some)))
		return wrong("sendfile", file->name);
	return 0;
}

/*
 * Data and holes. In a tree each block of zeroes is a hole, as in what mke2fs has
 * made; other file systems out of an image have holes of other sizes.
 */
static int seeks(const struct pair *file)
{
	int what = chance(2) ? SEEK_DATA : SEEK_HOLE;
	struct statfs seen_in;
	off_t at = chance(file->size + 1);
	off_t some = lseek(file->known, at, what);
	int why = errno;

	if (fstatfs(file->seen, &seen_in) || seen_in.f_type != TREE_MAGIC)
		return 0;
	if (lseek(file->seen, at, what) != some || (some < 0 && errno != why))
		return wrong("data or hole", file->name);
	return 0;
}

/* What is written is one's own; given up, it is the file again. */
static int writes(const struct pair *file, uint8_t *here, size_t size)
{
	size_t at = chance(size);
	uint8_t was = here[at], own = was ^ 0xff;

	here[at] = own;
	if (here[at] != own)
		return wrong("own copy", file->name);
	if (madvise(here, size, MADV_DONTNEED) || here[at] != was)
		return wrong("own copy given up", file->name);
	return 0;
}

static int maps(const struct pair *file)
{
	int private = chance(2), protection = PROT_READ | (private ? PROT_WRITE : 0);
	off_t at = chance(file->size) & -PAGE;
	size_t size = 1 + chance(MOST - 1), full;
	uint8_t *here;
	ssize_t some;
	int bad = 0;

	some = pread(file->known, known, size, at);
	if (some <= 0)
		return 0;
	full = (some + PAGE - 1) & -PAGE;
	here = mmap(NULL, full, protection, private ? MAP_PRIVATE : MAP_SHARED,
		    file->seen, at);
	if (here == MAP_FAILED)
		return wrong("mmap", file->name);
	if (chance(4) == 0)
		madvise(here, full, chance(2) ? MADV_WILLNEED : MADV_RANDOM);
	if (memcmp(here, known, some))
		bad = wrong("mapping", file->name);
	for (size_t end = some; !bad && at + some == file->size && end < full; end++)
		if (here[end])
			bad = wrong("behind the end", file->name);
	if (!bad && private)
		bad = writes(file, here, some);
	if (!bad && full > PAGE) {
		uint8_t *moved = mremap(here, full, full - PAGE, MREMAP_MAYMOVE);

		if (moved == MAP_FAILED || memcmp(moved, known, full - PAGE))
			bad = wrong("mapping moved", file->name);
		else
			here = moved, full -= PAGE;
	}
	munmap(here, full);
	return bad;
}

/* A child has what its parent has mapped, and its own copies of it. */
static int forks(const struct pair *file)
{
	size_t size = file->size < MOST ? file->size : MOST;
	uint8_t *here;
	int told = 0;
	pid_t child;

	here = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->seen, 0);
	if (here == MAP_FAILED)
		return wrong("mmap", file->name);
	if (pread(file->known, known, size, 0) != (ssize_t)size)
		return wrong("pread", file->name);
	here[0] ^= 0xff;
	known[0] ^= 0xff;
	child = fork();
	if (child == 0) {
		int differs = memcmp(here, known, size);

		here[size - 1]++;
		_exit(!!differs);
	}
	if (child < 0 || waitpid(child, &told, 0) != child || told)
		return wrong("a child's mapping", file->name);
	if (here[size - 1] != known[size - 1])
		return wrong("a child's write", file->name);
	munmap(here, size);
	return 0;
}

static int (*const ways[])(const struct pair *) = {
	reads, reads, reads, scatters, sends, seeks, maps, maps, maps, forks,
};

static int regular(const char *name)
{
	char room[PATH_MAX];
	struct pair file = { .name = name };
	struct stat facts;
	int bad = 0;

	file.known = open(path(0, name, room), O_RDONLY);
	file.seen = open(path(1, name, room), O_RDONLY);
	if (file.known < 0 || file.seen < 0 || fstat(file.known, &facts))
		return wrong("open", name);
	file.size = facts.st_size;
	for (int i = 0; file.size && !bad && i < 8; i++)
		bad = ways[chance(sizeof(ways) / sizeof(*ways))](&file);
	close(file.known);
	close(file.seen);
	return bad;
}

static int links(const char *name)
{
	char room[PATH_MAX];
	ssize_t some = readlink(path(0, name, room), (char *)known, MOST);

	if (readlink(path(1, name, room), (char *)seen, MOST) != some ||
	    some < 0 || memcmp(known, seen, some))
		return wrong("link", name);
	return 0;
}

/* Goes on from a position that was told before; the sum does not depend on the order. */
static int lists(const char *name, int tree, uint64_t *sum)
{
	char room[PATH_MAX];
	DIR *open = opendir(path(tree, name, room));
	uint64_t left = chance(16);
	struct dirent *entry;

	if (!open)
		return wrong("opendir", name);
	*sum = 0;
	while ((entry = readdir(open))) {
		uint64_t hash = entry->d_type;

		for (const char *at = entry->d_name; *at; at++)
			hash = hash * 31 + *at;
		*sum += hash;
		if (left-- == 0) {
			long here = telldir(open);

			readdir(open);
			seekdir(open, here);
		}
	}
	closedir(open);
	return 0;
}

static int directory(const char *name)
{
	uint64_t some, other;
	char room[PATH_MAX];

	if (lists(name, 0, &some) || lists(name, 1, &other))
		return -1;
	if (some != other)
		return wrong("entries", name);
	path(1, name, room);
	strncat(room, "/no such file", PATH_MAX - strlen(room) - 1);
	if (!access(room, F_OK) || errno != ENOENT)
		return wrong("a file that is not there", name);
	return 0;
}

static int same_facts(const char *name, struct stat *facts)
{
	char room[PATH_MAX];
	struct stat other;

	if (lstat(path(0, name, room), facts) || lstat(path(1, name, room), &other))
		return wrong("lstat", name);
	if (facts->st_mode != other.st_mode || facts->st_uid != other.st_uid ||
	    facts->st_gid != other.st_gid || facts->st_rdev != other.st_rdev ||
	    facts->st_mtim.tv_sec != other.st_mtim.tv_sec ||
	    (!S_ISDIR(facts->st_mode) && (facts->st_size != other.st_size ||
					  facts->st_nlink != other.st_nlink)))
		return wrong("facts", name);
	return 0;
}

static int once(const char *name)
{
	struct stat facts;

	if (same_facts(name, &facts))
		return -1;
	if (S_ISREG(facts.st_mode))
		return regular(name);
	if (S_ISLNK(facts.st_mode))
		return links(name);
	return S_ISDIR(facts.st_mode) ? directory(name) : 0;
}

/* Operations until it is time to end, or something is wrong. */
static int torture(uint64_t seed, const char *until, int told)
{
	uint64_t most = strtoull(until, NULL, 0), done = 0;

	state = seed * 0x9e3779b97f4a7c15u + 1;
	while (most ? done < most : access(until, F_OK)) {
		if (once(names[chance(count)]))
			return 1;
		done++;
	}
	return write(told, &done, sizeof(done)) != sizeof(done);
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, done;
	int ends[2], processes, bad = 0, status;

	if (argc != 6 || pipe(ends))
		return 2;
	trees[0] = argv[1];
	trees[1] = argv[2];
	processes = atoi(argv[3]);
	root_length = strlen(argv[1]);
	if (nftw(argv[1], remember, 16, FTW_PHYS) || !count) {
		perror(argv[1]);
		return 2;
	}
	puts("begun");
	fflush(stdout);
	for (int i = 0; i < processes; i++) {
		if (fork() == 0)
			_exit(torture(strtoull(argv[4], NULL, 0) + i, argv[5], ends[1]));
	}
	close(ends[1]);
	while (wait(&status) > 0)
		bad |= status;
	while (read(ends[0], &done, sizeof(done)) == sizeof(done))
		sum += done;
	if (bad) {
		puts("something differs");
		return 1;
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}
