// SPDX-License-Identifier: BSD-2-Clause
/* EROFS images made by the real mkfs.erofs, read through the system calls: every file, link, directory,
 * attribute and time is compared with the source tree, for plain, chunked and compressed images, from a disk
 * and from memory. Then the same images broken in every way that a random byte can: errors, never faults or
 * hangs. */
// cflags: -Wno-format-truncation
// sources: fs/vfs/*.c fs/erofs/*.c fs/tmpfs/*.c kernel/drivers/block.c kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <dirent.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/blockdev.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"

static char tree[64], image_path[80];
static s64 fixed_mtime; /* mkfs was told to use it for all files */
static u64 seed = 7;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

static void run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	if (system(cmd))
		fail_msg("command failed: %s", cmd);
}

/* A file of SIZE bytes; KIND 0 noise, 1 text, 2 mixed, 3 zeros. */
static void write_file(const char *name, size_t size, int kind)
{
	static const char *const words[] = {"public ", "static ", "return ", "0x1f, ", "null;\n", "import "};
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", tree, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	while (size) {
		char buf[64];
		size_t n;

		if (kind == 1 || (kind == 2 && rnd() % 3)) {
			n = (size_t)snprintf(buf, sizeof buf, "%s%u", words[rnd() % 6], rnd() % 50);
		} else {
			n = sizeof buf;
			for (size_t k = 0; k < n; k++)
				buf[k] = kind == 3 ? 0 : (char)rnd();
		}
		n = min(n, size);
		fwrite(buf, 1, n, f);
		size -= n;
	}
	fclose(f);
}

static void make_tree(void)
{
	static const size_t sizes[] = {0,    1,	   15,	 511,	512,   513,    4000,   4095,
				       4096, 4097, 8192, 12345, 65536, 300000, 1500000};
	char name[300];

	strcpy(tree, "/tmp/erofs-test-XXXXXX");
	assert_non_null(mkdtemp(tree));
	snprintf(image_path, sizeof image_path, "%s.img", tree);
	for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++)
		for (int kind = 0; kind < 4; kind++) {
			snprintf(name, sizeof name, "f%zu-%d", sizes[k], kind);
			write_file(name, sizes[k], kind);
		}
	run("cd %s && mkdir -p dir/sub many empty proc sys dev tmp run var app && ln -s f4097-1 link && ln "
	    "-s dir/../f15-1 dots && ln f12345-2 hard"
	    " && ln -s /f4096-1 abs && mkfifo pipe && chmod 640 f15-0 && chmod 1777 tmp && ln -s loop2 loop1 "
	    "&& ln -s loop1 loop2",
	    tree);
	snprintf(name, sizeof name, "cd %s && ln -s %0200d longlink", tree, 7);
	run("%s", name);
	for (int k = 0; k < 700; k++) {
		snprintf(name, sizeof name, "many/%c%d-%0*d", 'a' + k % 26, k, k % 90, k);
		write_file(name, (size_t)(k % 7), 1);
	}
	write_file("dir/sub/x", 5000, 2);
	/* As long as this mkfs lets names be: one short of the limit. */
	memset(name, 'n', 254);
	name[254] = 0;
	write_file(name, 10, 1);
	run("truncate -s 3000000 %s/sparse && printf end >> %s/sparse", tree, tree);
	snprintf(name, sizeof name, "%s/f15-1", tree);
	setxattr(name, "user.colour", "green", 5, 0);
	setxattr(name, "user.shape", "round", 5, 0);
	snprintf(name, sizeof name, "%s/f4096-1", tree);
	setxattr(name, "user.colour", "green", 5, 0);
}

/* Read the file at PATH in the image through read(2) of odd sizes and compare with the host's. */
static void compare_file(const char *in_image, const char *on_host)
{
	size_t size, at = 0;
	u8 *want = fs_host_load(on_host, &size), *buf = malloc(70000);
	long fd = SYS(open, in_image, O_RDONLY), n;

	assert_true(fd >= 0);
	assert_non_null(want);
	do {
		size_t len = rnd() % 3 ? rnd() % 5000 + 1 : 65536;

		n = SYS(read, fd, buf, len);
		if (n < 0 || at + (size_t)n > size || memcmp(buf, want + at, (size_t)n))
			fail_msg("%s: wrong at %zu (%ld)", in_image, at, n);
		at += (size_t)n;
	} while (n);
	assert_int_equal(at, size);
	/* And here and there, backwards as well. */
	for (int k = 0; size && k < 20; k++) {
		u64 pos = rnd() % size;
		size_t len = rnd() % 20000 + 1;

		n = SYS(pread64, fd, buf, len, pos);
		assert_int_equal(n, min(len, size - pos));
		assert_memory_equal(buf, want + pos, (size_t)n);
	}
	assert_int_equal(SYS(close, fd), 0);
	free(buf);
	free(want);
}

static void compare_tree(const char *mnt, const char *host);

static void compare_entry(const char *mnt, const char *host, const char *name)
{
	char a[600], b[600], la[4100], lb[4100];
	struct statx x, y;
	long n, m;

	snprintf(a, sizeof a, "%s/%s", mnt, name);
	snprintf(b, sizeof b, "%s/%s", host, name);
	assert_int_equal(SYS(statx, AT_FDCWD, a, AT_SYMLINK_NOFOLLOW, STATX_ALL, &x), 0);
	/* statx of the host, without libc's header, which does not go along with ours. */
	assert_int_equal(syscall(332, AT_FDCWD, b, AT_SYMLINK_NOFOLLOW, STATX_ALL, &y), 0);
	assert_int_equal(x.stx_mode, y.stx_mode);
	assert_int_equal(x.stx_uid, y.stx_uid);
	assert_int_equal(x.stx_gid, y.stx_gid);
	assert_int_equal(x.stx_nlink, y.stx_nlink);
	assert_int_equal(x.stx_mtime.tv_sec, fixed_mtime ? fixed_mtime : y.stx_mtime.tv_sec);
	if (S_ISREG(y.stx_mode) || S_ISLNK(y.stx_mode))
		assert_int_equal(x.stx_size, y.stx_size);
	if (S_ISREG(y.stx_mode)) {
		compare_file(a, b);
	} else if (S_ISLNK(y.stx_mode)) {
		n = SYS(readlink, a, la, sizeof la);
		m = readlink(b, lb, sizeof lb);
		assert_int_equal(n, m);
		assert_memory_equal(la, lb, (size_t)n);
	} else if (S_ISDIR(y.stx_mode)) {
		compare_tree(a, b);
	}
	n = SYS(lgetxattr, a, "user.colour", la, 100);
	m = lgetxattr(b, "user.colour", lb, 100);
	assert_int_equal(n, m < 0 ? -ENODATA : m);
}

static void compare_tree(const char *mnt, const char *host)
{
	static char buf[3000];
	unsigned in_image = 0, on_host = 0;
	struct dirent *e;
	long fd, n;
	DIR *d;

	fd = SYS(open, mnt, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	while ((n = SYS(getdents64, fd, buf, sizeof buf)) > 0)
		for (long at = 0; at < n; at += *(u16 *)(buf + at + 16))
			in_image++;
	assert_int_equal(n, 0);
	assert_int_equal(SYS(close, fd), 0);
	d = opendir(host);
	while ((e = readdir(d))) {
		on_host++;
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			compare_entry(mnt, host, e->d_name);
	}
	closedir(d);
	assert_int_equal(in_image, on_host);
}

static struct block_device *last_disk;

/* Make an image with OPTIONS and mount it on /mnt. */
static int mount_image(const char *options, bool in_memory)
{
	static bool have_initrd;
	char dev[32];
	size_t size;
	u8 *img;

	run("rm -f %s && mkfs.erofs --quiet %s %s %s >/dev/null 2>&1", image_path, options, image_path, tree);
	img = fs_host_load(image_path, &size);
	if (in_memory && !have_initrd) {
		u8 *copy = aligned_alloc(PAGE_SIZE, ALIGN_UP(size, PAGE_SIZE));

		memcpy(copy, img, size);
		assert_int_equal(initrd_register(copy, size), 0);
		have_initrd = true;
		strcpy(dev, "/dev/ram0");
	} else {
		last_disk = fs_host_disk(img, size);
		snprintf(dev, sizeof dev, "/dev/%s", last_disk->name);
	}
	free(img);
	return vfs_mount(dev, "/mnt", "erofs", 0, "");
}

static void check_image(const char *options, bool in_memory)
{
	assert_int_equal(mount_image(options, in_memory), 0);
	compare_tree("/mnt", tree);
	assert_int_equal(SYS(umount2, "/mnt", 0), 0);
	host_rcu_quiesce();
}

static void start(void)
{
	fs_host_start("tmpfs", "tmpfs");
	SYS(mkdir, "/mnt", 0755);
}

static void test_plain(void **state)
{
	start();
	make_tree();
	check_image("", false);
}

static void test_plain_memory(void **state)
{
	start();
	check_image("", true);
}

static void test_plain_variants(void **state)
{
	start();
	check_image("-E force-inode-extended", false);
	fixed_mtime = 1234567;
	check_image("-E force-inode-compact -T 1234567", false);
	fixed_mtime = 0;
}

static void test_chunked(void **state)
{
	start();
	check_image("--chunksize=4096", false);
	check_image("--chunksize=65536 -E force-chunk-indexes", false);
	check_image("-E noinline_data", false);
}

static void test_lz4(void **state)
{
	start();
	check_image("-zlz4", false);
	check_image("-zlz4hc,12", false);
}

static void test_lz4_variants(void **state)
{
	start();
	check_image("-zlz4 -E legacy-compress", false);
	check_image("-zlz4 -C65536", false);
	check_image("-zlz4hc -C16384 -E force-inode-extended", false);
	check_image("-zlz4 -C1048576", false);
	check_image("-zlz4 -E ztailpacking", false);
	check_image("-zlz4 -C32768 -E ztailpacking,legacy-compress", false);
}

/* Walk through the mounted image, reading everything; errors are fine. */
static void crawl(const char *dir, int depth)
{
	char buf[4096], path[600], text[256];
	long fd = SYS(open, dir, O_RDONLY), n;
	unsigned budget = 200;

	if (fd < 0)
		return;
	while ((n = SYS(getdents64, fd, buf, sizeof buf)) > 0 && budget)
		for (long at = 0; at < n && budget; at += *(u16 *)(buf + at + 16), budget--) {
			const char *name = buf + at + 19;
			struct statx x;
			long f;

			if (!strcmp(name, ".") || !strcmp(name, "..") || strlen(name) > 256)
				continue;
			snprintf(path, sizeof path, "%s/%s", dir, name);
			if (SYS(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_ALL, &x))
				continue;
			SYS(readlink, path, text, sizeof text);
			SYS(llistxattr, path, text, sizeof text);
			SYS(lgetxattr, path, "user.colour", text, sizeof text);
			if (S_ISDIR(x.stx_mode) && depth < 4 && strlen(path) < 300)
				crawl(path, depth + 1);
			f = S_ISREG(x.stx_mode) ? SYS(open, path, O_RDONLY) : -1;
			if (f < 0)
				continue;
			for (u64 pos = 0, k = 0; k < 40 && pos < x.stx_size; k++, pos += 8000)
				SYS(pread64, f, text, sizeof text, pos);
			if (x.stx_size > 4096)
				SYS(pread64, f, text, sizeof text, x.stx_size - 100);
			SYS(close, f);
		}
	SYS(close, fd);
}

/* Change bytes where metadata is dense: the start of the image, and the first bytes of 32-byte slots. */
static void break_image(const char *options, int rounds)
{
	size_t size;
	u8 *img, *disk;
	int mounted = 0;

	run("rm -f %s && mkfs.erofs --quiet %s %s %s >/dev/null 2>&1", image_path, options, image_path, tree);
	img = fs_host_load(image_path, &size);
	last_disk = fs_host_disk(img, size);
	disk = last_disk->priv;
	for (int k = 0; k < rounds; k++) {
		char dev[32];
		int changes = 1 + (int)(rnd() % 6);

		for (int c = 0; c < changes; c++) {
			u64 zone = rnd() % 4 ? min((u64)size, (u64)200000) : size;

			disk[(c ? 1024 + 128 : 1024) + rnd() % (zone - 1200)] =
				(u8)(rnd() % 3 ? rnd() : 0xff);
		}
		disk[1024 + 8] &= (u8)~1; /* without the checksum, so that the rest is looked at */
		snprintf(dev, sizeof dev, "/dev/%s", last_disk->name);
		if (!vfs_mount(dev, "/mnt", "erofs", 0, "")) {
			mounted++;
			crawl("/mnt", 0);
			assert_int_equal(SYS(umount2, "/mnt", 0), 0);
		}
		host_rcu_quiesce();
		memcpy(disk, img, size);
	}
	assert_true(mounted > rounds / 4);
	free(img);
}

/* A small tree of its own: many rounds are worth more than much data. */
static void make_small_tree(void)
{
	run("rm -rf %s/* && cd %s && mkdir -p d/e && ln -s d/e l", tree, tree);
	write_file("a", 20000, 1);
	write_file("d/b", 100000, 2);
	write_file("d/e/c", 5000, 0);
	write_file("d/e/h", 300000, 3);
	for (int k = 0; k < 60; k++) {
		char name[40];

		snprintf(name, sizeof name, "d/e/n%d", k);
		write_file(name, (size_t)k * 30, 1);
	}
	run("setfattr -n user.colour -v green %s/a 2>/dev/null || true", tree);
}

static void test_corrupt(void **state)
{
	start();
	make_small_tree();
	break_image("", 150);
	break_image("-zlz4", 150);
	break_image("-zlz4 -C65536 -E ztailpacking", 150);
	break_image("-zlz4 -E legacy-compress", 100);
	break_image("--chunksize=4096", 100);
}

static void test_truncated(void **state)
{
	size_t size;
	u8 *img;

	start();
	run("rm -f %s && mkfs.erofs --quiet %s %s >/dev/null 2>&1", image_path, image_path, tree);
	img = fs_host_load(image_path, &size);
	for (size_t n = 512; n < size; n += size / 5) {
		char dev[32];
		struct block_device *bd = fs_host_disk(img, n);

		snprintf(dev, sizeof dev, "/dev/%s", bd->name);
		assert_true(vfs_mount(dev, "/mnt", "erofs", 0, "") < 0);
	}
	free(img);
}

static void test_device_errors(void **state)
{
	char buf[64];
	long fd;

	start();
	assert_int_equal(mount_image("", false), 0);
	fd = SYS(open, "/mnt/a", O_RDONLY);
	assert_true(fd >= 0);
	fs_host_io_fails = true;
	assert_int_equal(SYS(pread64, fd, buf, sizeof buf, 8192), -EIO);
	fs_host_io_fails = false;
	/* The error is not kept: the next reader tries again. */
	assert_int_equal(SYS(pread64, fd, buf, sizeof buf, 8192), sizeof buf);
	SYS(close, fd);
	assert_int_equal(SYS(umount2, "/mnt", 0), 0);
}

static void test_read_only(void **state)
{
	start();
	assert_int_equal(mount_image("", false), 0);
	assert_int_equal(SYS(open, "/mnt/a", O_RDWR), -EROFS);
	assert_int_equal(SYS(open, "/mnt/new", O_CREAT | O_WRONLY, 0644), -EROFS);
	assert_int_equal(SYS(mkdir, "/mnt/new", 0755), -EROFS);
	assert_int_equal(SYS(mkdir, "/mnt/d", 0755), -EEXIST);
	assert_int_equal(SYS(unlink, "/mnt/a"), -EROFS);
	assert_int_equal(SYS(unlink, "/mnt/none"), -EROFS); /* before anybody looks */
	assert_int_equal(SYS(chmod, "/mnt/a", 0), -EROFS);
	assert_int_equal(SYS(truncate, "/mnt/a", 0), -EROFS);
	assert_int_equal(SYS(access, "/mnt/a", 2), -EROFS);
	assert_int_equal(SYS(rename, "/mnt/a", "/mnt/b"), -EROFS);
	assert_int_equal(SYS(umount2, "/mnt", 0), 0);
}

/* Sequential reading asks the device for large pieces, and caches. */
static void test_requests(void **state)
{
	static char buf[4096];
	long fd;

	start();
	assert_int_equal(mount_image("", false), 0);
	fd = SYS(open, "/mnt/d/e/h", O_RDONLY);
	fs_host_reads = 0;
	fs_host_sectors = 0;
	while (SYS(read, fd, buf, sizeof buf) > 0)
		;
	assert_true(fs_host_reads <= 300000 / 4096 / 8);
	assert_in_range(fs_host_sectors, (300000 - 4096) / 512, 300000 / 512 + 64);
	fs_host_reads = 0;
	assert_int_equal(SYS(lseek, fd, 0, 0), 0);
	while (SYS(read, fd, buf, sizeof buf) > 0)
		;
	assert_int_equal(fs_host_reads, 0);
	SYS(close, fd);
	assert_int_equal(SYS(umount2, "/mnt", 0), 0);
	run("rm -rf %s %s", tree, image_path);
}

UNIT_TESTS(test_plain, test_plain_memory, test_plain_variants, test_chunked, test_lz4, test_lz4_variants,
	   test_corrupt, test_truncated, test_device_errors, test_read_only, test_requests)
