// SPDX-License-Identifier: BSD-2-Clause
/* The argument block of execve: strings of argv and envp gathered in one kernel buffer, in the order in which
 * they will lie on the new stack. Limits as on Linux: 128 KiB a string; strings and pointers together a
 * quarter of the stack limit, at least 128 KiB, at most 6 MiB. E2BIG beyond. execve(2), "Limits on size of
 * arguments and environment". */
#include "base/string.h"
#include "exec.h"
#include "kernel/alloc.h"

#define ARGS_LEAST KIB(128)
#define ARGS_MOST  MIB(6)
#define HEAP_MOST  KIB(64) /* larger blocks come from vmalloc */

static char *block_alloc(size_t size)
{
	return size <= HEAP_MOST ? kmalloc(size) : vmalloc(size);
}

static void block_free(char *p, size_t size)
{
	if (size <= HEAP_MOST)
		kfree(p);
	else
		vfree(p);
}

int exec_args_init(struct exec_args *a, u64 stack_limit)
{
	memset(a, 0, sizeof(*a));
	a->limit = clamp(stack_limit / 4, ARGS_LEAST, ARGS_MOST);
	a->room = KIB(8);
	a->buf = block_alloc(a->room);
	return a->buf ? 0 : -ENOMEM;
}

void exec_args_free(struct exec_args *a)
{
	if (a->buf)
		block_free(a->buf, a->room);
	a->buf = NULL;
}

/* Room for N bytes more, and at least twice as much as before. */
static int grow(struct exec_args *a, size_t n)
{
	size_t room = ALIGN_UP(max(a->len + n, a->room * 2), PAGE_SIZE);
	char *buf = block_alloc(room);

	if (!buf)
		return -ENOMEM;
	memcpy(buf, a->buf, a->len);
	block_free(a->buf, a->room);
	a->buf = buf;
	a->room = room;
	return 0;
}

static int check_total(const struct exec_args *a)
{
	size_t pointers = (max(a->argc, 1u) + a->envc) * sizeof(u64);

	return pointers >= a->limit || a->len > a->limit - pointers ? -E2BIG : 0;
}

static int push_app(struct exec_args *a, const char __app *s)
{
	for (;;) {
		size_t room = min(a->room - a->len, (size_t)EXEC_STRING_MAX);
		ssize_t n = room ? string_from_app(a->buf + a->len, s, room) : -ENAMETOOLONG;
		int err;

		if (n >= 0) {
			a->len += (size_t)n + 1;
			return check_total(a);
		}
		if (n != -ENAMETOOLONG)
			return (int)n;
		if (room == EXEC_STRING_MAX)
			return -E2BIG;
		err = grow(a, room + 1);
		if (err)
			return err;
	}
}

static int push_kernel(struct exec_args *a, const char *s)
{
	size_t n = strlen(s) + 1;
	int err;

	if (n > EXEC_STRING_MAX)
		return -E2BIG;
	if (n > a->room - a->len) {
		err = grow(a, n);
		if (err)
			return err;
	}
	memcpy(a->buf + a->len, s, n);
	a->len += n;
	return check_total(a);
}

/* All strings of a NULL-terminated vector in the application; NULL stands for an empty one. */
static int push_vector(struct exec_args *a, const char __app *const __app *v, u32 *count)
{
	for (; v; v++) {
		const char __app *s;
		int err;

		if (get_app(s, v))
			return -EFAULT;
		if (!s)
			break;
		++*count;
		err = push_app(a, s);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -ERESTARTNOHAND;
		cond_resched();
	}
	return 0;
}

/* A program may count on argv[0]. */
static int finish_argv(struct exec_args *a)
{
	int err = 0;

	if (!a->argc) {
		a->argc = 1;
		err = push_kernel(a, "");
	}
	a->arg_bytes = a->len;
	return err;
}

int exec_args_copy(struct exec_args *a, const char __app *const __app *argv,
		   const char __app *const __app *envp)
{
	int err = push_vector(a, argv, &a->argc);

	if (!err)
		err = finish_argv(a);
	if (!err)
		err = push_vector(a, envp, &a->envc);
	return err;
}

int exec_args_copy_kernel(struct exec_args *a, const char *const argv[], const char *const envp[])
{
	int err = 0;

	for (; !err && argv[a->argc]; a->argc++)
		err = push_kernel(a, argv[a->argc]);
	if (!err)
		err = finish_argv(a);
	for (; !err && envp[a->envc]; a->envc++)
		err = push_kernel(a, envp[a->envc]);
	return err;
}

int exec_args_replace_first(struct exec_args *a, const char *const strings[], unsigned n)
{
	size_t old = strlen(a->buf) + 1, new = 0, at = 0;
	int err;

	for (unsigned i = 0; i < n; i++)
		new += strlen(strings[i]) + 1;
	if (new > old &&new - old > a->room - a->len) {
		err = grow(a, new - old);
		if (err)
			return err;
	}
	memmove(a->buf + new, a->buf + old, a->len - old);
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(strings[i]) + 1;

		memcpy(a->buf + at, strings[i], len);
		at += len;
	}
	a->len += new - old;
	a->arg_bytes += new - old;
	a->argc += n - 1;
	return check_total(a);
}

int exec_args_add_name(struct exec_args *a, const char *name)
{
	return push_kernel(a, name);
}
