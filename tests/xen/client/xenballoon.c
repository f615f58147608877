// SPDX-License-Identifier: GPL-2.0
/*
 * xenballoon [-c] [-i] [-r] [-u] CALL [FIELD=VALUE]...: one ioctl of
 * /dev/xenballoon. CALL is stats, set, wait or a number. Fields are zero unless
 * given, but for the version. Prints errno, then every field as it is afterwards.
 *
 *	-c	the argument is a constant: a version and zeroes, read only
 *	-i	a signal comes after 200 ms, and a handler runs
 *	-r	the device is opened for reading only
 *	-u	the argument is not mapped
 *
 * With the kernel's nolibc it can be built for 32 bits where there is no C
 * library for them; nolibc has no handlers, so -i is left out there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#ifndef NOLIBC
#include <signal.h>
#include <sys/time.h>
#endif

#include "xenballoon.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct field {
	const char *name;
	size_t offset;
	size_t size;
};

#define FIELD(type, name) \
	{ #name, offsetof(type, name), sizeof(((type *)0)->name) }
#define STATS(name) FIELD(struct xenballoon_stats, name)
#define TARGET(name) FIELD(struct xenballoon_target, name)
#define WAIT(name) FIELD(struct xenballoon_wait, name)

static const struct field stats[] = {
	STATS(version), STATS(reserved0), STATS(target_kb), STATS(current_kb),
	STATS(asked_kb), STATS(floor_kb), STATS(reserve_kb), STATS(max_kb),
	STATS(limit_kb), STATS(held_kb), STATS(builtin_kb), STATS(hypercalls),
	STATS(taken_huge_kb), STATS(taken_base_kb), STATS(given_huge_kb),
	STATS(given_base_kb), STATS(failures), STATS(refused),
	STATS(reserved[0]), STATS(reserved[1]), STATS(reserved[2]),
	STATS(reserved[3]), STATS(reserved[4]), STATS(reserved[5]),
	STATS(reserved[6]),
};

static const struct field target[] = {
	TARGET(version), TARGET(reserved0), TARGET(target_kb),
	TARGET(reserved[0]), TARGET(reserved[1]),
};

static const struct field wait_for[] = {
	WAIT(version), WAIT(timeout_ms), WAIT(target_kb), WAIT(current_kb),
	WAIT(reserved[0]), WAIT(reserved[1]),
};

static const struct call {
	const char *name;
	unsigned int number;
	const struct field *fields;
	size_t count;
} calls[] = {
	{ "stats", XENBALLOON_GET_STATS, stats, COUNT(stats) },
	{ "set", XENBALLOON_SET_TARGET, target, COUNT(target) },
	{ "wait", XENBALLOON_WAIT, wait_for, COUNT(wait_for) },
};

static const struct xenballoon_stats constant = {
	.version = XENBALLOON_VERSION,
};

/* The largest argument is the one of stats. */
static struct xenballoon_stats memory = {
	.version = XENBALLOON_VERSION,
};

static int usage(const char *word)
{
	fprintf(stderr, "xenballoon: what is %s?\n", word ? word : "to be done");
	return 2;
}

static int set_field(const struct call *call, const char *word)
{
	const char *value = strchr(word, '=');
	size_t i;

	for (i = 0; value && i < call->count; i++) {
		const struct field *field = &call->fields[i];
		unsigned long long number = strtoull(value + 1, NULL, 0);

		if (strlen(field->name) == (size_t)(value - word) &&
		    !strncmp(field->name, word, value - word)) {
			memcpy((char *)&memory + field->offset, &number,
			       field->size);
			return 0;
		}
	}
	return usage(word);
}

static void print_fields(const struct call *call)
{
	size_t i;

	for (i = 0; i < call->count; i++) {
		const struct field *field = &call->fields[i];
		unsigned long long number = 0;

		memcpy(&number, (char *)&memory + field->offset, field->size);
		printf("%s=%llu\n", field->name, number);
	}
}

#ifndef NOLIBC
static void handle(int signal)
{
	(void)signal;
}
#endif

static int interrupt_later(void)
{
#ifdef NOLIBC
	return -1;
#else
	/* Without SA_RESTART the call is not made again. */
	struct sigaction action = { .sa_handler = handle };
	struct itimerval timer = { .it_value.tv_usec = 200000 };

	return sigaction(SIGALRM, &action, NULL) ||
	       setitimer(ITIMER_REAL, &timer, NULL);
#endif
}

int main(int argc, char **argv)
{
	struct call other = { 0 };
	const struct call *call = &other;
	void *argument = &memory;
	int access = O_RDWR;
	int fd, result;
	size_t i;

	for (argv++, argc--; argc && argv[0][0] == '-'; argv++, argc--) {
		switch (argv[0][1]) {
		case 'c': argument = (void *)&constant; break;
		case 'i': if (interrupt_later()) return usage(argv[0]); break;
		case 'r': access = O_RDONLY; break;
		case 'u': argument = (void *)8; break;
		default: return usage(argv[0]);
		}
	}
	if (!argc)
		return usage(NULL);
	for (i = 0; i < COUNT(calls); i++)
		if (!strcmp(argv[0], calls[i].name))
			call = &calls[i];
	if (call == &other)
		other.number = strtoul(argv[0], NULL, 0);
	for (argv++, argc--; argc; argv++, argc--)
		if (set_field(call, argv[0]))
			return 2;

	fd = open("/dev/xenballoon", access);
	if (fd < 0) {
		perror("/dev/xenballoon");
		return 1;
	}
	result = ioctl(fd, call->number, argument);
	printf("errno=%d\n", result ? errno : 0);
	print_fields(call);
	return 0;
}
