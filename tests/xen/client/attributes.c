// SPDX-License-Identifier: GPL-2.0
/*
 * attributes list DIRECTORY: prints a line for each extended attribute of what is below
 * it: the path from there, the name, and the value in hexadecimal.
 * attributes set FILE NAME HEX: sets one.
 * attributes read UID FILE: reads the file as that user, in that user's group.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MOST 65536

static size_t root_length;
static char names[MOST];
static unsigned char value[MOST];

static int list(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	ssize_t length = llistxattr(path, names, MOST), size;

	(void)stat, (void)kind, (void)place;
	if (length < 0)
		err(1, "%s", path);
	/* What a program asks first: how much room it needs. */
	if (llistxattr(path, NULL, 0) != length)
		errx(1, "%s: names take %zd bytes", path, length);
	for (char *name = names; name < names + length; name += strlen(name) + 1) {
		size = lgetxattr(path, name, value, MOST);
		if (size < 0)
			err(1, "%s: %s", path, name);
		if (lgetxattr(path, name, NULL, 0) != size)
			errx(1, "%s: %s takes %zd bytes", path, name, size);
		printf(".%s %s ", path + root_length, name);
		for (ssize_t i = 0; i < size; i++)
			printf("%02x", value[i]);
		puts("");
	}
	return 0;
}

static void set(const char *path, const char *name, const char *hex)
{
	size_t size = strlen(hex) / 2;

	if (size > MOST)
		errx(1, "%zu bytes are too many", size);
	for (size_t i = 0; i < size; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &value[i]) != 1)
			errx(1, "%s is no value", hex);
	if (lsetxattr(path, name, value, size, 0))
		err(1, "%s: %s", path, name);
}

static void look(uid_t uid, const char *path)
{
	int file;

	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		err(1, "become %u", uid);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, value, MOST) < 0)
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "list")) {
		root_length = strlen(argv[2]);
		if (nftw(argv[2], list, 16, FTW_PHYS | FTW_MOUNT))
			err(1, "%s", argv[2]);
	} else if (argc == 5 && !strcmp(argv[1], "set")) {
		set(argv[2], argv[3], argv[4]);
	} else if (argc == 4 && !strcmp(argv[1], "read")) {
		look(atoi(argv[2]), argv[3]);
	} else {
		errx(1, "usage: attributes list DIRECTORY | set FILE NAME HEX | read UID FILE");
	}
	return 0;
}
