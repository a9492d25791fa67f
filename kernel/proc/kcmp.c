// SPDX-License-Identifier: BSD-2-Clause
/* kcmp(2): do two threads share a resource? Objects are put in an order that tells nothing of their
 * addresses. */
#include "fs/file.h"
#include "kernel/init.h"
#include "kernel/random.h"
#include "kernel/syscall.h"
#include "ptrace.h"
#include <linux/kcmp.h>

static u64 secret; /* odd */

static int kcmp_init(void)
{
	secret = random_u64() | 1;
	return 0;
}
INITCALL(kcmp_init, INIT_FS);

/* 0 the same, 1 less, 2 greater. */
static long order(const void *a, const void *b)
{
	u64 x = (u64)a * secret, y = (u64)b * secret;

	return x == y ? 0 : x < y ? 1 : 2;
}

/* The open file behind descriptor FD of T, with a reference; NULL: none. */
static struct file *file_of(struct thread *t, u64 fd)
{
	struct fdtable *files = thread_get_files(t);
	struct file *f = files && fd <= INT32_MAX ? fdtable_lookup(files, (int)fd) : NULL;

	if (files)
		fdtable_put(files);
	return f;
}

static long compare_files(struct thread *a, struct thread *b, u64 fd1, u64 fd2)
{
	struct file *f = file_of(a, fd1), *g = file_of(b, fd2);
	long ret = f && g ? order(f, g) : -EBADF;

	if (f)
		file_put(f);
	if (g)
		file_put(g);
	return ret;
}

static long compare(struct thread *a, struct thread *b, int type, u64 idx1, u64 idx2)
{
	switch (type) {
	case KCMP_FILE:
		return compare_files(a, b, idx1, idx2);
	case KCMP_VM:
		return order(READ_ONCE(a->proc->vm), READ_ONCE(b->proc->vm));
	case KCMP_FILES:
		return order(READ_ONCE(a->files), READ_ONCE(b->files));
	case KCMP_FS:
		return order(READ_ONCE(a->fs), READ_ONCE(b->fs));
	case KCMP_SIGHAND:
		return order(READ_ONCE(a->proc->sighand), READ_ONCE(b->proc->sighand));
	/* A process's own; those that have none yet have the same. */
	case KCMP_IO:
		return order(READ_ONCE(a->proc->ioprio) ? a->proc : NULL,
			     READ_ONCE(b->proc->ioprio) ? b->proc : NULL);
	case KCMP_SYSVSEM:
		return order(READ_ONCE(a->proc->semundo) ? a->proc : NULL,
			     READ_ONCE(b->proc->semundo) ? b->proc : NULL);
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE5(kcmp, int, pid1, int, pid2, int, type, u64, idx1, u64, idx2)
{
	struct thread *a = thread_find((u32)pid1), *b = thread_find((u32)pid2);
	long ret = -ESRCH;

	if (a && b)
		ret = ptrace_may_access_thread(a, PTRACE_BY_REAL_IDS) &&
				      ptrace_may_access_thread(b, PTRACE_BY_REAL_IDS)
			      ? compare(a, b, type, idx1, idx2)
			      : -EPERM;
	if (a)
		thread_put(a);
	if (b)
		thread_put(b);
	return ret;
}
