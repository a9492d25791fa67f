// SPDX-License-Identifier: BSD-2-Clause
/* The overlay: random operations over a lower tree made by the same model, then the corners: copies up keep
 * numbers, attributes and contents, hard links stay together, whiteouts and opaque directories hide, the
 * lower tree is never touched, and the boot path puts an overlay over a real EROFS root. */
// sources: tests/unit/fs/model.c fs/vfs/*.c fs/tmpfs/*.c fs/erofs/*.c fs/overlay/*.c
// sources: kernel/drivers/block.c kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <unistd.h>

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "base/err.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/blockdev.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"
#include "tests/unit/fs/model.h"

static void start(void)
{
	fs_host_start("tmpfs", "tmpfs");
	fs_host_user(0, 0);
}

static void mkfile(const char *path, const char *text)
{
	long fd = SYS(open, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(SYS(write, fd, text, strlen(text)), strlen(text));
	assert_int_equal(SYS(close, fd), 0);
}

static void expect_text(const char *path, const char *text)
{
	char buf[256];
	long fd = SYS(open, path, O_RDONLY), n;

	if (fd < 0)
		fail_msg("%s: %ld", path, fd);
	n = SYS(read, fd, buf, sizeof buf);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, (size_t)n);
	SYS(close, fd);
}

static void test_model(void **state)
{
	start();
	for (u64 run = 1; run <= 12; run++) {
		u64 pages = host_pages_live();

		model_reset(run + 100);
		assert_int_equal(SYS(mkdir, "/model", 0755), 0);
		assert_int_equal(SYS(mount, "m", "/model", "tmpfs", 0, "mode=755"), 0);
		for (int k = 0; k < 400; k++)
			model_step();
		model_check();
		assert_int_equal(SYS(mount, "o", "/model", "overlay", 0, "lowerdir=/model"), 0);
		model_now_overlay();
		for (int k = 0; k < 1500; k++) {
			model_step();
			if (k % 150 == 0)
				model_check();
			if (k % 300 == 0)
				host_rcu_quiesce();
			/* Names and inodes that nobody uses go from the caches: what counts is in the two
			 * trees. */
			if (k % 200 == 100)
				fs_host_prune();
		}
		model_check();
		assert_int_equal(SYS(umount2, "/model", 0), 0);
		assert_int_equal(SYS(umount2, "/model", 0), 0);
		assert_int_equal(SYS(rmdir, "/model"), 0);
		host_rcu_quiesce();
		assert_int_equal(host_pages_live(), pages);
	}
	model_reset(0);
}

/* /low with some things in it, /over on top of it. */
static void make_pair(void)
{
	start();
	SYS(mkdir, "/low", 0755);
	SYS(mkdir, "/over", 0755);
	assert_int_equal(SYS(mount, "l", "/low", "tmpfs", 0, "mode=755"), 0);
	assert_int_equal(SYS(mkdir, "/low/d", 0750), 0);
	assert_int_equal(SYS(mkdir, "/low/d/e", 0755), 0);
	mkfile("/low/d/e/f", "deep");
	mkfile("/low/a", "lower a");
	assert_int_equal(SYS(link, "/low/a", "/low/d/a2"), 0);
	assert_int_equal(SYS(symlink, "a", "/low/s"), 0);
	assert_int_equal(SYS(setxattr, "/low/a", "user.x", "1", 1, 0), 0);
	assert_int_equal(SYS(chown, "/low/a", 5, 6), 0);
	assert_int_equal(SYS(mount, "o", "/over", "overlay", 0, "lowerdir=/low"), 0);
}

static void drop_pair(void)
{
	assert_int_equal(SYS(umount2, "/over", 0), 0);
	assert_int_equal(SYS(umount2, "/low", 0), 0);
	host_rcu_quiesce();
}

static u64 ino_of(const char *path)
{
	struct statx x;

	assert_int_equal(SYS(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_ALL, &x), 0);
	return x.stx_ino;
}

static void test_copy_up(void **state)
{
	struct statx x, y;
	char buf[32];
	long old, fd;
	u64 ino;

	make_pair();
	ino = ino_of("/over/a");
	SYS(statx, AT_FDCWD, "/over/a", 0, STATX_ALL, &x);
	old = SYS(open, "/over/a", O_RDONLY);
	fd = SYS(open, "/over/a", O_RDWR);
	assert_int_equal(ino_of("/over/a"), ino);
	assert_int_equal(SYS(pwrite64, fd, "UPPER", 5, 0), 5);
	expect_text("/over/a", "UPPER a");
	expect_text("/low/a", "lower a");
	/* All names of the file, and whoever opened it before the copy still has the old one. */
	expect_text("/over/d/a2", "UPPER a");
	assert_int_equal(SYS(read, old, buf, sizeof buf), 7);
	assert_memory_equal(buf, "lower a", 7);
	fs_host_prune();
	expect_text("/over/d/a2", "UPPER a");
	assert_int_equal(ino_of("/over/d/a2"), ino);
	SYS(statx, AT_FDCWD, "/over/a", 0, STATX_ALL, &y);
	assert_int_equal(y.stx_nlink, 2);
	assert_int_equal(y.stx_uid, 5);
	assert_int_equal(y.stx_gid, 6);
	assert_int_equal(y.stx_mode, x.stx_mode);
	assert_int_equal(y.stx_dev_minor, x.stx_dev_minor);
	assert_int_equal(SYS(getxattr, "/over/a", "user.x", buf, sizeof buf), 1);
	SYS(close, old);
	SYS(close, fd);
	/* Metadata alone. */
	ino = ino_of("/over/d/e/f");
	assert_int_equal(SYS(chmod, "/over/d/e/f", 0600), 0);
	assert_int_equal(ino_of("/over/d/e/f"), ino);
	expect_text("/over/d/e/f", "deep");
	SYS(statx, AT_FDCWD, "/over/d", 0, STATX_ALL, &x);
	assert_int_equal(x.stx_mode & 07777, 0750);
	/* O_TRUNC copies nothing. */
	fd = SYS(open, "/over/d/e/f", O_WRONLY | O_TRUNC);
	assert_int_equal(SYS(write, fd, "new", 3), 3);
	SYS(close, fd);
	expect_text("/over/d/e/f", "new");
	expect_text("/low/d/e/f", "deep");
	assert_int_equal(SYS(readlink, "/over/s", buf, sizeof buf), 1);
	drop_pair();
}

static void test_hiding(void **state)
{
	char buf[400];
	long fd, n, names = 0;

	make_pair();
	assert_int_equal(SYS(unlink, "/over/a"), 0);
	assert_int_equal(SYS(access, "/over/a", 0), -ENOENT);
	assert_int_equal(SYS(access, "/low/a", 0), 0);
	expect_text("/over/d/a2", "lower a");
	fs_host_prune();
	assert_int_equal(SYS(access, "/over/a", 0), -ENOENT);
	mkfile("/over/a", "again");
	expect_text("/over/a", "again");
	expect_text("/over/d/a2", "lower a");
	assert_int_equal(SYS(rmdir, "/over/d"), -ENOTEMPTY);
	assert_int_equal(SYS(unlink, "/over/d/e/f"), 0);
	assert_int_equal(SYS(rmdir, "/over/d/e"), 0);
	assert_int_equal(SYS(mkdir, "/over/d/e", 0700), 0);
	fs_host_prune();
	assert_int_equal(SYS(access, "/over/d/e/f", 0), -ENOENT); /* nothing shows through a new directory */
	mkfile("/over/d/e/g", "g");
	fd = SYS(open, "/over/d/e", O_RDONLY);
	while ((n = SYS(getdents64, fd, buf, 64)) > 0)
		for (long at = 0; at < n; at += *(u16 *)(buf + at + 16))
			names++;
	assert_int_equal(names, 3);
	SYS(close, fd);
	assert_int_equal(SYS(mknod, "/over/w", S_IFCHR | 0600, 0), -EPERM);
	assert_int_equal(SYS(mknod, "/over/w", S_IFIFO | 0600, 0), 0);
	drop_pair();
}

static void test_rename(void **state)
{
	make_pair();
	assert_int_equal(SYS(rename, "/over/d", "/over/dd"), -EXDEV);
	assert_int_equal(SYS(rename, "/over/a", "/over/b"), 0);
	assert_int_equal(SYS(access, "/over/a", 0), -ENOENT);
	expect_text("/over/b", "lower a");
	expect_text("/low/a", "lower a");
	assert_int_equal(SYS(mkdir, "/over/n", 0755), 0);
	mkfile("/over/n/x", "x");
	/* Over the place of a removed lower directory: it must stay hidden. */
	assert_int_equal(SYS(unlink, "/over/d/e/f"), 0);
	assert_int_equal(SYS(rename, "/over/n", "/over/d/e"), 0);
	fs_host_prune();
	assert_int_equal(SYS(access, "/over/d/e/f", 0), -ENOENT);
	expect_text("/over/d/e/x", "x");
	assert_int_equal(SYS(renameat2, AT_FDCWD, "/over/b", AT_FDCWD, "/over/s", RENAME_EXCHANGE), 0);
	expect_text("/over/s", "lower a");
	assert_int_equal(SYS(rename, "/over/s", "/over/a"), 0); /* onto a whiteout */
	expect_text("/over/a", "lower a");
	drop_pair();
}

static void test_no_memory(void **state)
{
	make_pair();
	for (u64 n = 0; n < 120; n++) {
		long fd, err;

		host_alloc_fail_after(n);
		fd = SYS(open, "/over/d/e/f", O_RDWR);
		err = fd < 0 ? fd : SYS(pwrite64, fd, "x", 1, 10);
		if (fd >= 0)
			SYS(close, fd);
		if (err == 1)
			err = SYS(rename, "/over/a", "/over/r");
		if (!err)
			err = SYS(unlink, "/over/d/a2");
		host_alloc_fail_never();
		assert_true(err == 0 || err == -ENOMEM || err == -ENOSPC);
		SYS(umount2, "/over", 0);
		host_rcu_quiesce();
		expect_text("/low/d/e/f", "deep");
		expect_text("/low/a", "lower a");
		assert_int_equal(SYS(mount, "o", "/over", "overlay", 0, "lowerdir=/low"), 0);
	}
	drop_pair();
}

/* The tree of a real image, as a read-only root below an overlay. */
static void test_erofs(void **state)
{
	char tree[] = "/tmp/overlay-test-XXXXXX", cmd[300], path[64];
	struct block_device *bd;
	size_t size;
	void *img;

	start();
	assert_non_null(mkdtemp(tree));
	snprintf(cmd, sizeof cmd,
		 "cd %s && mkdir -p etc usr/lib && echo plain >etc/conf && seq 1 20000 >usr/lib/big && "
		 "mkfs.erofs --quiet -zlz4 %s.img %s >/dev/null",
		 tree, tree, tree);
	assert_int_equal(system(cmd), 0);
	snprintf(path, sizeof path, "%s.img", tree);
	img = fs_host_load(path, &size);
	bd = fs_host_disk(img, size);
	free(img);
	snprintf(path, sizeof path, "/dev/%s", bd->name);
	SYS(mkdir, "/img", 0755);
	SYS(mkdir, "/over", 0755);
	assert_int_equal(vfs_mount(path, "/img", "erofs", 0, ""), 0);
	assert_int_equal(SYS(mount, "o", "/over", "overlay", 0, "lowerdir=/img"), 0);
	expect_text("/over/etc/conf", "plain\n");
	mkfile("/over/etc/conf", "changed");
	expect_text("/over/etc/conf", "changed");
	expect_text("/img/etc/conf", "plain\n");
	{
		static char a[120000], b[120000];
		long fd = SYS(open, "/over/usr/lib/big", O_RDWR), n;

		n = SYS(read, fd, a, sizeof a);
		assert_true(n > 100000);
		SYS(close, fd);
		fd = SYS(open, "/img/usr/lib/big", O_RDONLY);
		assert_int_equal(SYS(read, fd, b, sizeof b), n);
		assert_memory_equal(a, b, (size_t)n);
		SYS(close, fd);
	}
	assert_int_equal(SYS(umount2, "/over", 0), 0);
	assert_int_equal(SYS(umount2, "/img", 0), 0);
	snprintf(cmd, sizeof cmd, "rm -rf %s %s.img", tree, tree);
	assert_int_equal(system(cmd), 0);
}

UNIT_TESTS(test_model, test_copy_up, test_hiding, test_rename, test_no_memory, test_erofs)
