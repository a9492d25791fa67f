// SPDX-License-Identifier: BSD-2-Clause
/* Path walking, as a table of paths and answers over one tree; openat2's limits; links; mounts; permissions;
 * names as text. */
// sources: fs/vfs/*.c fs/tmpfs/*.c kernel/drivers/block.c kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include <unistd.h>

#include "base/err.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"

static void mkfile(const char *path, const char *text)
{
	long fd = SYS(open, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(SYS(write, fd, text, strlen(text)), strlen(text));
	assert_int_equal(SYS(close, fd), 0);
}

/* /w: a/b/c/file  a/link->b  a/abs->/w/a/b  loop->loop  dangling->none  f  l40 -> 39 more -> f  long: a link
 * with a long target */
static void make_tree(void)
{
	static bool done;
	char name[32], target[32];

	fs_host_start("tmpfs", "tmpfs");
	fs_host_user(0, 0);
	if (done)
		return;
	done = true;
	assert_int_equal(SYS(mkdir, "/w", 0755), 0);
	assert_int_equal(SYS(mkdir, "/w/a", 0755), 0);
	assert_int_equal(SYS(mkdir, "/w/a/b", 0755), 0);
	assert_int_equal(SYS(mkdir, "/w/a/b/c", 0755), 0);
	mkfile("/w/a/b/c/file", "deep");
	mkfile("/w/f", "plain");
	assert_int_equal(SYS(symlink, "b", "/w/a/link"), 0);
	assert_int_equal(SYS(symlink, "/w/a/b", "/w/a/abs"), 0);
	assert_int_equal(SYS(symlink, "b/", "/w/a/slash"), 0);
	assert_int_equal(SYS(symlink, "../f", "/w/a/up"), 0);
	assert_int_equal(SYS(symlink, "../f/", "/w/a/upslash"), 0);
	assert_int_equal(SYS(symlink, "loop", "/w/loop"), 0);
	assert_int_equal(SYS(symlink, "none", "/w/dangling"), 0);
	assert_int_equal(SYS(symlink, "/w/f", "/w/l1"), 0);
	for (int n = 2; n <= 41; n++) {
		snprintf(name, sizeof name, "/w/l%d", n);
		snprintf(target, sizeof target, "l%d", n - 1);
		assert_int_equal(SYS(symlink, target, name), 0);
	}
	assert_int_equal(SYS(chdir, "/w/a"), 0);
}

static void test_table(void **state)
{
	static const struct {
		const char *path;
		u32 flags;
		long want; /* -errno, or 0 with TEXT as the contents, NULL for a directory */
		const char *text;
	} rows[] = {
		{"/w/f", 0, 0, "plain"},
		{"//w///f", 0, 0, "plain"},
		{"/w/./f", 0, 0, "plain"},
		{"/../w/../w/f", 0, 0, "plain"},
		{"/w/a/../f", 0, 0, "plain"},
		{"../f", 0, 0, "plain"},
		{"b/c/file", 0, 0, "deep"},
		{"link/c/file", 0, 0, "deep"},
		{"abs/c/file", 0, 0, "deep"},
		{"slash/c/file", 0, 0, "deep"},
		{"slash/c/../c/./file", 0, 0, "deep"},
		{"link/../up", 0, 0, "plain"},
		{"up", 0, 0, "plain"},
		{"upslash", 0, -ENOTDIR, NULL},
		{"up/", 0, -ENOTDIR, NULL},
		{"", 0, -ENOENT, NULL},
		{"none", 0, -ENOENT, NULL},
		{"none/x", 0, -ENOENT, NULL},
		{"/w/f/", 0, -ENOTDIR, NULL},
		{"/w/f/.", 0, -ENOTDIR, NULL},
		{"/w/f/x", 0, -ENOTDIR, NULL},
		{"/w/f/..", 0, -ENOTDIR, NULL},
		{"/w/loop", 0, -ELOOP, NULL},
		{"/w/loop/x", 0, -ELOOP, NULL},
		{"/w/dangling", 0, -ENOENT, NULL},
		{"/w/l40", 0, 0, "plain"},
		{"/w/l41", 0, -ELOOP, NULL},
		{"/w/l1", O_NOFOLLOW, -ELOOP, NULL},
		{"/w/a/link/c", O_NOFOLLOW, 0, NULL},
		{"/w/a/link/", O_NOFOLLOW, 0, NULL},
		{"/w/a/link", O_NOFOLLOW | O_DIRECTORY, -ENOTDIR, NULL},
		{"/w/f", O_DIRECTORY, -ENOTDIR, NULL},
		{"/w/a/link", O_DIRECTORY, 0, NULL},
		{"/", 0, 0, NULL},
		{"/..", 0, 0, NULL},
		{".", 0, 0, NULL},
		{"/w/a", O_WRONLY, -EISDIR, NULL},
		{"/w/a/", O_CREAT | O_WRONLY, -EISDIR, NULL},
		{"/w/new/", O_CREAT | O_WRONLY, -EISDIR, NULL},
		{"/w/f", O_CREAT | O_EXCL | O_WRONLY, -EEXIST, NULL},
		{"/w/dangling", O_CREAT | O_EXCL | O_WRONLY, -EEXIST, NULL},
		{"/w/dangling", O_CREAT | O_NOFOLLOW | O_WRONLY, -ELOOP, NULL},
		{"/w/none/new", O_CREAT | O_WRONLY, -ENOENT, NULL},
		{"/w/f/new", O_CREAT | O_WRONLY, -ENOTDIR, NULL},
		{"/w/loop", O_CREAT | O_WRONLY, -ELOOP, NULL},
		{"/", O_CREAT | O_WRONLY, -EISDIR, NULL},
		{"/w/.", O_CREAT | O_WRONLY, -EISDIR, NULL},
		{"/w/..", O_CREAT | O_WRONLY, -EISDIR, NULL},
		{"/w/l1", O_CREAT | O_RDONLY, 0, "plain"},
		{"/w/f", O_CREAT | O_DIRECTORY, -EINVAL, NULL},
	};

	make_tree();
	/* Twice: the second round finds everything cached. */
	for (int round = 0; round < 2; round++)
		for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
			char buf[16] = "";
			long fd = SYS(open, rows[n].path, rows[n].flags, 0644);

			if (fd < 0 ? fd != rows[n].want : rows[n].want != 0)
				fail_msg("%s %#x: got %ld, want %ld", rows[n].path, rows[n].flags, fd,
					 rows[n].want);
			if (fd < 0)
				continue;
			if (rows[n].text) {
				assert_int_equal(SYS(read, fd, buf, sizeof buf), strlen(rows[n].text));
				assert_string_equal(buf, rows[n].text);
			} else {
				assert_int_equal(SYS(read, fd, buf, sizeof buf), -EISDIR);
			}
			SYS(close, fd);
		}
}

static void test_lengths(void **state)
{
	static char path[8192];
	char name[300];

	make_tree();
	memset(name, 'x', sizeof name);
	name[255] = 0;
	assert_int_equal(SYS(open, name, 0), -ENOENT);
	assert_int_equal(SYS(mkdir, name, 0755), 0);
	assert_int_equal(SYS(rmdir, name), 0);
	name[255] = 'x';
	name[256] = 0;
	assert_int_equal(SYS(open, name, 0), -ENAMETOOLONG);
	assert_int_equal(SYS(mkdir, name, 0755), -ENAMETOOLONG);
	memset(path, '/', sizeof path);
	path[4094] = '.';
	path[4095] = 0;
	assert_int_equal(SYS(access, path, 0), 0);
	path[4095] = '/';
	path[4096] = 0;
	assert_int_equal(SYS(access, path, 0), -ENAMETOOLONG);
	assert_int_equal(SYS(access, 8, 0), -EFAULT);
}

static long open_how(int dirfd, const char *path, u64 flags, u64 resolve)
{
	struct open_how h = {.flags = flags, .resolve = resolve};
	long fd = SYS(openat2, dirfd, path, &h, sizeof h);

	if (fd >= 0)
		SYS(close, fd);
	return fd < 0 ? fd : 0;
}

static void test_openat2(void **state)
{
	long a;

	make_tree();
	a = SYS(open, "/w/a", O_PATH | O_DIRECTORY);
	assert_true(a >= 0);
	assert_int_equal(open_how((int)a, "b/c/file", 0, RESOLVE_BENEATH), 0);
	assert_int_equal(open_how((int)a, "b/../b/c/file", 0, RESOLVE_BENEATH), 0);
	assert_int_equal(open_how((int)a, "../f", 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_how((int)a, "up", 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_how((int)a, "/w/f", 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_how((int)a, "abs/c/file", 0, RESOLVE_BENEATH), -EXDEV);
	assert_int_equal(open_how((int)a, "link/c/file", 0, RESOLVE_BENEATH), 0);
	assert_int_equal(open_how((int)a, "link/c/file", 0, RESOLVE_NO_SYMLINKS), -ELOOP);
	assert_int_equal(open_how((int)a, "b/c/file", 0, RESOLVE_NO_SYMLINKS), 0);
	assert_int_equal(open_how((int)a, "/b/c/file", 0, RESOLVE_IN_ROOT), 0);
	assert_int_equal(open_how((int)a, "../../b/c/file", 0, RESOLVE_IN_ROOT), 0);
	assert_int_equal(open_how((int)a, "up", 0, RESOLVE_IN_ROOT), -ENOENT);
	assert_int_equal(open_how((int)a, "b/c/file", 0, RESOLVE_NO_XDEV), 0);
	assert_int_equal(open_how((int)a, "b", 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), -EINVAL);
	assert_int_equal(open_how((int)a, "b", 1ull << 40, 0), -EINVAL);
	assert_int_equal(open_how((int)a, "b", 0, 1ull << 40), -EINVAL);
	assert_int_equal(open_how((int)a, "b/c/none", 0, RESOLVE_CACHED), -EAGAIN);
	SYS(close, a);
}

static void test_descriptors(void **state)
{
	char buf[64];
	long a, p, fd;

	make_tree();
	a = SYS(open, "/w/a", O_RDONLY | O_DIRECTORY);
	fd = SYS(openat, a, "b/c/file", O_RDONLY);
	assert_true(fd >= 0);
	/* A descriptor that is no directory is no place to start from, unless the path is absolute or empty.
	 */
	assert_int_equal(SYS(openat, fd, "x", O_RDONLY), -ENOTDIR);
	assert_int_equal(SYS(openat, 999, "x", O_RDONLY), -EBADF);
	assert_int_equal(SYS(faccessat2, 999, "/w/f", 0, 0), 0);
	assert_int_equal(SYS(faccessat2, fd, "", 0, AT_EMPTY_PATH), 0);
	assert_int_equal(SYS(faccessat2, fd, "", 0, 0), -ENOENT);
	SYS(close, fd);
	/* O_PATH. */
	p = SYS(open, "/w/a/link", O_PATH | O_NOFOLLOW);
	assert_true(p >= 0);
	assert_int_equal(SYS(read, p, buf, 1), -EBADF);
	assert_int_equal(SYS(readlinkat, p, "", buf, sizeof buf), 1);
	assert_int_equal(buf[0], 'b');
	assert_int_equal(SYS(fcntl, p, 3 /* F_GETFL */), O_PATH | O_NOFOLLOW);
	assert_int_equal(SYS(ioctl, p, 0x5421, 0), -EBADF);
	assert_int_equal(SYS(fchdir, p), -ENOTDIR);
	SYS(close, p);
	p = SYS(open, "/w/a/b", O_PATH);
	assert_int_equal(SYS(fchdir, p), 0);
	assert_int_equal(SYS(getcwd, buf, sizeof buf), sizeof "/w/a/b");
	assert_string_equal(buf, "/w/a/b");
	assert_int_equal(SYS(getcwd, buf, 6), -ERANGE);
	assert_int_equal(SYS(getcwd, buf, 7), 7);
	assert_int_equal(SYS(fchdir, a), 0);
	SYS(close, p);
	SYS(close, a);
}

static void test_permissions(void **state)
{
	make_tree();
	assert_int_equal(SYS(mkdir, "/w/p", 0750), 0);
	mkfile("/w/p/f", "x");
	assert_int_equal(SYS(chown, "/w/p", 100, 200), 0);
	assert_int_equal(SYS(chmod, "/w/p/f", 0604), 0);
	assert_int_equal(SYS(chown, "/w/p/f", 100, 200), 0);
	fs_host_user(100, 1);
	assert_int_equal(SYS(access, "/w/p/f", 6), 0);
	assert_int_equal(SYS(access, "/w/p/f", 1), -EACCES);
	assert_int_equal(SYS(chown, "/w/p/f", 101, -1), -EPERM);
	assert_int_equal(SYS(chown, "/w/p/f", -1, 200), 0); /* no change */
	assert_int_equal(SYS(chown, "/w/p/f", -1, 300), -EPERM);
	fs_host_user(101, 200);
	assert_int_equal(SYS(access, "/w/p/f", 4), -EACCES); /* the group has none, whatever others have */
	assert_int_equal(SYS(mkdir, "/w/p/d", 0755), -EACCES);
	assert_int_equal(SYS(unlink, "/w/p/f"), -EACCES);
	assert_int_equal(SYS(chmod, "/w/p/f", 0777), -EPERM);
	fs_host_user(102, 1);
	assert_int_equal(SYS(access, "/w/p/f", 4), -EACCES); /* no way in */
	assert_int_equal(SYS(open, "/w/p/f", O_RDONLY), -EACCES);
	assert_int_equal(SYS(chdir, "/w/p"), -EACCES);
	fs_host_user(0, 0);
	assert_int_equal(SYS(access, "/w/p/f", 6), 0);
	assert_int_equal(SYS(access, "/w/p/f", 1), -EACCES); /* nobody may run it */
	/* Sticky: others' files in a shared directory stay. */
	assert_int_equal(SYS(mkdir, "/w/t", 0777), 0);
	assert_int_equal(SYS(chmod, "/w/t", 01777), 0);
	mkfile("/w/t/root", "x");
	fs_host_user(100, 1);
	assert_int_equal(SYS(unlink, "/w/t/root"), -EPERM);
	assert_int_equal(SYS(rename, "/w/t/root", "/w/t/mine"), -EPERM);
	assert_int_equal(SYS(mkdir, "/w/t/own", 0755), 0);
	assert_int_equal(SYS(rmdir, "/w/t/own"), 0);
	fs_host_user(0, 0);
}

static void test_set_id(void **state)
{
	struct statx x;
	long fd;

	make_tree();
	assert_int_equal(SYS(mkdir, "/w/g", 0777), 0);
	assert_int_equal(SYS(chown, "/w/g", 0, 77), 0);
	assert_int_equal(SYS(chmod, "/w/g", 02777), 0);
	assert_int_equal(SYS(mkdir, "/w/g/sub", 0755), 0);
	SYS(statx, AT_FDCWD, "/w/g/sub", 0, STATX_ALL, &x);
	assert_int_equal(x.stx_gid, 77);
	assert_int_equal(x.stx_mode & 07777, 02755);
	mkfile("/w/g/f", "x");
	assert_int_equal(SYS(chmod, "/w/g/f", 06777), 0);
	fs_host_user(5, 5);
	fd = SYS(open, "/w/g/f", O_WRONLY);
	assert_int_equal(SYS(write, fd, "y", 1), 1);
	SYS(close, fd);
	fs_host_user(0, 0);
	SYS(statx, AT_FDCWD, "/w/g/f", 0, STATX_ALL, &x);
	assert_int_equal(x.stx_mode & 07777, 0777); /* a write took the set-ID bits */
	assert_int_equal(SYS(chmod, "/w/g/f", 06755), 0);
	assert_int_equal(SYS(chown, "/w/g/f", 9, 9), 0);
	SYS(statx, AT_FDCWD, "/w/g/f", 0, STATX_ALL, &x);
	assert_int_equal(x.stx_mode & 07777, 0755); /* and so did a new owner */
}

static void test_mounts(void **state)
{
	char text[2048], buf[64];
	long fd;

	make_tree();
	assert_int_equal(SYS(mkdir, "/w/m", 0755), 0);
	mkfile("/w/m/below", "under");
	assert_int_equal(SYS(mount, "none", "/w/m", "tmpfs", MS_NOSUID, "size=64k,mode=700"), 0);
	assert_int_equal(SYS(access, "/w/m/below", 0), -ENOENT);
	mkfile("/w/m/top", "over");
	assert_int_equal(SYS(chdir, "/w/m"), 0);
	assert_int_equal(SYS(access, "../f", 0), 0);
	assert_int_equal(SYS(access, "../m/top", 0), 0);
	assert_int_equal(SYS(getcwd, buf, sizeof buf), sizeof "/w/m");
	assert_int_equal(SYS(umount2, "/w/m", 0), -EBUSY);
	assert_int_equal(SYS(rmdir, "/w/m"), -EBUSY);
	assert_int_equal(SYS(rename, "/w/m/top", "/w/top"), -EXDEV);
	assert_int_equal(SYS(link, "/w/m/top", "/w/top"), -EXDEV);
	assert_true(vfs_mounts_text(text, sizeof text, MOUNTS_MTAB) < sizeof text);
	assert_non_null(strstr(text, "none /w/m tmpfs rw,nosuid,relatime,size=64k,mode=700 0 0\n"));
	vfs_mounts_text(text, sizeof text, MOUNTS_INFO);
	assert_non_null(strstr(text, " / /w/m rw,nosuid,relatime - tmpfs none rw,size=64k,mode=700\n"));
	/* A second mount on the same place covers the first. */
	assert_int_equal(SYS(chdir, "/w/a"), 0);
	assert_int_equal(SYS(mount, "two", "/w/m", "tmpfs", 0, 0), 0);
	assert_int_equal(SYS(access, "/w/m/top", 0), -ENOENT);
	assert_int_equal(SYS(umount2, "/w/m", 0), 0);
	assert_int_equal(SYS(access, "/w/m/top", 0), 0);
	/* Read-only by remount, of the mount alone. */
	assert_int_equal(SYS(mount, 0, "/w/m", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0), 0);
	assert_int_equal(SYS(open, "/w/m/x", O_CREAT | O_WRONLY, 0600), -EROFS);
	assert_int_equal(SYS(mount, 0, "/w/m", 0, MS_REMOUNT | MS_BIND, 0), 0);
	/* Bind. */
	assert_int_equal(SYS(mkdir, "/w/bind", 0755), 0);
	assert_int_equal(SYS(mount, "/w/a/b", "/w/bind", 0, MS_BIND, 0), 0);
	fd = SYS(open, "/w/bind/c/file", O_RDONLY);
	assert_int_equal(SYS(read, fd, buf, sizeof buf), 4);
	assert_int_equal(SYS(umount2, "/w/bind", 0), -EBUSY);
	assert_int_equal(SYS(umount2, "/w/bind", 2 /* MNT_DETACH */), 0);
	assert_int_equal(SYS(access, "/w/bind/c", 0), -ENOENT);
	assert_int_equal(SYS(pread64, fd, buf, sizeof buf, 0), 4);
	SYS(close, fd);
	/* Move. */
	assert_int_equal(SYS(mount, "/w/m", "/w/bind", 0, MS_MOVE, 0), 0);
	assert_int_equal(SYS(access, "/w/bind/top", 0), 0);
	assert_int_equal(SYS(access, "/w/m/below", 0), 0);
	assert_int_equal(SYS(umount2, "/w/bind", 0), 0);
	assert_int_equal(SYS(mount, "none", "/w/f", "tmpfs", 0, 0), -ENOTDIR);
	assert_int_equal(SYS(mount, "none", "/w/m", "nosuchfs", 0, 0), -ENODEV);
	assert_int_equal(SYS(mount, "none", "/w/m", "tmpfs", 0, "size=abc"), -EINVAL);
	assert_int_equal(SYS(umount2, "/w/m", 0), -EINVAL);
	assert_int_equal(SYS(umount2, "/", 0), -EBUSY);
	fs_host_user(1, 1);
	assert_int_equal(SYS(mount, "none", "/w/m", "tmpfs", 0, 0), -EPERM);
	fs_host_user(0, 0);
}

static void test_chroot(void **state)
{
	char buf[64];
	struct path root;

	make_tree();
	fs_context_root(current->fs, &root);
	assert_int_equal(SYS(chroot, "/w/f"), -ENOTDIR);
	assert_int_equal(SYS(chroot, "/w/a"), 0);
	assert_int_equal(SYS(access, "/b/c/file", 0), 0);
	assert_int_equal(SYS(access, "/../../b/c/file", 0), 0);
	assert_int_equal(SYS(access, "/abs", 0), -ENOENT); /* /w/a/b is not to be seen from here */
	assert_int_equal(SYS(getcwd, buf, sizeof buf), 2);
	assert_string_equal(buf, "/");
	assert_int_equal(SYS(access, "/up", 0), -ENOENT);
	assert_int_equal(SYS(chdir, "b"), 0);
	assert_int_equal(SYS(getcwd, buf, sizeof buf), 3);
	/* Back, as only the kernel can. */
	{
		struct fs_context *c = fs_context_create();

		fs_context_put(current->fs);
		current->fs = c;
	}
	assert_int_equal(SYS(chdir, "/w/a"), 0);
	path_put(&root);
}

static void test_removed_directory(void **state)
{
	char buf[64];
	long fd;

	make_tree();
	assert_int_equal(SYS(mkdir, "/w/gone", 0755), 0);
	assert_int_equal(SYS(chdir, "/w/gone"), 0);
	fd = SYS(open, ".", O_RDONLY);
	assert_int_equal(SYS(rmdir, "/w/gone"), 0);
	assert_int_equal(SYS(getcwd, buf, sizeof buf), -ENOENT);
	assert_int_equal(SYS(open, "x", O_CREAT | O_WRONLY, 0600), -ENOENT);
	assert_int_equal(SYS(mkdir, "x", 0700), -ENOENT);
	assert_int_equal(SYS(getdents64, fd, buf, sizeof buf), -ENOENT);
	assert_int_equal(SYS(access, "..", 0), 0);
	SYS(close, fd);
	assert_int_equal(SYS(chdir, "/w/a"), 0);
}

static void text_of(long fd, char *buf, const char *want)
{
	struct file *f = fd_get_raw((int)fd);
	char *s = path_text(&f->path, buf, 128);

	assert_string_equal(s, want);
	file_put(f);
}

static void test_text(void **state)
{
	char buf[128];
	long fd;

	make_tree();
	mkfile("/w/a/b/t", "x");
	fd = SYS(open, "link/t", O_RDONLY);
	text_of(fd, buf, "/w/a/b/t");
	assert_int_equal(SYS(rename, "/w/a/b", "/w/a/bb"), 0);
	text_of(fd, buf, "/w/a/bb/t");
	assert_int_equal(SYS(rename, "/w/a/bb", "/w/a/b"), 0);
	assert_int_equal(
		SYS(rename, "/w/a/b/t", "/w/a name that is longer than the space within the entry itself"),
		0);
	text_of(fd, buf, "/w/a name that is longer than the space within the entry itself");
	assert_int_equal(SYS(unlink, "/w/a name that is longer than the space within the entry itself"), 0);
	text_of(fd, buf, "/w/a name that is longer than the space within the entry itself (deleted)");
	SYS(close, fd);
	fd = SYS(memfd_create, "mem", 0);
	text_of(fd, buf, "/memfd:mem (deleted)");
	SYS(close, fd);
	fd = SYS(open, "/", O_RDONLY);
	text_of(fd, buf, "/");
	SYS(close, fd);
}

/* Memory runs out at every point of some operations in turn: an error, nothing lost, and the same works
 * afterwards. */
static void test_no_memory(void **state)
{
	static const char *const names[] = {
		"/w/nm/a", "/w/nm/a name that needs an allocation of its own, being so long"};

	make_tree();
	assert_int_equal(SYS(mkdir, "/w/nm", 0755), 0);
	for (unsigned k = 0; k < 2; k++)
		for (u64 n = 0; n < 200; n++) {
			u64 live, pages;
			long fd, err;

			host_rcu_quiesce();
			live = host_heap_live();
			pages = host_pages_live();
			host_alloc_fail_after(n);
			fd = SYS(open, names[k], O_CREAT | O_RDWR, 0644);
			err = fd < 0 ? fd : SYS(write, fd, "hello", 5);
			host_alloc_fail_never();
			assert_true(err == 5 || err == -ENOMEM);
			if (fd >= 0)
				SYS(close, fd);
			SYS(unlink, names[k]);
			host_alloc_fail_after(n);
			err = SYS(mkdir, names[k], 0755);
			err = err ? err : SYS(symlink, "target", "/w/nm/l");
			err = err ? err : SYS(rename, names[k], "/w/nm/other");
			host_alloc_fail_never();
			SYS(unlink, "/w/nm/l");
			SYS(rmdir, names[k]);
			SYS(rmdir, "/w/nm/other");
			host_rcu_quiesce();
			/* Names that do not exist are remembered: at most the three of this test. */
			assert_true(host_heap_live() <= live + 6);
			assert_int_equal(host_pages_live(), pages);
			if (!err && fd >= 0 && n > 60)
				break;
		}
}

/* Names that nobody uses go when memory is short, until only those in use are left. */
static void test_pressure(void **state)
{
	char name[32];
	u64 most;

	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "/w-not-there-%d", i);
		assert_int_equal(SYS(open, name, O_RDONLY, 0), -ENOENT);
	}
	most = vfs_dentries_total();
	assert_true(most >= 500);
	for (int tries = 0; vfs_dentries_total() > most - 450; tries++) {
		assert_true(tries < 5000);
		pagecache_reclaim(1ul << 40);
		usleep(1000);
	}
	assert_int_equal(SYS(open, "/w-not-there-0", O_RDONLY, 0), -ENOENT);
}

UNIT_TESTS(test_table, test_lengths, test_openat2, test_descriptors, test_permissions, test_set_id,
	   test_mounts, test_chroot, test_removed_directory, test_text, test_no_memory, test_pressure)
