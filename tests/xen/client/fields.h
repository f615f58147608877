/* SPDX-License-Identifier: GPL-2.0 */
/* The fields of a call's argument, by name. */
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct field {
	const char *name;
	size_t offset;
	size_t size;
};

#define FIELD(type, name) \
	{ #name, offsetof(type, name), sizeof(((type *)0)->name) }

struct call {
	const char *name;
	unsigned int number;
	const struct field *fields;
	size_t count;
};
