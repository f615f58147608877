// SPDX-License-Identifier: GPL-2.0
/*
 * Does the same many times, without a program to be started each time.
 *
 * cycles withdraw AREA TIMES: takes back all that members have of an area.
 * cycles mount SOURCE OPTIONS FOLDER FILE COPY TIMES: mounts a tree there,
 * compares a file in it with a copy, and unmounts it.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "pageshare.h"

static void withdraw(int device, const char *area)
{
	struct pageshare_withdraw argument = { .version = PAGESHARE_VERSION };

	strncpy((char *)argument.area, area, PAGESHARE_NAME - 1);
	if (ioctl(device, PAGESHARE_WITHDRAW, &argument))
		err(1, "withdraw");
	if (argument.holders)
		errx(1, "domain %u has not given back what it has", argument.holder);
}

static int open_below(const char *folder, const char *name)
{
	int at = open(folder, O_RDONLY | O_DIRECTORY);
	int file = at < 0 ? at : openat(at, name, O_RDONLY);

	if (file < 0)
		err(1, "%s/%s", folder, name);
	close(at);
	return file;
}

static void compare(int file, int copy)
{
	static char one[1 << 16], other[1 << 16];
	ssize_t got;

	do {
		got = read(file, one, sizeof(one));
		if (got < 0)
			err(1, "read");
		if (read(copy, other, sizeof(other)) != got || memcmp(one, other, got))
			errx(1, "it is another file");
	} while (got);
	close(file);
	close(copy);
}

int main(int argc, char **argv)
{
	int times = argc > 1 ? atoi(argv[argc - 1]) : 0;

	if (argc == 4 && !strcmp(argv[1], "withdraw")) {
		int device = open("/dev/pageshare", O_RDWR);

		if (device < 0)
			err(1, "/dev/pageshare");
		for (int i = 0; i < times; i++)
			withdraw(device, argv[2]);
	} else if (argc == 8 && !strcmp(argv[1], "mount")) {
		const char *folder = argv[4];

		for (int i = 0; i < times; i++) {
			if (mount(argv[2], folder, "pageshare", MS_RDONLY, argv[3]))
				err(1, "mount");
			compare(open_below(folder, argv[5]), open(argv[6], O_RDONLY));
			if (umount(folder))
				err(1, "umount");
		}
	} else {
		errx(1, "usage: cycles withdraw AREA TIMES | "
			"cycles mount SOURCE OPTIONS FOLDER FILE COPY TIMES");
	}
	return 0;
}
