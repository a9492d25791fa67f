// SPDX-License-Identifier: BSD-2-Clause
/* tmpfs against a model: random sequences of operations on a small name space, each answer and, now and then,
 * the whole tree and all contents compared; then the corners: sparse files, limits, fallocate, seals,
 * extended attributes, O_TMPFILE. */
// sources: tests/unit/fs/model.c fs/vfs/*.c fs/tmpfs/*.c
// sources: kernel/drivers/block.c kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <asm/statfs.h>

#include "base/err.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"
#include "tests/unit/fs/model.h"

static void start(void)
{
	fs_host_start("tmpfs", "tmpfs");
	fs_host_user(0, 0);
}

static void test_model(void **state)
{
	start();
	for (u64 run = 1; run <= 12; run++) {
		u64 pages = host_pages_live();

		model_reset(run);
		assert_int_equal(SYS(mkdir, "/model", 0755), 0);
		assert_int_equal(SYS(mount, "m", "/model", "tmpfs", 0, "mode=755"), 0);
		for (int k = 0; k < 2500; k++) {
			model_step();
			if (k % 250 == 0)
				model_check();
			if (k % 400 == 0)
				host_rcu_quiesce();
		}
		model_check();
		/* Everything goes with the mount: the whole tree at once, pages included. */
		assert_int_equal(SYS(umount2, "/model", 0), 0);
		assert_int_equal(SYS(rmdir, "/model"), 0);
		host_rcu_quiesce();
		assert_int_equal(host_pages_live(), pages);
	}
	model_reset(0);
}

static void test_deep(void **state)
{
	char name[8] = "d";
	u64 heap;

	start();
	assert_int_equal(SYS(mkdir, "/deep", 0755), 0);
	assert_int_equal(SYS(mount, "m", "/deep", "tmpfs", 0, 0), 0);
	host_rcu_quiesce();
	heap = host_heap_live();
	assert_int_equal(SYS(chdir, "/deep"), 0);
	for (int k = 0; k < 5000; k++) {
		assert_int_equal(SYS(mkdir, name, 0755), 0);
		assert_int_equal(SYS(chdir, name), 0);
	}
	assert_int_equal(SYS(chdir, "/"), 0);
	assert_int_equal(SYS(umount2, "/deep", 0), 0);
	host_rcu_quiesce();
	assert_true(host_heap_live() < heap);
	SYS(rmdir, "/deep");
}

static void test_sparse(void **state)
{
	char buf[8192];
	struct statx x;
	long fd;

	start();
	fd = SYS(open, "/sparse", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(pwrite64, fd, "x", 1, 1ull << 40), 1);
	assert_int_equal(SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x), 0);
	assert_int_equal(x.stx_size, (1ull << 40) + 1);
	assert_int_equal(x.stx_blocks, 8);
	assert_int_equal(SYS(pread64, fd, buf, sizeof buf, 12345), sizeof buf);
	for (unsigned k = 0; k < sizeof buf; k++)
		assert_int_equal(buf[k], 0);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_blocks, 8); /* reading a hole makes no pages */
	assert_int_equal(SYS(lseek, fd, 0, SEEK_DATA), 1ull << 40);
	assert_int_equal(SYS(lseek, fd, 0, SEEK_HOLE), 0);
	assert_int_equal(SYS(lseek, fd, 1ull << 40, SEEK_HOLE), (1ull << 40) + 1);
	assert_int_equal(SYS(lseek, fd, (1ull << 40) + 1, SEEK_DATA), -ENXIO);
	assert_int_equal(SYS(lseek, fd, 0, SEEK_END), (1ull << 40) + 1);
	assert_int_equal(SYS(lseek, fd, -1, SEEK_SET), -EINVAL);
	assert_int_equal(SYS(lseek, fd, INT64_MAX, SEEK_CUR), -EINVAL);
	assert_int_equal(SYS(pwrite64, fd, "xy", 2, INT64_MAX - 1), -EINVAL);
	assert_int_equal(SYS(pwrite64, fd, "x", 1, INT64_MAX - 1), 1);
	assert_int_equal(SYS(pwrite64, fd, "xy", 2, INT64_MAX), -EINVAL);
	assert_int_equal(SYS(ftruncate, fd, 0), 0);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_blocks, 0);
	SYS(close, fd);
	SYS(unlink, "/sparse");
}

static void test_limits(void **state)
{
	static char buf[65536];
	struct statfs st;
	char name[32];
	long fd, n, made = 0;

	start();
	SYS(mkdir, "/lim", 0755);
	assert_int_equal(SYS(mount, "m", "/lim", "tmpfs", 0, "size=64k,nr_inodes=10"), 0);
	fd = SYS(open, "/lim/f", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(write, fd, buf, 60000), 60000);
	assert_int_equal(SYS(write, fd, buf, 60000), 65536 - 60000); /* as much as fits */
	assert_int_equal(SYS(write, fd, buf, 1), -ENOSPC);
	assert_int_equal(SYS(statfs, "/lim", &st), 0);
	assert_int_equal(st.f_type, TMPFS_MAGIC);
	assert_int_equal(st.f_blocks, 16);
	assert_int_equal(st.f_bfree, 0);
	assert_int_equal(SYS(ftruncate, fd, 4096), 0);
	SYS(statfs, "/lim", &st);
	assert_int_equal(st.f_bfree, 15);
	assert_int_equal(SYS(fallocate, fd, 0, 0, 1 << 20), -ENOSPC);
	SYS(statfs, "/lim", &st);
	assert_int_equal(st.f_bfree, 15); /* all or nothing */
	assert_int_equal(SYS(fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 65536), 0);
	SYS(statfs, "/lim", &st);
	assert_int_equal(st.f_bfree, 0);
	assert_int_equal(SYS(lseek, fd, 0, SEEK_END), 4096);
	for (n = 0; n >= 0; made++) {
		snprintf(name, sizeof name, "/lim/i%ld", made);
		n = SYS(mkdir, name, 0755);
	}
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(made, 9);
	SYS(close, fd);
	assert_int_equal(SYS(umount2, "/lim", 0), 0);
	/* RLIMIT_FSIZE. */
	current_process()->rlim[RLIMIT_FSIZE].rlim_cur = 5000;
	fs_host_signals = 0;
	fd = SYS(open, "/fsize", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(write, fd, buf, 8000), 5000);
	assert_int_equal(fs_host_signals, 0);
	assert_int_equal(SYS(write, fd, buf, 1), -EFBIG);
	assert_int_equal(SYS(ftruncate, fd, 6000), -EFBIG);
	assert_int_equal(SYS(fallocate, fd, 0, 0, 6000), -EFBIG);
	assert_int_equal(fs_host_signals, 3);
	current_process()->rlim[RLIMIT_FSIZE].rlim_cur = RLIM64_INFINITY;
	SYS(close, fd);
	SYS(unlink, "/fsize");
}

static void test_append(void **state)
{
	char buf[32];
	long a, b;

	start();
	a = SYS(open, "/app", O_CREAT | O_WRONLY | O_APPEND, 0600);
	b = SYS(open, "/app", O_RDWR | O_APPEND);
	assert_int_equal(SYS(write, a, "one ", 4), 4);
	assert_int_equal(SYS(write, b, "two ", 4), 4);
	assert_int_equal(SYS(pwrite64, a, "three", 5, 0), 5); /* Linux: O_APPEND wins over the offset */
	assert_int_equal(SYS(pread64, b, buf, sizeof buf, 0), 13);
	assert_memory_equal(buf, "one two three", 13);
	SYS(close, a);
	SYS(close, b);
	SYS(unlink, "/app");
}

static void test_bad_memory(void **state)
{
	char *buf = aligned_alloc(4096, 3 * 4096);
	struct statx x;
	long fd;

	start();
	memset(buf, 'x', 3 * 4096);
	host_app_bad_range(buf + 4096 + 100, 4096);
	fd = SYS(open, "/bad", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(write, fd, buf, 3 * 4096), 4096 + 100);
	assert_int_equal(SYS(write, fd, buf + 4096 + 100, 10), -EFAULT);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_size, 4096 + 100);
	assert_int_equal(SYS(pread64, fd, buf + 4096 + 50, 4096, 0), 50);
	assert_int_equal(SYS(pread64, fd, buf + 4096 + 100, 10, 0), -EFAULT);
	assert_int_equal(SYS(read, fd, (void *)0xffff800000000000ul, 1), -EFAULT);
	assert_int_equal(SYS(read, fd, buf, -1), -EFAULT); /* ends beyond the lower half */
	host_app_clear();
	SYS(close, fd);
	SYS(unlink, "/bad");
	free(buf);
}

static void test_tmpfile(void **state)
{
	char path[32];
	struct statx x;
	long fd;

	start();
	assert_int_equal(SYS(open, "/", O_TMPFILE | O_RDONLY, 0600), -EINVAL);
	fd = SYS(open, "/", O_TMPFILE | O_RDWR, 0600);
	assert_true(fd >= 0);
	assert_int_equal(SYS(write, fd, "hi", 2), 2);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_nlink, 0);
	assert_int_equal(SYS(linkat, fd, "", AT_FDCWD, "/named", AT_EMPTY_PATH), 0);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_nlink, 1);
	SYS(close, fd);
	fd = SYS(open, "/named", O_RDONLY);
	assert_int_equal(SYS(read, fd, path, 10), 2);
	SYS(close, fd);
	assert_int_equal(SYS(unlink, "/named"), 0);
	fd = SYS(open, "/", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	assert_int_equal(SYS(linkat, fd, "", AT_FDCWD, "/named", AT_EMPTY_PATH), -ENOENT);
	SYS(close, fd);
}

#define F_ADD 1033
#define F_GET 1034

static void test_seals(void **state)
{
	struct file *f;
	struct vma vma = {0};
	long fd, plain;

	start();
	fd = SYS(memfd_create, "sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(SYS(fcntl, fd, 1), 1);
	assert_int_equal(SYS(write, fd, "0123456789", 10), 10);
	assert_int_equal(SYS(fcntl, fd, F_GET), 0);
	assert_int_equal(SYS(fcntl, fd, F_ADD, F_SEAL_SHRINK), 0);
	assert_int_equal(SYS(ftruncate, fd, 5), -EPERM);
	assert_int_equal(SYS(ftruncate, fd, 20), 0);
	assert_int_equal(SYS(fcntl, fd, F_ADD, F_SEAL_GROW), 0);
	assert_int_equal(SYS(ftruncate, fd, 30), -EPERM);
	assert_int_equal(SYS(pwrite64, fd, "x", 1, 25), -EPERM);
	assert_int_equal(SYS(pwrite64, fd, "x", 1, 5), 1);
	assert_int_equal(SYS(fallocate, fd, 0, 0, 100), -EPERM);
	/* A writable mapping stands in the way of F_SEAL_WRITE. */
	f = fd_get((int)fd);
	vma.file = f;
	vma.flags = VMA_READ | VMA_WRITE | VMA_SHARED | VMA_MAYWRITE;
	assert_int_equal(f->ops->mmap(f, &vma), 0);
	assert_int_equal(SYS(fcntl, fd, F_ADD, F_SEAL_WRITE), -EBUSY);
	vma.ops->close(&vma);
	assert_int_equal(SYS(fcntl, fd, F_ADD, F_SEAL_WRITE), 0);
	assert_int_equal(f->ops->mmap(f, &vma), -EPERM);
	vma.flags = VMA_READ | VMA_SHARED | VMA_MAYWRITE;
	assert_int_equal(f->ops->mmap(f, &vma), 0);
	assert_false(vma.flags & VMA_MAYWRITE);
	file_put(f);
	assert_int_equal(SYS(pwrite64, fd, "x", 1, 5), -EPERM);
	assert_int_equal(SYS(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4), -EPERM);
	assert_int_equal(SYS(fcntl, fd, F_ADD, F_SEAL_SEAL), 0);
	assert_int_equal(SYS(fcntl, fd, F_ADD, F_SEAL_SEAL), -EPERM);
	assert_int_equal(SYS(fcntl, fd, F_GET), 15);
	SYS(close, fd);
	plain = SYS(memfd_create, "plain", 0);
	assert_int_equal(SYS(fcntl, plain, F_GET), F_SEAL_SEAL);
	assert_int_equal(SYS(fcntl, plain, F_ADD, F_SEAL_GROW), -EPERM);
	assert_int_equal(SYS(fcntl, plain, F_ADD, 0x100), -EINVAL);
	SYS(close, plain);
	assert_int_equal(SYS(memfd_create, "x", 0x100), -EINVAL);
}

static void test_xattrs(void **state)
{
	char buf[64], big[300];
	long fd;

	start();
	fd = SYS(open, "/x", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(setxattr, "/x", "user.a", "one", 3, 0), 0);
	assert_int_equal(SYS(setxattr, "/x", "user.a", "two", 3, 1 /* CREATE */), -EEXIST);
	assert_int_equal(SYS(setxattr, "/x", "user.b", "two", 3, 2 /* REPLACE */), -ENODATA);
	assert_int_equal(SYS(fsetxattr, fd, "user.bb", "", 0, 0), 0);
	assert_int_equal(SYS(getxattr, "/x", "user.a", buf, sizeof buf), 3);
	assert_memory_equal(buf, "one", 3);
	assert_int_equal(SYS(getxattr, "/x", "user.a", buf, 2), -ERANGE);
	assert_int_equal(SYS(getxattr, "/x", "user.a", 0, 0), 3);
	assert_int_equal(SYS(getxattr, "/x", "user.none", buf, sizeof buf), -ENODATA);
	assert_int_equal(SYS(getxattr, "/x", "system.posix_acl_access", buf, sizeof buf), -ENODATA);
	assert_int_equal(SYS(getxattr, "/x", "bogus", buf, sizeof buf), -EOPNOTSUPP);
	assert_int_equal(SYS(flistxattr, fd, buf, sizeof buf), 7 + 8);
	assert_int_equal(SYS(listxattr, "/x", buf, 3), -ERANGE);
	assert_int_equal(SYS(listxattr, "/x", 0, 0), 15);
	assert_int_equal(SYS(setxattr, "/x", "trusted.t", "1", 1, 0), 0);
	assert_int_equal(SYS(chmod, "/x", 0666), 0);
	fs_host_user(7, 7);
	assert_int_equal(SYS(setxattr, "/x", "trusted.u", "1", 1, 0), -EPERM);
	assert_int_equal(SYS(getxattr, "/x", "trusted.t", buf, sizeof buf), -ENODATA);
	assert_int_equal(SYS(listxattr, "/x", 0, 0), 15);
	fs_host_user(0, 0);
	assert_int_equal(SYS(removexattr, "/x", "user.a"), 0);
	assert_int_equal(SYS(removexattr, "/x", "user.a"), -ENODATA);
	memset(big, 'n', sizeof big);
	memcpy(big, "user.", 5);
	big[299] = 0;
	assert_int_equal(SYS(setxattr, "/x", big, "", 0, 0), -ERANGE);
	assert_int_equal(SYS(setxattr, "/x", "user.big", buf, 65537, 0), -E2BIG);
	assert_int_equal(SYS(symlink, "x", "/xl"), 0);
	assert_int_equal(SYS(lsetxattr, "/xl", "user.a", "1", 1, 0), -EPERM);
	SYS(unlink, "/xl");
	SYS(close, fd);
	SYS(unlink, "/x");
}

static void test_times(void **state)
{
	struct statx x;
	s64 t[4] = {100, 5, -3, 999999999};
	char buf[4];
	long fd;

	start();
	fd = SYS(open, "/t", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(utimensat, AT_FDCWD, "/t", t, 0), 0);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_atime.tv_sec, 100);
	assert_int_equal(x.stx_atime.tv_nsec, 5);
	assert_int_equal(x.stx_mtime.tv_sec, -3);
	assert_int_equal(x.stx_mtime.tv_nsec, 999999999);
	t[1] = (1l << 30) - 2; /* UTIME_OMIT */
	t[3] = (1l << 30) - 1; /* UTIME_NOW */
	host_time_set_realtime(5000000000000ull);
	assert_int_equal(SYS(utimensat, fd, 0, t, 0), 0);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_atime.tv_sec, 100);
	assert_int_equal(x.stx_mtime.tv_sec, 5000);
	t[1] = 1000000000;
	assert_int_equal(SYS(utimensat, fd, 0, t, 0), -EINVAL);
	/* relatime: the first read after a change marks the time. */
	SYS(write, fd, "x", 1);
	SYS(pread64, fd, buf, 1, 0);
	SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x);
	assert_int_equal(x.stx_atime.tv_sec, 5000);
	assert_int_equal(SYS(chmod, "/t", 0666), 0);
	fs_host_user(3, 3);
	t[1] = 0;
	assert_int_equal(SYS(utimensat, AT_FDCWD, "/t", t, 0), -EPERM);
	assert_int_equal(SYS(utimensat, AT_FDCWD, "/t", 0, 0), 0);
	fs_host_user(0, 0);
	SYS(close, fd);
	SYS(unlink, "/t");
}

UNIT_TESTS(test_model, test_deep, test_sparse, test_limits, test_append, test_bad_memory, test_tmpfile,
	   test_seals, test_xattrs, test_times)
