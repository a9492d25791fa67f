// SPDX-License-Identifier: BSD-2-Clause
// What the kernel's basic operations cost: system call, clock, hand-over between threads, thread, page, page
// cache. One static program for Cortado and for Linux. For each row it prints "NAME NANOSECONDS OPERATIONS";
// a marker instruction before and after each row, and one at the start of main, lets count.c, QEMU's plugin,
// count guest instructions. Numbers of operations are fixed, so that counts are comparable.
//
//   kernel [ROW...]     all rows, or those named
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

// A no-operation with a number in its displacement: 0xc0a7ad00 + N. N is 0 in main, 2 * row + 1 and + 2
// around a row.
#define MARK(n)	      __asm__ volatile("nopl 0xc0a7ad00 + %c0 - 0x100000000(%%rax)" ::"i"(n) : "memory")
#define MARK_ROW(row) MARK(2 * (row) + 1)
#define MARK_END(row) MARK(2 * (row) + 2)

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

static void report(const char *name, long start, long ops)
{
	printf("%s %ld %ld\n", name, now() - start, ops);
}

#define MEASURE(row, name, ops, body)                          \
	do {                                                   \
		body(ops / 20 + 1); /* caches, first faults */ \
		long start_ = now();                           \
		MARK_ROW(row);                                 \
		body(ops);                                     \
		MARK_END(row);                                 \
		report(name, start_, ops);                     \
	} while (0)

static void call_getppid(long n)
{
	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
}

static void call_clock(long n)
{
	struct timespec t;

	for (long i = 0; i < n; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

// Two threads take turns: one operation is there and back.
static _Atomic int turn;
static long rounds;

static void futex_pass(int mine, long n)
{
	for (long i = 0; i < n; i++) {
		while (atomic_load(&turn) != mine)
			syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1 - mine, NULL);
		atomic_store(&turn, 1 - mine);
		syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
	}
}

static void *futex_other(void *arg)
{
	futex_pass(1, rounds);
	return arg;
}

static void with_other(void *(*other)(void *), void (*self)(long), long n)
{
	pthread_t t;

	rounds = n;
	must(!pthread_create(&t, NULL, other, NULL), "pthread_create");
	self(n);
	pthread_join(t, NULL);
}

static void futex_self(long n)
{
	futex_pass(0, n);
}

static void hand_futex(long n)
{
	with_other(futex_other, futex_self, n);
}

static int there[2], back[2];

static void *pipe_other(void *arg)
{
	char c;

	for (long i = 0; i < rounds; i++) {
		must(read(there[0], &c, 1) == 1, "read");
		must(write(back[1], &c, 1) == 1, "write");
	}
	return arg;
}

static void pipe_self(long n)
{
	char c = 'x';

	for (long i = 0; i < n; i++) {
		must(write(there[1], &c, 1) == 1, "write");
		must(read(back[0], &c, 1) == 1, "read");
	}
}

static void hand_pipe(long n)
{
	with_other(pipe_other, pipe_self, n);
}

static void *nothing(void *arg)
{
	return arg;
}

static void make_threads(long n)
{
	pthread_t t;

	for (long i = 0; i < n; i++) {
		must(!pthread_create(&t, NULL, nothing, NULL), "pthread_create");
		pthread_join(t, NULL);
	}
}

// 64 MiB at a time; an operation is a page.
static void touch_pages(long n)
{
	const size_t size = 64 << 20;

	for (; n > 0; n -= (long)(size / PAGE)) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(p != MAP_FAILED, "mmap");
		for (size_t i = 0; i < size; i += PAGE)
			p[i] = 1;
		munmap(p, size);
	}
}

static int file;

static void read_cached(long n)
{
	static char buf[PAGE];

	for (long i = 0; i < n; i++)
		must(pread(file, buf, PAGE, PAGE) == PAGE, "pread");
}

static int wanted(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return 1;
	return argc < 2;
}

int main(int argc, char **argv)
{
	cpu_set_t all;

	MARK(0);
	must(!sched_getaffinity(0, sizeof(all), &all), "sched_getaffinity");
	must(!pipe(there) && !pipe(back), "pipe");
	file = open("/proc/self/exe", O_RDONLY);
	must(file >= 0, "/proc/self/exe");

	if (wanted(argc, argv, "getppid"))
		MEASURE(0, "getppid", 200000, call_getppid);
	if (wanted(argc, argv, "clock"))
		MEASURE(1, "clock", 400000, call_clock);
	pin(0);
	if (wanted(argc, argv, "futex"))
		MEASURE(2, "futex", 10000, hand_futex);
	if (wanted(argc, argv, "pipe"))
		MEASURE(3, "pipe", 10000, hand_pipe);
	sched_setaffinity(0, sizeof(all), &all);
	if (wanted(argc, argv, "thread"))
		MEASURE(4, "thread", 2000, make_threads);
	if (wanted(argc, argv, "page"))
		MEASURE(5, "page", 2 * 16384, touch_pages);
	if (wanted(argc, argv, "pread"))
		MEASURE(6, "pread", 20000, read_cached);
	return 0;
}
