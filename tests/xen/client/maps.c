// SPDX-License-Identifier: GPL-2.0
/*
 * Maps a file in all the ways there are, as an unprivileged user, and tries to
 * execute what it has mapped. The file begins with a `ret` on each page.
 *
 * maps FILE frames|cache: where mappings that are not executable come
 * from. Prints what is not as it should be, one a line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, NOBODY = 65534 };

static sigjmp_buf back;
static int failures;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void expect(const char *what, int holds)
{
	if (holds)
		return;
	printf("%s: %s\n", what, strerror(errno));
	failures++;
}

/* Whether a call of what is there comes back, and not by a signal. */
static int executes(void *code)
{
	void (*call)(void);

	if (sigsetjmp(back, 1))
		return 0;
	memcpy(&call, &code, sizeof(call));
	call();
	return 1;
}

static uint64_t sum(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

static uint64_t sum_by_read(int file, size_t size)
{
	uint8_t *bytes = malloc(size);
	uint64_t found;

	if (!bytes || pread(file, bytes, size, 0) != (ssize_t)size)
		exit(2);
	found = sum(bytes, size);
	free(bytes);
	return found;
}

static uint8_t *map(int file, size_t size, int prot, int flags)
{
	uint8_t *at = mmap(NULL, size, prot, flags, file, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* A child that is traced writes where it may only read, and jumps there. */
static void try_tracing(uint8_t *at)
{
	struct user_regs_struct registers;
	pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, &status, 0);
	expect("a child that is traced", WIFSTOPPED(status));
	for (int written = 0; written < 2; written++) {
		/* The second time it may have a copy of its own there. */
		if (written)
			ptrace(PTRACE_POKETEXT, child, at, 0xc3c3c3c3c3c3c3c3);
		ptrace(PTRACE_GETREGS, child, NULL, &registers);
		registers.rip = (uintptr_t)at;
		ptrace(PTRACE_SETREGS, child, NULL, &registers);
		ptrace(PTRACE_CONT, child, NULL, NULL);
		waitpid(child, &status, 0);
		expect("does not run where a tracer sends it",
		       WIFSTOPPED(status) && WSTOPSIG(status) == SIGSEGV);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

/* Other calls that change what may be done with a mapping. */
static void try_calls(uint8_t *at, int file, size_t size, int frames)
{
	uint64_t known = sum_by_read(file, size);
	int memory = open("/proc/self/mem", O_RDWR);
	uint8_t *none;

	expect("pkey_mprotect", !frames ||
		syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ | PROT_EXEC, -1));
	expect("pages in another order",
	       syscall(SYS_remap_file_pages, at, PAGE, 0, 1, 0) != 0);
	personality(READ_IMPLIES_EXEC);
	expect("mprotect that implies to execute",
	       mprotect(at, PAGE, PROT_READ) == 0);
	expect("executes what implies it", !frames || !executes(at));
	personality(0);
	mprotect(at, size, PROT_READ);
	/* Of a private mapping it is a copy. Not all kernels allow it. */
	if (memory >= 0 && pwrite(memory, "\xc3", 1, (uintptr_t)at) == 1)
		expect("executes what was written", !executes(at));
	expect("the file stays", sum_by_read(file, size) == known);
	close(memory);

	none = map(file, size, PROT_NONE, MAP_PRIVATE);
	expect("map for nothing", none != NULL);
	expect("mprotect what was for nothing", !frames ||
		mprotect(none, PAGE, PROT_READ | PROT_EXEC));
	munmap(none, size);
}

/* Mappings that were not made to be executed. */
static void try_data(int file, size_t size, int flags, int frames)
{
	uint64_t known = sum_by_read(file, size);
	uint8_t *at = map(file, size, PROT_READ, flags);
	uint8_t *moved;
	int status, denied;
	pid_t child;

	expect("map", at != NULL);
	expect("content", sum(at, size) == known);
	expect("executes without leave", !executes(at));
	denied = mprotect(at, size, PROT_READ | PROT_EXEC) && errno == EACCES;
	expect("mprotect to be executed", frames ? denied : !denied);
	expect("executes after mprotect", executes(at) == !frames);
	mprotect(at, size, PROT_READ);

	moved = mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, size, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	expect("mremap", moved != MAP_FAILED);
	expect("content after mremap", sum(moved, size) == known);
	denied = mprotect(moved, PAGE, PROT_EXEC) && errno == EACCES;
	expect("mprotect after mremap", frames ? denied : !denied);
	mprotect(moved, PAGE, PROT_READ);

	child = fork();
	if (child == 0) {
		denied = mprotect(moved, PAGE, PROT_EXEC) != 0;
		_exit(frames && (!denied || executes(moved)));
	}
	waitpid(child, &status, 0);
	expect("a child", status == 0);
	try_tracing(moved);

	try_calls(moved, file, size, frames);
	madvise(moved, size, MADV_DONTNEED);
	expect("content after madvise", sum(moved, size) == known);
	expect("munmap", munmap(moved, size) == 0);
}

/* What is written to a private mapping is the program's own. */
static void try_writing(int file, size_t size)
{
	uint64_t known = sum_by_read(file, size);
	uint8_t *at = map(file, size, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct iovec own, there;
	uint8_t byte = 7;

	expect("map to write", at != NULL);
	for (size_t i = 0; i < size; i += PAGE)
		at[i] ^= 0x55;
	expect("its own copy", at[0] == (0xc3 ^ 0x55));
	expect("the file stays", sum_by_read(file, size) == known);
	own = (struct iovec){ &byte, 1 };
	there = (struct iovec){ at, 1 };
	/* The small kernel for tests has no such call. */
	expect("written from elsewhere",
	       process_vm_writev(getpid(), &own, 1, &there, 1, 0) == 1 ||
		       errno == ENOSYS);
	expect("the file still stays", sum_by_read(file, size) == known);
	munmap(at, size);
	expect("no shared writing",
	       !map(file, size, PROT_READ | PROT_WRITE, MAP_SHARED));
}

/* Mappings that are made to be executed, by whatever means. */
static void try_code(int file, size_t size)
{
	uint8_t *at = map(file, size, PROT_READ | PROT_EXEC, MAP_PRIVATE);

	expect("map to execute", at != NULL);
	for (size_t i = 0; i < size; i += PAGE)
		expect("execute", executes(at + i));
	munmap(at, size);

	personality(READ_IMPLIES_EXEC);
	at = map(file, size, PROT_READ, MAP_SHARED);
	expect("map what implies to execute", at != NULL && executes(at));
	munmap(at, size);
	personality(0);

	/* Over a mapping that was not. */
	at = map(file, size, PROT_READ, MAP_PRIVATE);
	expect("content", at && at[0] == 0xc3);
	expect("map over it",
	       mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
		    file, 0) == at);
	expect("execute over it", executes(at));
	expect("not beside it", !executes(at + PAGE));
	munmap(at, size);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault };
	struct stat facts;
	int file, frames;

	if (argc != 3)
		return 2;
	file = open(argv[1], O_RDONLY);
	if (file < 0 || fstat(file, &facts) || setgid(NOBODY) || setuid(NOBODY)) {
		perror(argv[1]);
		return 2;
	}
	frames = !strcmp(argv[2], "frames");
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	try_data(file, facts.st_size, MAP_PRIVATE, frames);
	try_data(file, facts.st_size, MAP_SHARED, frames);
	try_writing(file, facts.st_size);
	try_code(file, facts.st_size);
	try_data(file, facts.st_size, MAP_PRIVATE, frames);
	return failures != 0;
}
