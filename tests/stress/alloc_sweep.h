// SPDX-License-Identifier: BSD-2-Clause
// Every allocation of a system call fails once, by /proc/cortado/fail_nth of the debugging kernel: the call
// succeeds all the same, or fails with ENOMEM (or what Linux gives for want of memory there) and leaves
// nothing behind: after some rounds of everything, a further SWEEPS rounds must not have made live objects of
// any size. A program says OP(name) { ... return TRY(call); } for each and gets its main() from here:
//   PROGRAM [NAME...]   prints ok and not-ok lines; "skip" on a kernel without the knob
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)
#define SWEEPS 6
#define PAGE   4096ul

static int knob, scratch;
static unsigned nth; // the allocation to fail
static bool child_hit;

static void arm(void)
{
	char text[12];
	int len = snprintf(text, sizeof text, "%u", nth);

	if (pwrite(knob, text, len, 0) != len)
		abort();
}

static bool hit(void)
{
	char c = '0';

	pread(knob, &c, 1, 0);
	return c == '1';
}

// The call under test: its result, or minus its errno.
#define TRY(call)                             \
	({                                    \
		long r_;                      \
		arm();                        \
		r_ = (long)(call);            \
		r_ == -1 ? -(long)errno : r_; \
	})
#define SYS(name, ...) TRY(syscall(SYS_##name, ##__VA_ARGS__))

struct op {
	const char *name;
	long (*run)(void);
	struct op *next;
};
static struct op *ops, **last = &ops;

#define OP(n)                                                     \
	static long op_##n(void);                                 \
	static struct op entry_##n = {.name = #n, .run = op_##n}; \
	__attribute__((constructor)) static void add_##n(void)    \
	{                                                         \
		*last = &entry_##n;                               \
		last = &entry_##n.next;                           \
	}                                                         \
	static long op_##n(void)

static long close_if(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd;
}

static inline char *map(size_t n)
{
	char *p = mmap(NULL, n, RW, ANON, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static inline long reap(pid_t pid)
{
	int status;

	if (pid < 0)
		return -errno;
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 200)
		child_hit = WEXITSTATUS(status) != 202;
	return WIFEXITED(status) && WEXITSTATUS(status) < 200 ? WEXITSTATUS(status) : 0;
}

// ---- the sweep

static bool allowed(long r)
{
	return r >= 0 || r == -ENOMEM || r == -ENOBUFS || r == -EAGAIN || r == -ENOLCK ||
	       r < -4095 /* an address */;
}

// Fail the first, the second ... until all have failed. Returns how many there were, or -1.
static int sweep(struct op *op)
{
	for (nth = 1; nth < 400; nth++) {
		long r;

		child_hit = false;
		r = op->run();
		if (!allowed(r)) {
			printf("not ok %s: with allocation %u failing it gives %s\n", op->name, nth,
			       strerror((int)-r));
			return -1;
		}
		if (!hit() && !child_hit)
			return (int)nth - 1;
	}
	printf("not ok %s: no end\n", op->name);
	return -1;
}

struct census {
	int n;
	struct {
		char name[32];
		long live;
	} of[128];
};

static void count(struct census *c)
{
	struct timespec t = {0, 300000000}; // what RCU and the network hold back
	char line[300];
	FILE *f;

	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY); // names of processes that are gone

	if (fd >= 0) {
		write(fd, "2", 1);
		close(fd);
	}
	nanosleep(&t, NULL);
	// Unmounting waits for a grace period, behind those of all that was freed before; twice, for what
	// frees more.
	for (int i = 0; i < 2; i++)
		if (mount("none", "/tmp/af/mnt", "tmpfs", 0, NULL) || umount2("/tmp/af/mnt", 0))
			abort();
	f = fopen("/proc/slabinfo", "r");
	for (c->n = 0; f && c->n < 128 && fgets(line, sizeof line, f);)
		c->n += sscanf(line, "%31s %ld", c->of[c->n].name, &c->of[c->n].live) == 2;
	fclose(f);
}

static bool grown(const char *what, const struct census *a, const struct census *b, bool say)
{
	bool bad = false;

	for (int i = 0; i < b->n; i++) {
		int k = 0;

		while (k < a->n && strcmp(a->of[k].name, b->of[i].name))
			k++;
		if (k < a->n && b->of[i].live - a->of[k].live >= SWEEPS) {
			if (say)
				printf("not ok %s: %ld more objects of %s (%ld to %ld)\n", what,
				       b->of[i].live - a->of[k].live, b->of[i].name, a->of[k].live,
				       b->of[i].live);
			bad = true;
		}
	}
	return bad;
}

static void prepare(void)
{
	mkdir("/tmp/af", 0700);
	mkdir("/tmp/af/mnt", 0700);
	scratch = open("/tmp/af/file", O_CREAT | O_RDWR, 0600);
	if (scratch < 0 || ftruncate(scratch, 8 * PAGE) || pwrite(scratch, "x", 1, 0) != 1)
		abort();
	signal(SIGPIPE, SIG_IGN);
}

// No names: all.
static bool wanted(const struct op *op, char **argv)
{
	bool found = !argv[1];

	while (*++argv)
		found |= !strcmp(*argv, op->name);
	return found;
}

int main(int argc, char **argv)
{
	static struct census before, after;
	int failed = 0;

	if (argc > 1 && !strcmp(argv[1], "--child"))
		return 202; // exec succeeded, nothing failed any more
	knob = open("/proc/cortado/fail_nth", O_RDWR);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (knob < 0) {
		printf("ok alloc_failures # skip this kernel has no knob\n");
		return 0;
	}
	prepare();
	// What is made at first use, and the allocator's own stores, are there before anything is counted.
	for (struct op *op = ops; op; op = op->next)
		if (wanted(op, argv))
			sweep(op);
	for (struct op *op = ops; op; op = op->next) {
		int n;

		if (!wanted(op, argv))
			continue;
		n = sweep(op);
		count(&before);
		for (int i = 0; i < SWEEPS && n >= 0; i++)
			n = sweep(op);
		count(&after);
		// A busy host delays what frees in the background; what has leaked stays.
		for (int i = 0; i < 20 && grown(op->name, &before, &after, false); i++)
			count(&after);
		if (n < 0 || grown(op->name, &before, &after, true))
			failed++;
		else
			printf("ok %s: %d allocations\n", op->name, n);
	}
	return failed != 0;
}
