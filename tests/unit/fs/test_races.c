// SPDX-License-Identifier: BSD-2-Clause
/* Threads at work on one small tree and one descriptor table at once, while the name cache is pruned under
 * them: every call gives an answer that some order of the calls explains, nothing is lost, nothing leaks,
 * nobody hangs. */
// sources: fs/vfs/*.c fs/tmpfs/*.c fs/overlay/*.c kernel/drivers/block.c
// sources: kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#include "base/err.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/kthread.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "tests/unit/fs/fs_host.h"

#define THREADS 4
#define ROUNDS	2500

static _Atomic long unexpected;
static _Atomic bool stop;
static struct thread *starter; /* whose descriptors and directories all share */

static u32 next(u32 *r)
{
	*r = *r * 1664525 + 1013904223;
	return *r >> 8;
}

static const char *name(u32 *r, char *buf)
{
	static const char *const words[] = {"a", "b", "c", "d",
					    "long name that needs an allocation of its own, yes"};
	u32 depth = 1 + next(r) % 3;

	strcpy(buf, "/race");
	while (depth--) {
		strcat(buf, "/");
		strcat(buf, words[next(r) % 5]);
	}
	return buf;
}

/* One of the answers that these calls may give. */
static void check(long got, const int *allowed)
{
	if (got >= 0)
		return;
	for (; *allowed; allowed++)
		if (got == -*allowed)
			return;
	unexpected = got;
}

static void worker(void *arg)
{
	static const int errors[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL,
				     EPERM,  EXDEV,  EBUSY,   ELOOP,  0};
	u32 r = (u32)(uintptr_t)arg * 7919;
	char a[256], b[256], data[64];
	struct statx x;
	long fd;

	current->files = starter->files;
	current->fs = starter->fs;
	for (int k = 0; k < ROUNDS; k++) {
		name(&r, a);
		name(&r, b);
		switch (next(&r) % 9) {
		case 0:
			fd = SYS(open, a, O_CREAT | O_RDWR, 0644);
			check(fd, errors);
			if (fd >= 0) {
				check(SYS(write, fd, "data", 4), errors);
				check(SYS(close, fd), errors);
			}
			break;
		case 1:
			check(SYS(unlink, a), errors);
			break;
		case 2:
			check(SYS(mkdir, a, 0755), errors);
			break;
		case 3:
			check(SYS(rmdir, a), errors);
			break;
		case 4:
			check(SYS(renameat2, AT_FDCWD, a, AT_FDCWD, b, next(&r) % 4 ? 0 : RENAME_EXCHANGE),
			      errors);
			break;
		case 5:
			check(SYS(link, a, b), errors);
			break;
		case 6:
			check(SYS(statx, AT_FDCWD, a, 0, STATX_ALL, &x), errors);
			break;
		case 7:
			fd = SYS(open, a, O_RDONLY);
			check(fd, errors);
			if (fd >= 0) {
				char text[600];
				struct file *f = fd_get((int)fd);

				if (!f || IS_ERR(path_text(&f->path, text, sizeof text)))
					unexpected = -1;
				if (f)
					file_put(f);
				SYS(getdents64, fd, text, sizeof text);
				SYS(read, fd, data, sizeof data);
				check(SYS(close, fd), errors);
			}
			break;
		default:
			fd = SYS(dup, 0);
			check(fd, errors);
			if (fd >= 0)
				check(SYS(close, fd), errors);
		}
	}
}

extern void dcache_prune(u64 n);

static void pruner(void *arg)
{
	while (!stop) {
		dcache_prune(50);
		cond_resched();
	}
}

/* Empty the current directory. Renames may have made paths too long to be named from the top. */
static void remove_all(void)
{
	char buf[2048];
	long fd, n, left;

	do {
		left = 0;
		fd = SYS(open, ".", O_RDONLY);
		n = SYS(getdents64, fd, buf, sizeof buf);
		SYS(close, fd);
		for (long at = 0; at < n; at += *(u16 *)(buf + at + 16)) {
			const char *s = buf + at + 19;

			if (!strcmp(s, ".") || !strcmp(s, ".."))
				continue;
			left++;
			if (buf[at + 18] == 4) {
				assert_int_equal(SYS(chdir, s), 0);
				remove_all();
				assert_int_equal(SYS(chdir, ".."), 0);
				assert_int_equal(SYS(rmdir, s), 0);
			} else {
				assert_int_equal(SYS(unlink, s), 0);
			}
		}
	} while (left);
}

static void race(const char *type, const char *options)
{
	struct thread *t[THREADS + 1];
	u64 heap, pages;
	long zero;

	fs_host_start("tmpfs", "tmpfs");
	fs_host_user(0, 0);
	SYS(mkdir, "/race", 0755);
	SYS(mkdir, "/low", 0755);
	zero = SYS(open, "/", O_RDONLY);
	assert_int_equal(zero, 0);
	fs_host_prune();
	heap = host_heap_live();
	pages = host_pages_live();
	assert_int_equal(SYS(mount, "r", "/race", type, 0, options), 0);
	starter = current;
	stop = false;
	unexpected = 0;
	for (uintptr_t k = 0; k < THREADS; k++)
		t[k] = host_thread_start(worker, (void *)(k + 1));
	t[THREADS] = host_thread_start(pruner, NULL);
	for (int k = 0; k < THREADS; k++)
		host_thread_join(t[k]);
	stop = true;
	host_thread_join(t[THREADS]);
	assert_int_equal(unexpected, 0);
	assert_int_equal(fdtable_count(current->files, NULL), 1);
	assert_int_equal(SYS(chdir, "/race"), 0);
	remove_all();
	assert_int_equal(SYS(chdir, "/"), 0);
	assert_int_equal(SYS(umount2, "/race", 0), 0);
	fs_host_prune();
	assert_int_equal(host_pages_live(), pages);
	assert_in_range(host_heap_live(), 0, heap + 4);
	SYS(close, zero);
}

static void test_tmpfs(void **state)
{
	race("tmpfs", "");
}

static void test_overlay(void **state)
{
	race("overlay", "lowerdir=/low");
}

UNIT_TESTS(test_tmpfs, test_overlay)
