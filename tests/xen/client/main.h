/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rest of a program that makes one ioctl of a device:
 *
 *	PROGRAM [-c] [-i] [-r] [-u] CALL [FIELD=VALUE]...
 *
 * CALL is the name of one of the calls, or a number. Fields are zero unless
 * given, but for the version. Prints errno, then every field as it is afterwards.
 *
 *	-c	the argument is a constant: a version and zeroes, read only
 *	-i	a signal comes after 200 ms, and a handler runs
 *	-r	the device is opened for reading only
 *	-u	the argument is not mapped
 *
 * With the kernel's nolibc it can be built for 32 bits where there is no C
 * library for them; nolibc has no handlers, so -i is left out there.
 *
 * Who includes this defines DEVICE and has, after fields.h, the table calls and
 * two arguments of the largest type with their version, constant and memory.
 */

static int usage(const char *word)
{
	fprintf(stderr, DEVICE ": what is %s?\n", word ? word : "to be done");
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

	fd = open("/dev/" DEVICE, access);
	if (fd < 0) {
		perror("/dev/" DEVICE);
		return 1;
	}
	result = ioctl(fd, call->number, argument);
	printf("errno=%d\n", result ? errno : 0);
	print_fields(call);
	return 0;
}
