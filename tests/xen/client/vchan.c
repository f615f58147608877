// SPDX-License-Identifier: GPL-2.0
/*
 * vchan serve PATH DOMID
 * vchan stream PATH DOMID SIZE MS
 * vchan pingpong PATH DOMID SIZE COUNT
 * vchan connects PATH DOMID COUNT
 *
 * Load for libxenvchan, as the agent's `load` is for sockets, with the same
 * answers. PATH is a node of xenstore, DOMID the other domain.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxenvchan.h>

/* The largest there is. */
#define RING (1 << 20)
#define MOST (1 << 20)
/* The clock is looked at once in so many messages. */
#define CLOCK 16

enum { STREAM, PINGPONG };

/* What a client wants. */
struct wish {
	uint32_t kind;
	uint32_t size;
	uint64_t count;
};

/* First byte of a stream's messages. */
enum { LAST, MORE };

/* What the reader of a stream says at its end, in bytes. */
struct sum {
	uint64_t arrived;
	uint64_t copied;
};

static char buffer[MOST];
/* Bytes that libxenvchan has copied to rings and from them. */
static uint64_t copied;

void *__real_memcpy(void *to, const void *from, size_t size);
void *__wrap_memcpy(void *to, const void *from, size_t size);

/* The linker has libxenvchan call this instead of memcpy: --wrap. */
void *__wrap_memcpy(void *to, const void *from, size_t size)
{
	copied += size;
	return __real_memcpy(to, from, size);
}

static void check(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* Blocking, as the stream calls may do less than asked. */
static int write_all(struct libxenvchan *channel, const void *data, size_t size)
{
	const char *from = data;

	while (size) {
		int done = libxenvchan_write(channel, from, size);

		if (done < 0)
			return 0;
		from += done;
		size -= done;
	}
	return 1;
}

static int read_all(struct libxenvchan *channel, void *data, size_t size)
{
	char *to = data;

	while (size) {
		int done = libxenvchan_read(channel, to, size);

		if (done < 0)
			return 0;
		to += done;
		size -= done;
	}
	return 1;
}

/* Reads messages up to the last, in parts as large as there are. */
static int drain(struct libxenvchan *channel, uint64_t size)
{
	uint64_t end = 0, at = 0, before = copied;
	struct sum sum;

	while (!end || at < end) {
		int done = libxenvchan_read(channel, buffer, MOST);
		uint64_t start;

		if (done <= 0)
			return 0;
		start = (at + done - 1) / size * size;
		if (start >= at && buffer[start - at] == LAST)
			end = start + size;
		at += done;
	}
	sum = (struct sum){ .arrived = at, .copied = copied - before };
	return write_all(channel, &sum, sizeof(sum));
}

static int answer(struct libxenvchan *channel)
{
	struct wish wish;

	if (!read_all(channel, &wish, sizeof(wish)) || !wish.size ||
	    wish.size > MOST)
		return 0;
	if (wish.kind == STREAM)
		return drain(channel, wish.size);
	while (wish.count--)
		if (!read_all(channel, buffer, wish.size) ||
		    !write_all(channel, buffer, wish.size))
			return 0;
	return 1;
}

static void serve(const char *path, int domid)
{
	struct libxenvchan *channel =
		libxenvchan_server_init(NULL, domid, path, RING, RING);

	check(channel != NULL, "libxenvchan_server_init");
	channel->blocking = 1;
	channel->server_persist = 1;
	printf("listening\n");
	fflush(stdout);
	while (answer(channel))
		;
	libxenvchan_close(channel);
}

static struct libxenvchan *open_channel(const char *path, int domid,
					struct wish wish)
{
	struct libxenvchan *channel =
		libxenvchan_client_init(NULL, domid, path);

	check(channel != NULL, "libxenvchan_client_init");
	channel->blocking = 1;
	check(write_all(channel, &wish, sizeof(wish)), "write");
	return channel;
}

static void stream(const char *path, int domid, uint32_t size, uint64_t ms)
{
	struct wish wish = { .kind = STREAM, .size = size };
	struct libxenvchan *channel = open_channel(path, domid, wish);
	uint64_t start = now(), end = start + ms * 1000000;
	uint64_t bytes = 0, messages = 0, before = copied;
	struct sum there;

	do {
		buffer[0] = messages++ % CLOCK || now() < end ? MORE : LAST;
		check(write_all(channel, buffer, size), "write");
		bytes += size;
	} while (buffer[0] == MORE);
	check(read_all(channel, &there, sizeof(there)), "read");
	check(there.arrived == bytes, "not all has arrived");
	printf("{\"ns\": %llu, \"bytes\": %llu, \"copied\": %llu}\n",
	       (unsigned long long)(now() - start), (unsigned long long)bytes,
	       (unsigned long long)(copied - before + there.copied));
	libxenvchan_close(channel);
}

static uint64_t once(struct libxenvchan *channel, uint32_t size)
{
	uint64_t start = now();

	check(write_all(channel, buffer, size), "write");
	check(read_all(channel, buffer, size), "read");
	return now() - start;
}

static int compare(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return (a > b) - (a < b);
}

static void pingpong(const char *path, int domid, uint32_t size, uint64_t count)
{
	uint64_t *times = calloc(count, sizeof(*times)), sum = 0, i;
	struct wish wish = {
		.kind = PINGPONG, .size = size, .count = count + count / 10
	};
	struct libxenvchan *channel = open_channel(path, domid, wish);

	check(times && count, "no room");
	/* The first ones wake what has slept. */
	for (i = 0; i < count / 10; i++)
		once(channel, size);
	for (i = 0; i < count; i++)
		sum += times[i] = once(channel, size);
	qsort(times, count, sizeof(*times), compare);
	printf("{\"p50\": %llu, \"p99\": %llu, \"mean\": %llu}\n",
	       (unsigned long long)times[(count * 50 + 99) / 100 - 1],
	       (unsigned long long)times[(count * 99 + 99) / 100 - 1],
	       (unsigned long long)(sum / count));
	libxenvchan_close(channel);
	free(times);
}

static void connects(const char *path, int domid, uint64_t count)
{
	struct wish wish = { .kind = PINGPONG, .size = 1, .count = 1 };
	uint64_t start = now();

	while (count--) {
		struct libxenvchan *channel = open_channel(path, domid, wish);

		once(channel, 1);
		libxenvchan_close(channel);
	}
	printf("{\"ns\": %llu}\n", (unsigned long long)(now() - start));
}

int main(int argc, char **argv)
{
	uint64_t numbers[2] = { 0 };
	int i, domid;

	check(argc >= 4, "vchan WHAT PATH DOMID ...");
	domid = atoi(argv[3]);
	for (i = 0; i < 2 && i + 4 < argc; i++)
		numbers[i] = strtoull(argv[i + 4], NULL, 10);
	if (!strcmp(argv[1], "serve"))
		serve(argv[2], domid);
	else if (!strcmp(argv[1], "stream"))
		stream(argv[2], domid, numbers[0], numbers[1]);
	else if (!strcmp(argv[1], "pingpong"))
		pingpong(argv[2], domid, numbers[0], numbers[1]);
	else if (!strcmp(argv[1], "connects"))
		connects(argv[2], domid, numbers[0]);
	else
		check(0, argv[1]);
	return 0;
}
