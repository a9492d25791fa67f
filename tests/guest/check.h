// SPDX-License-Identifier: BSD-2-Clause
// The smallest frame for tests that run as a guest program: TEST(name) { ... EXPECT(condition); ... }.
// Prints `ok NAME`, `not ok NAME: why` or `ok NAME # skip why` a line; the exit status is 1 when a test
// failed. Arguments choose tests by name. A test ends at its first unmet expectation. Nothing here needs more
// of the kernel than write and exit.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_last = &test_first;
static char test_why[512];
static int test_skipped;

#define TEST(n)                                                       \
	static void test_##n(void);                                   \
	static struct test entry_##n = {.name = #n, .run = test_##n}; \
	__attribute__((constructor)) static void add_##n(void)        \
	{                                                             \
		*test_last = &entry_##n;                              \
		test_last = &entry_##n.next;                          \
	}                                                             \
	static void test_##n(void)

// Code that runs before any test, with main's arguments: BEFORE_TESTS(int argc, char **argv) { ... }
__attribute__((weak)) void test_before(int argc, char **argv);
#define BEFORE_TESTS(...) void test_before(__VA_ARGS__)

#define FAIL(...)                                                         \
	do {                                                              \
		if (!test_why[0])                                         \
			snprintf(test_why, sizeof test_why, __VA_ARGS__); \
		return;                                                   \
	} while (0)

#define EXPECT(cond)                                                            \
	do {                                                                    \
		errno = 0;                                                      \
		if (!(cond))                                                    \
			FAIL("line %d: %s (errno %d)", __LINE__, #cond, errno); \
	} while (0)

#define EXPECT_EQ(a, b)                                                                                 \
	do {                                                                                            \
		errno = 0;                                                                              \
		long long a_ = (long long)(a), b_ = (long long)(b);                                     \
		if (a_ != b_)                                                                           \
			FAIL("line %d: %s is %lld, not %s = %lld (errno %d)", __LINE__, #a, a_, #b, b_, \
			     errno);                                                                    \
	} while (0)

// The call fails with this errno.
#define EXPECT_ERR(call, e)                                                                               \
	do {                                                                                              \
		errno = 0;                                                                                \
		long long r_ = (long long)(call);                                                         \
		if (r_ != -1 || errno != (e))                                                             \
			FAIL("line %d: %s gives %lld, errno %d, not %s", __LINE__, #call, r_, errno, #e); \
	} while (0)

#define SKIP(why)                                               \
	do {                                                    \
		test_skipped = 1;                               \
		snprintf(test_why, sizeof test_why, "%s", why); \
		return;                                         \
	} while (0)

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static inline struct timespec milliseconds(long ms)
{
	return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

static inline void pause_ms(long ms)
{
	struct timespec t = milliseconds(ms);

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	int failed = 0, count = 0;

	if (test_before)
		test_before(argc, argv);
	setvbuf(stdout, NULL, _IONBF, 0);
	for (struct test *t = test_first; t; t = t->next) {
		int wanted = argc < 2;

		for (int i = 1; i < argc; i++)
			wanted |= !strcmp(argv[i], t->name);
		if (!wanted)
			continue;
		test_why[0] = 0;
		test_skipped = 0;
		count++;
		t->run();
		if (test_skipped)
			printf("ok %s # skip %s\n", t->name, test_why);
		else if (test_why[0])
			failed++, printf("not ok %s: %s\n", t->name, test_why);
		else
			printf("ok %s\n", t->name);
	}
	if (!count)
		printf("not ok: no test of that name\n");
	return failed || !count;
}
