// SPDX-License-Identifier: BSD-2-Clause
/* Descriptors, fcntl, record locks and flock (with waiting threads), copies between files, vectors, inotify
 * events. */
// sources: fs/vfs/*.c fs/tmpfs/*.c kernel/drivers/block.c kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "base/err.h"
#include "base/iter.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "tests/unit/fs/fs_host.h"

static void start(void)
{
	fs_host_start("tmpfs", "tmpfs");
	fs_host_user(0, 0);
}

static void test_descriptors(void **state)
{
	struct process *p = current_process();
	struct file *f;
	long fd, n;

	start();
	fd = SYS(open, "/fd", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(fd, 0);
	assert_int_equal(SYS(fcntl, fd, F_GETFD), 1);
	assert_int_equal(SYS(dup, fd), 1);
	assert_int_equal(SYS(fcntl, 1, F_GETFD), 0);
	assert_int_equal(SYS(dup2, 1, 700), 700);
	assert_int_equal(SYS(dup2, 1, 1), 1);
	assert_int_equal(SYS(dup2, 5, 5), -EBADF);
	assert_int_equal(SYS(dup2, 1, 1024), -EBADF);
	assert_int_equal(SYS(dup2, 1, -1), -EBADF);
	assert_int_equal(SYS(dup3, 1, 1, 0), -EINVAL);
	assert_int_equal(SYS(dup3, 1, 9, O_CLOEXEC), 9);
	assert_int_equal(SYS(fcntl, 9, F_GETFD), 1);
	assert_int_equal(SYS(fcntl, 1, F_DUPFD, 9), 10);
	assert_int_equal(SYS(fcntl, 1, F_DUPFD, 1024), -EINVAL);
	assert_int_equal(SYS(fcntl, 1, F_DUPFD, -1), -EINVAL);
	assert_int_equal(SYS(fcntl, 1, F_DUPFD_CLOEXEC, 0), 2);
	/* The lowest free one, always. */
	assert_int_equal(SYS(close, 1), 0);
	assert_int_equal(SYS(close, 1), -EBADF);
	assert_int_equal(SYS(dup, 0), 1);
	p->rlim[RLIMIT_NOFILE].rlim_cur = 3;
	assert_int_equal(SYS(dup, 0), -EMFILE);
	assert_int_equal(SYS(open, "/fd", O_RDONLY), -EMFILE);
	p->rlim[RLIMIT_NOFILE].rlim_cur = 5000;
	for (n = 3; n < 4000; n++)
		if (n != 9 && n != 10 && n != 700)
			assert_int_equal(SYS(dup, 0), n);
	assert_int_equal(fdtable_count(current->files, NULL), 4000);
	assert_int_equal(SYS(close_range, 3, 100, CLOSE_RANGE_CLOEXEC), 0);
	assert_int_equal(SYS(fcntl, 50, F_GETFD), 1);
	assert_int_equal(SYS(close_range, 101, ~0u, 0), 0);
	assert_int_equal(fdtable_count(current->files, NULL), 101);
	assert_int_equal(fdtable_next(current->files, 99, &f), 99);
	file_put(f);
	assert_int_equal(fdtable_next(current->files, 101, &f), -1);
	assert_int_equal(SYS(close_range, 5, 4, 0), -EINVAL);
	assert_int_equal(SYS(close_range, 5, 4, 8), -EINVAL);
	/* fork and exec. */
	{
		struct fdtable *mine = current->files, *copy = fdtable_copy(mine);

		assert_int_equal(fdtable_count(copy, NULL), 101);
		fdtable_close_on_exec(copy);
		assert_int_equal(fdtable_count(copy, NULL), 1); /* 1; 0, 2 and the rest are marked */
		fdtable_put(copy);
	}
	assert_int_equal(SYS(close_range, 0, ~0u, 0), 0);
	assert_int_equal(SYS(unlink, "/fd"), 0);
}

static void test_fcntl_flags(void **state)
{
	long fd;

	start();
	fd = SYS(open, "/fl", O_CREAT | O_RDWR | O_APPEND | O_EXCL, 0600);
	assert_int_equal(SYS(fcntl, fd, F_GETFL), O_RDWR | O_APPEND | O_LARGEFILE);
	assert_int_equal(SYS(fcntl, fd, F_SETFL, O_NONBLOCK | O_CREAT | O_WRONLY), 0);
	assert_int_equal(SYS(fcntl, fd, F_GETFL), O_RDWR | O_NONBLOCK | O_LARGEFILE);
	assert_int_equal(SYS(fcntl, fd, F_SETOWN, -5), -ESRCH);
	assert_int_equal(SYS(fcntl, fd, F_SETOWN, INT32_MIN), -EINVAL);
	assert_int_equal(SYS(fcntl, fd, F_GETOWN), 0);
	assert_int_equal(SYS(fcntl, fd, F_SETSIG, 65), -EINVAL);
	assert_int_equal(SYS(fcntl, fd, F_GETPIPE_SZ), -EBADF);
	assert_int_equal(SYS(fcntl, fd, 9999), -EINVAL);
	assert_int_equal(SYS(fcntl, 99, F_GETFL), -EBADF);
	SYS(close, fd);
	SYS(unlink, "/fl");
}

static long lock(long fd, int cmd, short type, s64 begin, s64 len)
{
	struct flock fl = {.l_type = type, .l_start = begin, .l_len = len};

	return SYS(fcntl, fd, cmd, &fl);
}

static struct flock probe(long fd, short type, s64 begin, s64 len)
{
	struct flock fl = {.l_type = type, .l_start = begin, .l_len = len};

	assert_int_equal(SYS(fcntl, fd, F_GETLK, &fl), 0);
	return fl;
}

/* Another process, as far as locks go: a table of its own. */
static struct fdtable *other_table(struct fdtable **mine)
{
	*mine = current->files;
	return current->files = fdtable_copy(*mine);
}

static void test_record_locks(void **state)
{
	struct fdtable *a, *b;
	struct flock fl;
	char text[512];
	long fd;

	start();
	fd = SYS(open, "/lk", O_CREAT | O_RDWR, 0600);
	b = other_table(&a);
	current->files = a;
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 0, 100), 0);
	assert_int_equal(lock(fd, F_SETLK, F_RDLCK, 20, 10), 0); /* splits */
	assert_int_equal(lock(fd, F_SETLK, F_UNLCK, 50, 10), 0); /* and a hole */
	current->files = b;
	fl = probe(fd, F_RDLCK, 0, 0);
	assert_int_equal(fl.l_type, F_WRLCK);
	assert_int_equal(fl.l_start, 0);
	assert_int_equal(fl.l_len, 20);
	fl = probe(fd, F_RDLCK, 20, 10);
	assert_int_equal(fl.l_type, F_UNLCK);
	fl = probe(fd, F_WRLCK, 20, 10);
	assert_int_equal(fl.l_type, F_RDLCK);
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 50, 10), 0);
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 50, 11), -EAGAIN);
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 100, 0), 0);
	fl = probe(fd, F_WRLCK, 60, 0);
	assert_int_equal(fl.l_start, 60);
	assert_int_equal(fl.l_len, 40);
	current->files = a;
	fl = probe(fd, F_WRLCK, 200, 1);
	assert_int_equal(fl.l_start, 100);
	assert_int_equal(fl.l_len, 0);
	/* Joined again, one lock. */
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 0, 50), 0);
	current->files = b;
	fl = probe(fd, F_RDLCK, 0, 0);
	assert_int_equal(fl.l_len, 50);
	assert_true(vfs_locks_text(text, sizeof text) > 0);
	assert_non_null(strstr(text, "POSIX  ADVISORY  WRITE"));
	/* Errors. */
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, -1, 1), -EINVAL);
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 5, -10), -EINVAL);
	assert_int_equal(lock(fd, F_SETLK, F_WRLCK, INT64_MAX, 2), -EOVERFLOW);
	assert_int_equal(lock(fd, F_SETLK, 77, 0, 1), -EINVAL);
	assert_int_equal(lock(fd, F_GETLK, F_UNLCK, 0, 1), -EINVAL);
	{
		long ro = SYS(open, "/lk", O_RDONLY);

		assert_int_equal(lock(ro, F_SETLK, F_WRLCK, 300, 1), -EBADF);
		/* Closing any descriptor of the file drops all of the process's locks. */
		SYS(close, ro);
	}
	current->files = a;
	assert_int_equal(probe(fd, F_WRLCK, 100, 0).l_type, F_UNLCK);
	assert_int_equal(lock(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	current->files = b;
	assert_int_equal(probe(fd, F_WRLCK, 0, 0).l_type, F_UNLCK);
	current->files = a;
	fdtable_put(b);
	SYS(close, fd);
	SYS(unlink, "/lk");
}

static void test_ofd_and_flock(void **state)
{
	long a, b, c;

	start();
	a = SYS(open, "/ofd", O_CREAT | O_RDWR, 0600);
	b = SYS(open, "/ofd", O_RDWR);
	assert_int_equal(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10), 0);
	assert_int_equal(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10), -EAGAIN);
	assert_int_equal(lock(b, F_SETLK, F_WRLCK, 5, 10), -EAGAIN); /* against record locks too */
	c = SYS(dup, a);
	assert_int_equal(lock(c, F_OFD_SETLK, F_RDLCK, 0, 10), 0); /* the same open file */
	SYS(close, a);
	assert_int_equal(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10), -EAGAIN);
	SYS(close, c);
	assert_int_equal(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10), 0);
	a = SYS(open, "/ofd", O_RDONLY);
	assert_int_equal(SYS(flock, a, 2),
			 0); /* LOCK_EX needs no write access, nor does it see record locks */
	assert_int_equal(SYS(flock, b, 1 | 4), -EAGAIN);
	assert_int_equal(SYS(flock, a, 1), 0);
	assert_int_equal(SYS(flock, b, 1 | 4), 0);
	assert_int_equal(SYS(flock, b, 2 | 4), -EAGAIN);
	assert_int_equal(SYS(flock, a, 8), 0);
	assert_int_equal(SYS(flock, b, 2 | 4), 0);
	assert_int_equal(SYS(flock, b, 3), -EINVAL);
	SYS(close, a);
	SYS(close, b);
	SYS(unlink, "/ofd");
}

/* Waiting: a thread of another process sleeps until the lock is given up, and a circle of two is refused. */
static struct process other;
static struct fdtable *others_files;
static long wait_fd, wait_result;

static void waiter(void *arg)
{
	current->proc = &other;
	current->files = others_files;
	wait_result = lock(wait_fd, F_SETLKW, F_WRLCK, (s64)(uintptr_t)arg, 10);
}

static void other_start(void)
{
	other = *current_process();
	others_files = fdtable_copy(current->files);
	other.pid = 77;
}

static void test_waiting(void **state)
{
	struct thread *t;

	start();
	wait_fd = SYS(open, "/wait", O_CREAT | O_RDWR, 0600);
	assert_int_equal(lock(wait_fd, F_SETLK, F_WRLCK, 0, 10), 0);
	other_start();
	t = host_thread_start(waiter, (void *)0);
	assert_true(host_thread_wait_asleep(t));
	assert_int_equal(lock(wait_fd, F_SETLK, F_UNLCK, 0, 10), 0);
	host_thread_join(t);
	assert_int_equal(wait_result, 0);
	assert_int_equal(probe(wait_fd, F_WRLCK, 0, 10).l_pid, 77);
	/* We hold 100, the other holds 0 and waits for 100: our wait for 0 closes the circle. */
	assert_int_equal(lock(wait_fd, F_SETLK, F_WRLCK, 100, 10), 0);
	t = host_thread_start(waiter, (void *)100);
	assert_true(host_thread_wait_asleep(t));
	assert_int_equal(lock(wait_fd, F_SETLKW, F_WRLCK, 0, 10), -EDEADLK);
	assert_int_equal(lock(wait_fd, F_SETLK, F_UNLCK, 100, 10), 0);
	host_thread_join(t);
	assert_int_equal(wait_result, 0);
	/* A signal ends the wait. */
	assert_int_equal(lock(wait_fd, F_SETLK, F_WRLCK, 200, 10), 0);
	t = host_thread_start(waiter, (void *)200);
	assert_true(host_thread_wait_asleep(t));
	thread_set_flag(t, THREAD_SIGPENDING);
	thread_wake_state(t, ~0u);
	host_thread_join(t);
	assert_int_equal(wait_result, -ERESTARTSYS);
	fdtable_put(others_files);
	SYS(close, wait_fd);
	SYS(unlink, "/wait");
}

static void test_vectors(void **state)
{
	char a[3] = "abc", b[5] = "defgh", in[16] = "";
	struct iter_vec v[3] = {{a, 3}, {NULL, 0}, {b, 5}}, r[2] = {{in, 4}, {in + 4, 10}};
	long fd;

	start();
	fd = SYS(open, "/v", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(writev, fd, v, 3), 8);
	assert_int_equal(SYS(preadv, fd, r, 2, 1), 7);
	assert_memory_equal(in, "bcdefgh", 7);
	assert_int_equal(SYS(pwritev, fd, v, 1, 20), 3);
	assert_int_equal(SYS(lseek, fd, 0, SEEK_END), 23);
	assert_int_equal(SYS(writev, fd, v, 1025), -EINVAL);
	assert_int_equal(SYS(writev, fd, v, 0), 0);
	assert_int_equal(SYS(writev, fd, 16, 1), -EFAULT);
	v[0].len = (size_t)-1;
	assert_int_equal(SYS(writev, fd, v, 1), -EINVAL);
	v[0] = (struct iter_vec){(void *)0xffff800000000000ul, 1};
	assert_int_equal(SYS(writev, fd, v, 1), -EFAULT);
	v[0] = (struct iter_vec){a, 3};
	assert_int_equal(SYS(pwritev2, fd, v, 1, -1, 0, 0x10 /* RWF_APPEND */), 3);
	assert_int_equal(SYS(lseek, fd, 0, SEEK_END), 26);
	assert_int_equal(SYS(preadv2, fd, r, 2, 0, 0, 0x80000000), -EOPNOTSUPP);
	assert_int_equal(SYS(preadv2, fd, r, 2, 0, 0, 8 /* RWF_NOWAIT */), 14);
	assert_int_equal(SYS(pread64, fd, in, 1, -1), -EINVAL);
	SYS(close, fd);
	fd = SYS(open, "/v", O_WRONLY);
	assert_int_equal(SYS(read, fd, in, 1), -EBADF);
	SYS(close, fd);
	fd = SYS(open, "/v", O_RDONLY);
	assert_int_equal(SYS(write, fd, in, 1), -EBADF);
	assert_int_equal(SYS(ftruncate, fd, 0), -EINVAL);
	SYS(close, fd);
	SYS(unlink, "/v");
}

static void test_copies(void **state)
{
	static char data[200000], back[200000];
	long in, out;
	s64 off;

	start();
	for (unsigned k = 0; k < sizeof data; k++)
		data[k] = (char)(k * 7 + k / 251);
	in = SYS(open, "/in", O_CREAT | O_RDWR, 0600);
	out = SYS(open, "/out", O_CREAT | O_RDWR, 0600);
	assert_int_equal(SYS(write, in, data, sizeof data), sizeof data);
	off = 1000;
	assert_int_equal(SYS(sendfile, out, in, &off, 150000), 150000);
	assert_int_equal(off, 151000);
	assert_int_equal(SYS(pread64, out, back, sizeof back, 0), 150000);
	assert_memory_equal(back, data + 1000, 150000);
	assert_int_equal(SYS(sendfile, out, in, 0, 100), 0); /* at its own position, which is the end */
	SYS(lseek, in, 199990, SEEK_SET);
	assert_int_equal(SYS(sendfile, out, in, 0, 100), 10);
	assert_int_equal(SYS(lseek, out, 0, SEEK_CUR), 150010);
	off = -1;
	assert_int_equal(SYS(sendfile, out, in, &off, 1), -EINVAL);
	assert_int_equal(SYS(sendfile, out, 99, 0, 1), -EBADF);
	/* Holes are zeros, and stay holes in the source. */
	assert_int_equal(SYS(ftruncate, in, 1 << 20), 0);
	off = 300000;
	assert_int_equal(SYS(sendfile, out, in, &off, 5000), 5000);
	assert_int_equal(SYS(lseek, in, 250000, SEEK_DATA), -ENXIO);
	/* copy_file_range. */
	{
		s64 a = 0, b = 50;

		assert_int_equal(SYS(copy_file_range, in, &a, out, &b, 1000, 0), 1000);
		assert_int_equal(a, 1000);
		assert_int_equal(b, 1050);
		assert_int_equal(SYS(pread64, out, back, 1000, 50), 1000);
		assert_memory_equal(back, data, 1000);
		a = 0;
		b = 500;
		assert_int_equal(SYS(copy_file_range, in, &a, in, &b, 1000, 0), -EINVAL); /* overlap */
		assert_int_equal(SYS(copy_file_range, in, &a, in, &b, 500, 0), 500);
		assert_int_equal(SYS(copy_file_range, in, &a, out, &b, 1, 1), -EINVAL);
	}
	SYS(close, in);
	SYS(close, out);
	SYS(unlink, "/in");
	SYS(unlink, "/out");
}

static void test_events(void **state)
{
	struct list_head mark;
	struct inode *dir;
	struct path p;
	long fd;

	start();
	assert_int_equal(SYS(mkdir, "/ev", 0755), 0);
	assert_int_equal(vfs_lookup("/ev", true, &p), 0);
	dir = p.dentry->inode;
	list_add(&mark, &dir->watches);
	fs_host_nevents = 0;
	fd = SYS(open, "/ev/f", O_CREAT | O_WRONLY, 0600);
	SYS(write, fd, "x", 1);
	SYS(close, fd);
	SYS(rename, "/ev/f", "/ev/g");
	SYS(mkdir, "/ev/d", 0755);
	SYS(chmod, "/ev/g", 0644);
	SYS(unlink, "/ev/g");
	SYS(rmdir, "/ev/d");
	{
		static const struct {
			u32 mask;
			const char *name;
		} want[] = {{IN_CREATE, "f"},
			    {IN_OPEN, "f"},
			    {IN_MODIFY, "f"},
			    {IN_CLOSE_WRITE, "f"},
			    {IN_MOVED_FROM, "f"},
			    {IN_MOVED_TO, "g"},
			    {IN_CREATE | IN_ISDIR, "d"},
			    {IN_ATTRIB, "g"},
			    {IN_DELETE, "g"},
			    {IN_DELETE | IN_ISDIR, "d"}};

		assert_int_equal(fs_host_nevents, ARRAY_SIZE(want));
		for (unsigned n = 0; n < ARRAY_SIZE(want); n++) {
			assert_ptr_equal(fs_host_events[n].inode, dir);
			assert_int_equal(fs_host_events[n].mask, want[n].mask);
			assert_string_equal(fs_host_events[n].name, want[n].name);
		}
		assert_int_equal(fs_host_events[4].cookie, fs_host_events[5].cookie);
		assert_true(fs_host_events[4].cookie != 0);
	}
	list_del(&mark);
	list_init(&dir->watches);
	path_put(&p);
	SYS(rmdir, "/ev");
}

static void test_text_busy(void **state)
{
	struct path p;
	long fd;

	start();
	fd = SYS(open, "/prog", O_CREAT | O_WRONLY, 0755);
	assert_int_equal(vfs_lookup("/prog", true, &p), 0);
	assert_int_equal(inode_deny_write(p.dentry->inode), -ETXTBSY);
	SYS(close, fd);
	assert_int_equal(inode_deny_write(p.dentry->inode), 0);
	assert_int_equal(SYS(open, "/prog", O_RDWR), -ETXTBSY);
	assert_int_equal(SYS(truncate, "/prog", 0), -ETXTBSY);
	inode_allow_write(p.dentry->inode);
	assert_int_equal(SYS(truncate, "/prog", 0), 0);
	path_put(&p);
	SYS(unlink, "/prog");
}

UNIT_TESTS(test_descriptors, test_fcntl_flags, test_record_locks, test_ofd_and_flock, test_waiting,
	   test_vectors, test_copies, test_events, test_text_busy)
