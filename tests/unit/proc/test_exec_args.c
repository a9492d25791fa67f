// SPDX-License-Identifier: BSD-2-Clause
/* The argument block of execve: what it holds, in which order, the limits, and unwinding when memory fails. */
// sources: kernel/proc/exec_args.c
#include "unit.h"

#define sigset_t uapi_sigset_t /* libc has its own */
#include "base/err.h"
#include "kernel/proc/exec.h"

bool fatal_signal_pending(struct thread *t)
{
	return false;
}

void cond_resched(void)
{
}

typedef const char __app *const __app *vector;

static int copy(struct exec_args *a, const char *const argv[], const char *const envp[])
{
	return exec_args_copy(a, (vector)argv, (vector)envp);
}

static void test_order(void **state)
{
	const char *argv[] = {"sh", "-c", "true", NULL}, *envp[] = {"A=1", "", NULL};
	static const char want[] = "sh\0-c\0true\0A=1\0\0/bin/sh";
	struct exec_args a;

	assert_int_equal(exec_args_init(&a, MIB(8)), 0);
	assert_int_equal(copy(&a, argv, envp), 0);
	assert_int_equal(exec_args_add_name(&a, "/bin/sh"), 0);
	assert_int_equal(a.argc, 3);
	assert_int_equal(a.envc, 2);
	assert_int_equal(a.arg_bytes, 11);
	assert_int_equal(a.len, sizeof(want));
	assert_memory_equal(a.buf, want, sizeof(want));
	exec_args_free(&a);
	assert_int_equal(host_heap_live(), 0);
}

static void test_no_arguments(void **state)
{
	struct exec_args a;

	assert_int_equal(exec_args_init(&a, MIB(8)), 0);
	assert_int_equal(exec_args_copy(&a, NULL, NULL), 0);
	assert_int_equal(a.argc, 1); /* an empty argv[0] */
	assert_int_equal(a.len, 1);
	exec_args_free(&a);
}

static void test_script(void **state)
{
	const char *argv[] = {"name", "x", NULL}, *envp[] = {"E=", NULL};
	const char *longer[] = {"/bin/interp", "-a b", "/path/script"}, *shorter[] = {"i"};
	struct exec_args a;

	assert_int_equal(exec_args_init(&a, MIB(8)), 0);
	assert_int_equal(copy(&a, argv, envp), 0);
	assert_int_equal(exec_args_replace_first(&a, longer, 3), 0);
	assert_int_equal(a.argc, 4);
	assert_memory_equal(a.buf, "/bin/interp\0-a b\0/path/script\0x\0E=", a.len);
	assert_int_equal(a.arg_bytes, a.len - 3);
	assert_int_equal(exec_args_replace_first(&a, shorter, 1), 0);
	assert_memory_equal(a.buf, "i\0-a b\0/path/script\0x\0E=", a.len);
	exec_args_free(&a);
}

static void test_limits(void **state)
{
	char *big = malloc(EXEC_STRING_MAX + 1);
	const char *argv[] = {big, NULL}, **many;
	struct exec_args a;

	memset(big, 'x', EXEC_STRING_MAX + 1);
	big[EXEC_STRING_MAX] = 0; /* one byte too long, with its NUL */
	assert_int_equal(exec_args_init(&a, MIB(8)), 0);
	assert_int_equal(copy(&a, argv, NULL), -E2BIG);
	exec_args_free(&a);
	big[EXEC_STRING_MAX - 1] = 0;
	assert_int_equal(exec_args_init(&a, MIB(8)), 0);
	assert_int_equal(copy(&a, argv, NULL), 0);
	exec_args_free(&a);

	/* Strings and pointers together: a quarter of the stack limit, at least 128 KiB, at most 6 MiB. */
	many = calloc(800000, sizeof(*many));
	for (size_t limit = MIB(1); limit <= MIB(64); limit *= 8) {
		size_t room = limit / 4 < KIB(128) ? KIB(128) : limit / 4 > MIB(6) ? MIB(6) : limit / 4;
		size_t n = (room - 16) / 10; /* "x" with its NUL and its pointer */

		for (size_t i = 0; i < n; i++)
			many[i] = "x";
		many[n] = NULL;
		assert_int_equal(exec_args_init(&a, limit), 0);
		assert_int_equal(copy(&a, many, NULL), 0);
		exec_args_free(&a);
		many[n] = many[n + 1] = many[n + 2] = "x";
		many[n + 3] = NULL;
		assert_int_equal(exec_args_init(&a, limit), 0);
		assert_int_equal(copy(&a, many, NULL), -E2BIG);
		exec_args_free(&a);
	}
	free(many);
	free(big);
}

static void test_bad_pointers(void **state)
{
	const char *argv[] = {(const char *)8, NULL};
	struct exec_args a;

	assert_int_equal(exec_args_init(&a, MIB(8)), 0);
	assert_int_equal(copy(&a, argv, NULL), -EFAULT);
	assert_int_equal(exec_args_copy(&a, (vector)8, NULL), -EFAULT);
	exec_args_free(&a);
}

static void test_memory_fails(void **state)
{
	char *big = malloc(100000);
	const char *argv[] = {big, big, big, NULL}, *script[] = {big, "x"};
	bool done = false;

	memset(big, 'x', 99999);
	big[99999] = 0;
	for (u64 n = 0; !done; n++) {
		struct exec_args a;

		host_alloc_fail_after(n);
		if (!exec_args_init(&a, MIB(8))) {
			done = !copy(&a, argv, NULL) && !exec_args_replace_first(&a, script, 2);
			exec_args_free(&a);
		}
		host_alloc_fail_never();
		assert_int_equal(host_heap_live(), 0);
		assert_int_equal(host_pages_live(), 0);
	}
	free(big);
}

UNIT_TESTS(test_order, test_no_arguments, test_script, test_limits, test_bad_pointers, test_memory_fails)
