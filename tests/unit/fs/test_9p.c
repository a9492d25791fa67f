// SPDX-License-Identifier: BSD-2-Clause
/* The 9p client through the system calls, against a small server over a real folder: random operations beside
 * a model, what the host sees and does meanwhile, fids that do not leak, lack of memory at every step,
 * answers that are wrong in every way, a device that goes, threads that are killed while they wait. And the
 * messages by themselves. */
// cflags: -Wno-format-truncation
// sources: tests/unit/fs/model.c tests/unit/host/p9_server.c
// sources: fs/vfs/*.c fs/tmpfs/*.c fs/9p/*.c
// sources: kernel/drivers/block.c kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/9p/client.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/counter.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "tests/unit/fs/fs_host.h"
#include "tests/unit/fs/model.h"
#include "tests/unit/host/p9_server.h"
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>

#define MESSAGE_MAX (1u << 20)

static char folder[64];
static struct p9_transport device;
static bool gone, hold;	      /* fail everything; keep what comes */
static unsigned wrong_one_in; /* answers of so many are spoiled; 0: none */
static struct list_head held = LIST_HEAD_INIT(held);
static pthread_mutex_t device_lock = PTHREAD_MUTEX_INITIALIZER;
static u64 seed = 11;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

/* ---- the device ---- */

static size_t gather(const struct p9_io *io, u8 *to)
{
	size_t n = 0;

	for (unsigned k = 0; k < io->nout; k++) {
		memcpy(to + n, phys_to_virt(io->segs[k].phys), io->segs[k].len);
		n += io->segs[k].len;
	}
	return n;
}

static size_t scatter(const struct p9_io *io, const u8 *from, size_t n)
{
	size_t done = 0;

	for (unsigned k = io->nout; k < io->nout + io->nin && done < n; k++) {
		size_t part = min(n - done, (size_t)io->segs[k].len);

		memcpy(phys_to_virt(io->segs[k].phys), from + done, part);
		done += part;
	}
	return done;
}

static size_t spoil(u8 *answer, size_t n)
{
	switch (rnd() % 6) {
	case 0: /* cut */
		return rnd() % (n + 1);
	case 1: /* another tag or type */
		answer[4 + rnd() % 3] ^= (u8)(1 + rnd() % 255);
		return n;
	case 2: { /* another size */
		u32 size = rnd() % 3 ? (u32)rnd() : (u32)n + rnd() % 20;

		memcpy(answer, &size, 4);
		return n;
	}
	case 3: { /* cut, and proud of it */
		u32 size = 7 + rnd() % (u32)n;

		memcpy(answer, &size, 4);
		return min(size, (u32)n);
	}
	default: /* any byte */
		for (u32 k = 0; k <= rnd() % 4; k++)
			answer[7 + rnd() % (n - 6)] = (u8)rnd();
		return n;
	}
}

static void serve(struct p9_io *io)
{
	static u8 message[MESSAGE_MAX], answer[MESSAGE_MAX + 16];
	size_t n, room = 0;

	for (unsigned k = io->nout; k < io->nout + io->nin; k++)
		room += io->segs[k].len;
	pthread_mutex_lock(&device_lock);
	n = p9_server(message, gather(io, message), answer, MESSAGE_MAX);
	assert_true(n >= 7 && n <= room);
	if (wrong_one_in && rnd() % wrong_one_in == 0)
		n = spoil(answer, n);
	n = scatter(io, answer, n);
	pthread_mutex_unlock(&device_lock);
	io->done(io, 0, (u32)n);
}

static int submit(struct p9_transport *t, struct p9_io *io, bool lazy)
{
	if (gone)
		return -EIO;
	assert_true(io->nout + io->nin <= t->max_segs);
	if (hold)
		list_add_tail(&io->node, &held);
	else
		serve(io);
	return 0;
}

static void kick(struct p9_transport *t)
{
}

static void serve_held(void)
{
	hold = false;
	while (!list_empty(&held)) {
		struct p9_io *io = list_first_entry(&held, struct p9_io, node);

		list_del(&io->node);
		serve(io);
	}
}

/* ---- helpers ---- */

static void command(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (system(text))
		fail_msg("command failed: %s", text);
}

static void start(const char *options)
{
	static bool done;
	char all[200];

	fs_host_start("tmpfs", "tmpfs");
	fs_host_user(0, 0);
	gone = hold = false;
	wrong_one_in = 0;
	if (!done) {
		done = true;
		strcpy(device.tag, "vol");
		device.max_segs = 128;
		device.submit = submit;
		device.kick = kick;
		p9_transport_register(&device);
		SYS(mkdir, "/model", 0755);
	}
	strcpy(folder, "/tmp/p9-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	p9_server_start(folder);
	snprintf(all, sizeof all, "trans=virtio,version=9p2000.L%s", options);
	assert_int_equal(SYS(mount, "vol", "/model", "9p", 0, all), 0);
}

static void finish(void)
{
	assert_int_equal(SYS(umount2, "/model", 0), 0);
	host_rcu_quiesce();
	assert_int_equal(p9_server_fids(), 0);
	command("rm -rf %s", folder);
}

static void put_file(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void expect_on_host(const char *name, const char *text)
{
	char path[200], buf[200] = "";
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "r");
	assert_non_null(f);
	buf[fread(buf, 1, sizeof buf - 1, f)] = 0;
	fclose(f);
	assert_string_equal(buf, text);
}

static void expect(const char *path, const char *text)
{
	char buf[200] = "";
	long fd = SYS(open, path, O_RDONLY), n;

	if (fd < 0)
		fail_msg("%s: %ld", path, fd);
	n = SYS(read, fd, buf, sizeof buf - 1);
	assert_true(n >= 0);
	assert_string_equal(buf, text);
	SYS(close, fd);
}

/* ---- tests ---- */

static void run_model(const char *options)
{
	start(options);
	for (u64 run = 1; run <= 4; run++) {
		model_reset(run + 40);
		model_is_remote();
		for (int k = 0; k < 700; k++) {
			model_step();
			if (k % 140 == 0)
				model_check();
			if (k % 200 == 0)
				fs_host_prune();
		}
		model_check();
		fs_host_prune();
		assert_int_equal(SYS(umount2, "/model", 0), 0);
		host_rcu_quiesce();
		assert_int_equal(p9_server_fids(), 0);
		command("rm -rf %s/*", folder);
		assert_int_equal(SYS(mount, "vol", "/model", "9p", 0, options + 1), 0);
	}
	finish();
}

static void test_model_none(void **state)
{
	run_model(",cache=none");
}

static void test_model_loose(void **state)
{
	run_model(",cache=loose");
}

static void test_small_messages(void **state)
{
	run_model(",msize=8192");
}

static void test_options(void **state)
{
	static const char *const bad[] = {
		"trans=tcp",	 "version=9p2000.u", "msize=100",  "msize=abc", "cache=yes",
		"access=nobody", "nonsense",	     "nonsense=1", "version",	"msize"};

	start(",access=any,uname=root,aname=/x,,dfltuid=7");
	for (unsigned k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(SYS(mount, "vol", "/model", "9p", 0, bad[k]), -EINVAL);
	assert_int_equal(SYS(mount, "vol", "/model", "9p", 0, ""), -EBUSY);
	assert_int_equal(SYS(mount, "other", "/model", "9p", 0, ""), -ENOENT);
	finish();
}

static void test_host_changes(void **state)
{
	struct statx x;
	long fd;

	start("");
	put_file("a", "one");
	expect("/model/a", "one");
	put_file("a", "two and more");
	expect("/model/a", "two and more");
	command("mv %s/a %s/b; mkdir %s/a", folder, folder, folder);
	expect("/model/b", "two and more");
	assert_int_equal(SYS(statx, AT_FDCWD, "/model/a", 0, STATX_ALL, &x), 0);
	assert_true(S_ISDIR(x.stx_mode));
	/* A working directory that the host renames stays where it is, and what is in it is found. */
	put_file("a/in", "side");
	assert_int_equal(SYS(chdir, "/model/a"), 0);
	expect("in", "side");
	fd = SYS(open, "in", O_RDWR);
	assert_true(fd >= 0);
	put_file("a/in", "longer than it was");
	assert_int_equal(SYS(lseek, fd, 0, 2), 18);
	assert_int_equal(SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x), 0);
	assert_int_equal(x.stx_size, 18);
	SYS(close, fd);
	SYS(chdir, "/");
	command("rm -r %s/a", folder);
	assert_int_equal(SYS(open, "/model/a/in", O_RDONLY), -ENOENT);
	finish();
}

static void test_unlinked(void **state)
{
	char buf[20] = "";
	struct statx x;
	long fd;

	start("");
	fd = SYS(open, "/model/t", O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(SYS(write, fd, "0123456789", 10), 10);
	assert_int_equal(SYS(unlink, "/model/t"), 0);
	/* Another file takes the name: nothing may reach it through the old descriptor. */
	put_file("t", "another");
	assert_int_equal(SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x), 0);
	assert_int_equal(x.stx_nlink, 0);
	assert_int_equal(x.stx_size, 10);
	assert_int_equal(SYS(ftruncate, fd, 4), 0);
	assert_int_equal(SYS(fchmod, fd, 0400), 0);
	assert_int_equal(SYS(ftruncate, fd, 12), 0);
	assert_int_equal(SYS(pread64, fd, buf, sizeof buf, 0), 12);
	assert_memory_equal(buf, "0123\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x), 0);
	assert_int_equal(x.stx_size, 12);
	assert_int_equal(x.stx_mode & 0777, 0400);
	SYS(close, fd);
	expect_on_host("t", "another");
	finish();
}

static void test_create_then_write(void **state)
{
	long fd, ap;

	start("");
	fd = SYS(open, "/model/ro", O_WRONLY | O_CREAT, 0444); /* what the mode forbids was opened with it */
	assert_true(fd >= 0);
	assert_int_equal(SYS(write, fd, "x", 1), 1);
	SYS(close, fd);
	ap = SYS(open, "/model/log", O_WRONLY | O_CREAT | O_APPEND, 0644);
	assert_int_equal(SYS(write, ap, "one ", 4), 4);
	put_file("log", ""); /* copied away and cut, as log rotation does */
	assert_int_equal(SYS(write, ap, "two", 3), 3);
	expect_on_host("log", "two");
	assert_int_equal(SYS(fcntl, ap, F_SETFL, 0), 0);
	assert_int_equal(SYS(pwrite64, ap, "T", 1, 0), 1);
	expect_on_host("log", "Two");
	assert_int_equal(SYS(fcntl, ap, F_SETFL, O_APPEND), 0);
	assert_int_equal(SYS(write, ap, "!", 1), 1);
	expect_on_host("log", "Two!");
	SYS(close, ap);
	finish();
}

static void test_big_directory(void **state)
{
	char buf[700], name[300];
	long fd, n, total = 0, middle = -1, again = 0;

	start("");
	for (int k = 0; k < 1500; k++) {
		snprintf(name, sizeof name, "f%d", k);
		put_file(name, "");
	}
	memset(name, 'n', 255);
	snprintf(buf, sizeof buf, "/model/%.255s", name);
	fd = SYS(open, buf, O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	SYS(close, fd);
	snprintf(buf, sizeof buf, "/model/%.255sx", name);
	assert_int_equal(SYS(open, buf, O_CREAT | O_RDWR, 0600), -ENAMETOOLONG);
	fd = SYS(open, "/model", O_RDONLY | O_DIRECTORY);
	while ((n = SYS(getdents64, fd, buf, sizeof buf)) > 0)
		for (long at = 0; at < n; at += *(u16 *)(buf + at + 16))
			if (++total == 700)
				middle = *(s64 *)(buf + at + 8);
	assert_int_equal(n, 0);
	assert_int_equal(total, 1503);
	assert_int_equal(SYS(lseek, fd, middle, 0), middle);
	while ((n = SYS(getdents64, fd, buf, sizeof buf)) > 0)
		for (long at = 0; at < n; at += *(u16 *)(buf + at + 16))
			again++;
	assert_int_equal(again, 1503 - 700);
	SYS(close, fd);
	finish();
}

static void test_attributes(void **state)
{
	char buf[200];
	struct statx x;

	start("");
	put_file("a", "x");
	assert_int_equal(SYS(setxattr, "/model/a", "user.k", "value", 5, 0), 0);
	assert_int_equal(SYS(getxattr, "/model/a", "user.k", buf, sizeof buf), 5);
	assert_memory_equal(buf, "value", 5);
	assert_int_equal(SYS(getxattr, "/model/a", "user.k", buf, 0), 5);
	assert_int_equal(SYS(getxattr, "/model/a", "user.k", buf, 3), -ERANGE);
	assert_int_equal(SYS(listxattr, "/model/a", buf, sizeof buf), 7);
	assert_int_equal(SYS(getxattr, "/model/a", "user.none", buf, sizeof buf), -ENODATA);
	assert_int_equal(SYS(removexattr, "/model/a", "user.k"), 0);
	assert_int_equal(SYS(removexattr, "/model/a", "user.k"), -ENODATA);
	assert_int_equal(SYS(mknod, "/model/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(SYS(statx, AT_FDCWD, "/model/fifo", 0, STATX_ALL, &x), 0);
	assert_true((x.stx_mode & S_IFMT) == S_IFIFO);
	finish();
}

/* Every operation, with memory short at each of its steps: an error, and nothing left over. */
static void exercise(void)
{
	char buf[64];
	long fd;

	SYS(mkdir, "/model/d", 0755);
	fd = SYS(open, "/model/d/f", O_RDWR | O_CREAT, 0644);
	if (fd >= 0) {
		SYS(write, fd, "text", 4);
		SYS(pread64, fd, buf, sizeof buf, 0);
		SYS(fsync, fd);
		SYS(ftruncate, fd, 2);
		SYS(close, fd);
	}
	SYS(symlink, "f", "/model/d/l");
	SYS(readlink, "/model/d/l", buf, sizeof buf);
	SYS(link, "/model/d/f", "/model/d/g");
	SYS(rename, "/model/d/g", "/model/d/h");
	SYS(setxattr, "/model/d/f", "user.k", "v", 1, 0);
	SYS(listxattr, "/model/d/f", buf, sizeof buf);
	fd = SYS(open, "/model/d", O_RDONLY);
	if (fd >= 0) {
		SYS(getdents64, fd, buf, sizeof buf);
		SYS(close, fd);
	}
	SYS(unlink, "/model/d/h");
	SYS(unlink, "/model/d/l");
	SYS(unlink, "/model/d/f");
	SYS(rmdir, "/model/d");
}

static void test_no_memory(void **state)
{
	u64 pages;

	start("");
	exercise();
	fs_host_prune();
	pages = host_pages_live();
	for (u64 n = 0;; n += 1 + n / 60) {
		u64 before = host_alloc_count();

		host_alloc_fail_after(n);
		exercise();
		host_alloc_fail_never();
		if (host_alloc_count() - before <= n)
			break;
		exercise(); /* tidies up */
		fs_host_prune();
		assert_int_equal(host_pages_live(), pages);
		assert_true(p9_server_fids() <= 2);
	}
	finish();
}

static void test_wrong_answers(void **state)
{
	for (unsigned round = 0; round < 6; round++) {
		start(round % 2 ? ",cache=loose" : "");
		wrong_one_in = 2 + round * 3;
		p9_server_lenient(1);
		for (int k = 0; k < 150; k++) {
			exercise();
			if (k % 20 == 0)
				fs_host_prune();
		}
		wrong_one_in = 0;
		p9_server_lenient(0);
		assert_int_equal(SYS(umount2, "/model", 0), 0);
		host_rcu_quiesce();
		command("rm -rf %s",
			folder); /* what the server still knows it was never told to forget rightly */
	}
}

static void test_device_gone(void **state)
{
	char buf[20];
	long fd;

	start("");
	put_file("a", "text");
	fd = SYS(open, "/model/a", O_RDWR);
	assert_true(fd >= 0);
	gone = true;
	assert_int_equal(SYS(read, fd, buf, sizeof buf), -EIO);
	assert_int_equal(SYS(write, fd, "x", 1), -EIO);
	assert_int_equal(SYS(fsync, fd), -EIO);
	assert_int_equal(SYS(open, "/model/b", O_RDONLY), -EIO);
	SYS(close, fd);
	assert_int_equal(SYS(umount2, "/model", 0), 0);
	host_rcu_quiesce();
	assert_int_equal(SYS(mount, "vol", "/model", "9p", 0, ""), -EIO);
	command("rm -rf %s", folder);
}

static _Atomic bool killed;

bool fatal_signal_pending(struct thread *t)
{
	return atomic_load(&killed);
}

static void open_and_be_killed(void *arg)
{
	struct p9_client *c = arg;
	struct p9_fid *f;

	assert_int_equal(p9_attach(c, "u", "", 0, &f), -EINTR);
}

/* The client alone: more requests than tags, answered late and out of order; then one whose caller is killed.
 */
static void test_tags_and_flush(void **state)
{
	struct p9_client *c;
	struct p9_fid *root, *f[P9_TAGS + 40];
	struct thread *t;

	start("");
	finish();
	strcpy(folder, "/tmp/p9-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	c = p9_client_create(&device, 65536);
	assert_false(IS_ERR(c));
	assert_int_equal(p9_attach(c, "u", "", 0, &root), 0);
	for (unsigned k = 0; k < ARRAY_SIZE(f); k++)
		assert_int_equal(p9_clone(root, &f[k]), 0);
	hold = true;
	for (unsigned k = 0; k < ARRAY_SIZE(f); k++)
		p9_fid_put(f[k]); /* clunks that wait, more than there are tags */
	serve_held();
	assert_int_equal(p9_server_fids(), 1);
	assert_true(c->next_fid <= ARRAY_SIZE(f) + 1);

	hold = true;
	t = host_thread_start(open_and_be_killed, c);
	assert_true(host_thread_wait_asleep(t));
	atomic_store(&killed, true);
	thread_wake(t);
	host_thread_join(t);
	atomic_store(&killed, false);
	serve_held();
	p9_fid_put(root);
	p9_client_destroy(c);
	assert_int_equal(p9_server_fids(), 0);
	command("rm -rf %s", folder);
}

static void test_messages(void **state)
{
	u8 raw[64];
	struct p9_dirent e;
	struct p9_buf b;
	size_t at = 0, len;

	p9_begin(&b, raw, sizeof raw, P9_TWALK);
	p9_put32(&b, 0x12345678);
	p9_put_str(&b, "name", 4);
	assert_int_equal(p9_end(&b, 5), 0);
	p9_set_tag(raw, 0x0102);
	assert_memory_equal(raw, "\x16\0\0\0\x6e\x02\x01\x78\x56\x34\x12\x04\0name", 17);
	/* What does not fit is refused as a whole. */
	p9_begin(&b, raw, 20, P9_TWALK);
	p9_put_str(&b, "a name that is too long", 23);
	assert_int_equal(p9_end(&b, 0), -ENAMETOOLONG);
	/* Answers: of the right type and tag, as long as they say. */
	memcpy(raw, "\x09\0\0\0\x6f\x02\x01\xaa\xbb", 9);
	assert_int_equal(p9_reply(&b, raw, sizeof raw, 9, P9_TWALK, 0x0102), 0);
	assert_int_equal(p9_get16(&b), 0xbbaa);
	assert_int_equal(p9_get32(&b), 0);
	assert_true(b.bad);
	assert_int_equal(p9_reply(&b, raw, sizeof raw, 8, P9_TWALK, 0x0102), -EIO);
	assert_int_equal(p9_reply(&b, raw, sizeof raw, 9, P9_TWALK, 0x0103), -EIO);
	assert_int_equal(p9_reply(&b, raw, sizeof raw, 9, P9_TREAD, 0x0102), -EIO);
	assert_int_equal(p9_reply(&b, raw, 3, 9, P9_TWALK, 0x0102), -EIO);
	memcpy(raw, "\x0b\0\0\0\x07\x02\x01\x02\0\0\0", 11);
	assert_int_equal(p9_reply(&b, raw, sizeof raw, 11, P9_TWALK, 0x0102), -ENOENT);
	raw[8] = 2; /* 514: ERESTART... of this kernel */
	assert_int_equal(p9_reply(&b, raw, sizeof raw, 11, P9_TWALK, 0x0102), -EIO);
	/* Directory entries: names with a slash, of no length, or cut short are none. */
	memset(raw, 0, sizeof raw);
	raw[13] = 9;
	raw[22] = 2;
	memcpy(raw + 24, "ab", 2);
	assert_true(p9_dirent_get(raw, 26, &at, &e));
	assert_int_equal(at, 26);
	assert_int_equal(e.next, 9);
	for (len = 0; len < 26; len++) {
		at = 0;
		assert_false(p9_dirent_get(raw, len, &at, &e));
	}
	raw[25] = '/';
	assert_false(p9_dirent_get(raw, 26, &at, &e));
}

UNIT_TESTS(test_messages, test_model_none, test_model_loose, test_small_messages, test_options,
	   test_host_changes, test_unlinked, test_create_then_write, test_big_directory, test_attributes,
	   test_no_memory, test_device_gone, test_tags_and_flush, test_wrong_answers)
