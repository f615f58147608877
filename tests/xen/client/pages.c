// SPDX-License-Identifier: GPL-2.0
/*
 * pages DOMID PAGES SECONDS [PATH VALUE], in dom0: writes a xenstore node, if one
 * is named, and asks Xen for the domain's page count until it has changed by PAGES
 * or more. Prints two times in nanoseconds, from before the write (else from the
 * start): of the last look that did not show it, and from after the first that did.
 *
 * One clock only, that of dom0, and one program that sees both ends.
 */
#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* xen/include/public/{xen,memory}.h, io/xs_wire.h; Linux: uapi/xen/privcmd.h. */
#define MEMORY_OP 12
#define CURRENT_RESERVATION 3
#define XS_WRITE 11
#define PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct hypercall))

#define PAUSE_NS 200000

struct hypercall {
	uint64_t op;
	uint64_t arg[5];
};

struct message {
	uint32_t type, request, transaction, length;
	char body[256];
};

static int privcmd;
/* Hypercalls read memory that may not be paged out: the driver hands it out. */
static volatile uint16_t *domid;

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static long count(void)
{
	struct hypercall call = {
		.op = MEMORY_OP,
		.arg = { CURRENT_RESERVATION, (uintptr_t)domid },
	};
	int pages = ioctl(privcmd, PRIVCMD_HYPERCALL, &call);

	if (pages < 0)
		err(1, "no page count");
	return pages;
}

static void begin(const char *number)
{
	int buffers = open("/dev/xen/hypercall", O_RDWR);

	privcmd = open("/dev/xen/privcmd", O_RDWR);
	if (privcmd < 0 || buffers < 0)
		err(1, "/dev/xen");
	domid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, buffers, 0);
	if (domid == MAP_FAILED)
		err(1, "/dev/xen/hypercall");
	*domid = strtoul(number, NULL, 10);
}

static int connect_store(void)
{
	struct sockaddr_un address = { AF_UNIX, "/run/xenstored/socket" };
	int store = socket(AF_UNIX, SOCK_STREAM, 0);

	if (store < 0 || connect(store, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", address.sun_path);
	return store;
}

static void write_node(int store, const char *path, const char *value)
{
	struct message message = { .type = XS_WRITE };
	int path_end = snprintf(message.body, sizeof(message.body), "%s%c%s", path, 0, value);
	size_t length = offsetof(struct message, body) + path_end;

	if (path_end >= (int)sizeof(message.body))
		errx(1, "%s: too long", path);
	message.length = path_end;
	if (write(store, &message, length) != (ssize_t)length)
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	int64_t start, before, after, limit;
	long first, wanted;
	int store = -1;

	if (argc != 4 && argc != 6)
		errx(1, "usage: pages DOMID PAGES SECONDS [PATH VALUE]");
	begin(argv[1]);
	wanted = atol(argv[2]);
	limit = atol(argv[3]) * INT64_C(1000000000);
	if (argc == 6)
		store = connect_store();
	first = count();
	start = before = now();
	if (store >= 0)
		write_node(store, argv[4], argv[5]);
	for (;;) {
		int64_t look = now();
		long changed = labs(count() - first);

		after = now();
		if (changed >= wanted)
			break;
		if (after - start > limit)
			errx(1, "%ld pages have changed, not %ld", changed, wanted);
		before = look;
		nanosleep(&pause, NULL);
	}
	printf("%lld %lld\n", (long long)(before - start), (long long)(after - start));
	return 0;
}
