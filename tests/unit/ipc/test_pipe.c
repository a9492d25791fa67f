// SPDX-License-Identifier: BSD-2-Clause
/* Pipes: stream contents against a model, atomicity, packets, sizes, errors, poll bits, blocking and wake-ups. */
// sources: kernel/ipc/pipe.c kernel/ipc/pipe_open.c kernel/ipc/pipe_splice.c kernel/ipc/epoll.c kernel/ipc/epoll_ctl.c
// sources: kernel/ipc/time.c kernel/lib/rbtree.c kernel/lib/iter.c
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "host/ipc_shim.h"
#include "kernel/ipc.h"
#include "kernel/kthread.h"
#include "kernel/process.h"
#include "kernel/sched.h"

SYS(pipe2);
SYS(pipe);

#ifndef S_IFIFO
#define S_IFIFO 0010000
#endif
#define FCNTL_SETPIPE_SZ 1031
#define FCNTL_GETPIPE_SZ 1032

static void make(int fd[2], int flags)
{
	assert_int_equal(CALL(pipe2, fd, flags), 0);
}

static void both_closed(int fd[2])
{
	assert_int_equal(fd_close(fd[0]), 0);
	assert_int_equal(fd_close(fd[1]), 0);
	assert_int_equal(ipc_files_live, 0);
	assert_int_equal(host_pages_live(), 0);
}

static u32 poll_bits(int fd)
{
	struct file *f = fd_get(fd);
	u32 bits = file_poll(f, NULL);

	file_put(f);
	return bits;
}

static void test_basic(void **state)
{
	int fd[2];
	char buf[16] = "";

	make(fd, O_NONBLOCK);
	assert_int_equal(ipc_read(fd[0], buf, 1), -EAGAIN);
	assert_int_equal(ipc_read(fd[0], buf, 0), 0);
	assert_int_equal(ipc_write(fd[1], "hello", 5), 5);
	assert_int_equal(ipc_write(fd[1], " you", 4), 4);
	assert_int_equal(ipc_read(fd[0], buf, sizeof buf), 9);
	assert_memory_equal(buf, "hello you", 9);
	assert_int_equal(ipc_read(fd[1], buf, 1), -EBADF);
	assert_int_equal(ipc_write(fd[0], buf, 1), -EBADF);
	both_closed(fd);
}

static void test_flags(void **state)
{
	int fd[2];

	assert_int_equal(CALL(pipe2, fd, 1), -EINVAL);
	assert_int_equal(CALL(pipe2, NULL, 0), -EFAULT);
	assert_int_equal(ipc_files_live, 0);
	make(fd, O_CLOEXEC);
	both_closed(fd);
}

static void test_no_memory(void **state)
{
	int fd[2];
	long ret;

	for (u64 n = 0;; n++) {
		u64 live = host_heap_live();

		host_alloc_fail_after(n);
		ret = CALL(pipe2, fd, 0);
		host_alloc_fail_never();
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(host_heap_live(), live);
	}
	both_closed(fd);
}

static void test_ends(void **state)
{
	int fd[2];
	char c;

	make(fd, 0);
	assert_int_equal(ipc_write(fd[1], "x", 1), 1);
	fd_close(fd[1]);
	assert_int_equal(poll_bits(fd[0]), EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	assert_int_equal(ipc_read(fd[0], &c, 1), 1);
	assert_int_equal(ipc_read(fd[0], &c, 1), 0);
	assert_int_equal(poll_bits(fd[0]), EPOLLHUP);
	fd_close(fd[0]);

	make(fd, 0);
	fd_close(fd[0]);
	ipc_sigpipes = 0;
	assert_int_equal(poll_bits(fd[1]), EPOLLOUT | EPOLLWRNORM | EPOLLERR);
	assert_int_equal(ipc_write(fd[1], "x", 1), -EPIPE);
	assert_int_equal(ipc_sigpipes, 1);
	fd_close(fd[1]);
	assert_int_equal(ipc_files_live, 0);
}

static void test_faults(void **state)
{
	static char data[3 * 4096], back[3 * 4096];
	int fd[2];

	make(fd, O_NONBLOCK);
	host_app_bad_range(data + 4196, 1);
	assert_int_equal(ipc_write(fd[1], data + 4190, 10), -EFAULT);
	assert_int_equal(ipc_read(fd[0], back, 1), -EAGAIN); /* nothing half-written is left */
	assert_int_equal(ipc_write(fd[1], data, 4096 + 200), 4096);
	host_app_clear();
	host_app_bad_range(back + 50, 1);
	assert_int_equal(ipc_read(fd[0], back, 100), -EFAULT);
	host_app_clear();
	assert_int_equal(ipc_read(fd[0], back, sizeof back), 4096); /* nothing was lost */
	both_closed(fd);
}

/* Random writes and reads of one thread: what comes out is what went in, and what is accepted fits the size. */
static void test_stream_model(void **state)
{
	static u8 in[9000], out[9000];
	u64 written = 0, readpos = 0;
	int fd[2];

	srandom(1);
	make(fd, O_NONBLOCK);
	for (int step = 0; step < 20000; step++) {
		size_t n = (size_t)(random() % 3 ? random() % 200 : random() % (long)sizeof in);
		u64 queued = written - readpos;
		ssize_t r;

		if (random() % 2) {
			for (size_t i = 0; i < n; i++)
				in[i] = (u8)((written + i) * 31 >> 3);
			r = ipc_write(fd[1], in, n);
			if (r == -EAGAIN) {
				assert_true(queued > 0);
				continue;
			}
			assert_true(r >= 0 && (size_t)r <= n);
			if (n <= 4096)
				assert_int_equal(r, n); /* PIPE_BUF: all or nothing */
			written += (u64)r;
			assert_true(written - readpos <= 65536);
		} else {
			r = ipc_read(fd[0], out, n);
			if (!queued) {
				assert_int_equal(r, n ? -EAGAIN : 0);
				continue;
			}
			assert_int_equal(r, n < queued ? n : queued);
			for (ssize_t i = 0; i < r; i++)
				assert_int_equal(out[i], (u8)((readpos + (u64)i) * 31 >> 3));
			readpos += (u64)r;
		}
		assert_int_equal(!!(poll_bits(fd[0]) & EPOLLIN), written != readpos);
	}
	both_closed(fd);
}

static void test_capacity(void **state)
{
	static char page[4096];
	int fd[2], pages = 0;

	make(fd, O_NONBLOCK);
	while (ipc_write(fd[1], page, sizeof page) == sizeof page)
		pages++;
	assert_int_equal(pages, 16);
	assert_false(poll_bits(fd[1]) & EPOLLOUT);
	assert_int_equal(ipc_read(fd[0], page, 1), 1);
	assert_false(poll_bits(fd[1]) & EPOLLOUT); /* a page becomes free as a whole */
	assert_int_equal(ipc_read(fd[0], page, 4095), 4095);
	assert_true(poll_bits(fd[1]) & EPOLLOUT);
	both_closed(fd);
}

static long pipe_fcntl(int fd, unsigned cmd, unsigned long arg)
{
	struct file *f = fd_get(fd);
	long ret = f->ops->fcntl(f, cmd, arg);

	file_put(f);
	return ret;
}

static void test_resize(void **state)
{
	static char page[4096], out[4096];
	int fd[2];

	make(fd, O_NONBLOCK);
	assert_int_equal(pipe_fcntl(fd[0], FCNTL_GETPIPE_SZ, 0), 65536);
	assert_int_equal(pipe_fcntl(fd[0], FCNTL_SETPIPE_SZ, 1), 4096);
	assert_int_equal(pipe_fcntl(fd[0], FCNTL_SETPIPE_SZ, 5000), 8192);
	assert_int_equal(pipe_fcntl(fd[0], FCNTL_SETPIPE_SZ, 0x80000001u), -EINVAL);
	for (int i = 0; i < 7; i++) { /* let the ring wrap before it is changed */
		page[0] = (char)i;
		assert_int_equal(ipc_write(fd[1], page, 4096), 4096);
		if (i < 5)
			assert_int_equal(ipc_read(fd[0], out, 4096), 4096);
	}
	assert_int_equal(ipc_write(fd[1], page, 1), -EAGAIN);
	assert_int_equal(pipe_fcntl(fd[0], FCNTL_SETPIPE_SZ, 4096), -EBUSY);
	assert_int_equal(pipe_fcntl(fd[0], FCNTL_SETPIPE_SZ, 1 << 20), 1 << 20);
	assert_int_equal(ipc_write(fd[1], page, 1), 1);
	assert_int_equal(ipc_read(fd[0], out, 4096), 4096);
	assert_int_equal(out[0], 5);
	assert_int_equal(ipc_read(fd[0], out, 4096), 4096);
	assert_int_equal(out[0], 6);
	both_closed(fd);
}

static void test_packets(void **state)
{
	char buf[5000];
	int fd[2];

	make(fd, O_NONBLOCK | O_DIRECT);
	assert_int_equal(ipc_write(fd[1], "abc", 3), 3);
	assert_int_equal(ipc_write(fd[1], "defgh", 5), 5);
	assert_int_equal(ipc_read(fd[0], buf, sizeof buf), 3);
	assert_int_equal(ipc_read(fd[0], buf, 2), 2); /* the rest of the packet is thrown away */
	assert_int_equal(ipc_read(fd[0], buf, 2), -EAGAIN);
	assert_int_equal(ipc_write(fd[1], buf, sizeof buf), sizeof buf);
	assert_int_equal(ipc_read(fd[0], buf, sizeof buf), 4096);
	assert_int_equal(ipc_read(fd[0], buf, sizeof buf), sizeof buf - 4096);
	both_closed(fd);
}

static void test_tee(void **state)
{
	struct file *in, *out;
	char buf[16];
	int a[2], b[2];

	make(a, O_NONBLOCK);
	make(b, O_NONBLOCK);
	in = fd_get(a[0]);
	out = fd_get(b[1]);
	assert_int_equal(pipe_to_pipe(in, out, 10, true, true), -EAGAIN);
	ipc_write(a[1], "0123456789", 10);
	assert_int_equal(pipe_to_pipe(in, out, 4, true, true), 4);
	assert_int_equal(ipc_read(b[0], buf, sizeof buf), 4);
	assert_memory_equal(buf, "0123", 4);
	assert_int_equal(ipc_read(a[0], buf, sizeof buf), 10);
	fd_close(a[1]);
	assert_int_equal(pipe_to_pipe(in, out, 4, false, true), 0);
	file_put(in);
	file_put(out);
	fd_close(a[0]);
	both_closed(b);
}

/* Blocking */

struct job {
	int fd;
	size_t n;
	ssize_t result;
	u8 *buf;
};

static void do_read(void *arg)
{
	struct job *j = arg;

	j->result = ipc_read(j->fd, j->buf, j->n);
}

static void do_write(void *arg)
{
	struct job *j = arg;

	j->result = ipc_write(j->fd, j->buf, j->n);
}

static void test_blocking(void **state)
{
	static u8 data[200000];
	struct job r = {.n = 10, .buf = data}, w = {.n = sizeof data, .buf = data};
	u8 got[1000];
	size_t total = 0;
	struct thread *t;
	int fd[2];

	make(fd, 0);
	r.fd = fd[0];
	w.fd = fd[1];
	t = host_thread_start(do_read, &r);
	assert_true(host_thread_wait_asleep(t));
	ipc_write(fd[1], "abc", 3);
	host_thread_join(t);
	assert_int_equal(r.result, 3);
	t = host_thread_start(do_write, &w);
	assert_true(host_thread_wait_asleep(t)); /* 64 KiB in, the rest waits */
	while (total < sizeof data)
		total += (size_t)ipc_read(fd[0], got, sizeof got);
	host_thread_join(t);
	assert_int_equal(w.result, sizeof data);
	t = host_thread_start(do_read, &r);
	assert_true(host_thread_wait_asleep(t));
	fd_close(fd[1]);
	host_thread_join(t);
	assert_int_equal(r.result, 0);
	fd_close(fd[0]);
	assert_int_equal(ipc_files_live, 0);
}

static void test_signal(void **state)
{
	static u8 data[100000];
	struct job r = {.n = 1, .buf = data}, w = {.n = sizeof data, .buf = data};
	struct thread *t;
	int fd[2];

	make(fd, 0);
	r.fd = fd[0];
	w.fd = fd[1];
	t = host_thread_start(do_read, &r);
	assert_true(host_thread_wait_asleep(t));
	thread_set_flag(t, THREAD_SIGPENDING);
	thread_wake(t);
	host_thread_join(t);
	assert_int_equal(r.result, -ERESTARTSYS);
	t = host_thread_start(do_write, &w);
	assert_true(host_thread_wait_asleep(t));
	thread_set_flag(t, THREAD_SIGPENDING);
	thread_wake(t);
	host_thread_join(t);
	assert_int_equal(w.result, 65536); /* what went in counts */
	both_closed(fd);
}

/* Writers of records up to PIPE_BUF and readers that take what comes: every record arrives whole and once. */
#define WRITERS 4
#define RECORDS 1500

struct record {
	u16 len;
	u8 who;
	u8 fill[];
};

static int storm[2];

static void storm_writer(void *arg)
{
	u8 buf[4096];
	struct record *r = (struct record *)buf;
	unsigned seed = (unsigned)(uintptr_t)arg + 7;

	for (int i = 0; i < RECORDS; i++) {
		r->len = (u16)(sizeof *r + (size_t)(rand_r(&seed) % 3 ? rand_r(&seed) % 60 : rand_r(&seed) % 4000));
		r->who = (u8)(uintptr_t)arg;
		memset(r->fill, r->who + 1, r->len - sizeof *r);
		assert_int_equal(ipc_write(storm[1], buf, r->len), r->len);
	}
}

static void test_atomic_writes(void **state)
{
	struct thread *t[WRITERS];
	int left = WRITERS * RECORDS;
	static u8 buf[8192];
	size_t have = 0;

	make(storm, 0);
	for (uintptr_t i = 0; i < WRITERS; i++)
		t[i] = host_thread_start(storm_writer, (void *)i);
	while (left) {
		struct record *r = (struct record *)buf;
		ssize_t n = ipc_read(storm[0], buf + have, sizeof buf - have);

		assert_true(n > 0);
		for (have += (size_t)n; have >= sizeof *r && have >= r->len; left--) {
			for (size_t i = 0; i < r->len - sizeof *r; i++)
				assert_int_equal(r->fill[i], r->who + 1);
			n = r->len;
			have -= (size_t)n;
			memmove(buf, buf + n, have);
		}
	}
	for (int i = 0; i < WRITERS; i++)
		host_thread_join(t[i]);
	both_closed(storm);
}

/* FIFOs */

static struct inode *fifo;

static struct file *fifo_file(u32 flags)
{
	struct file *f = file_create_anon("fifo", NULL, NULL, flags);

	f->inode = fifo;
	f->path.dentry = ipc_dentry_make(fifo);
	inode_get(fifo);
	return f;
}

static void open_reader(void *arg)
{
	struct file **out = arg, *f = fifo_file(O_RDONLY);

	*out = fifo_open(fifo, f) ? NULL : f;
}

static void test_fifo(void **state)
{
	struct file *r, *w, *late = NULL;
	struct thread *t;

	fifo = inode_alloc(NULL);
	fifo->mode = S_IFIFO | 0600;
	w = fifo_file(O_WRONLY | O_NONBLOCK);
	assert_int_equal(fifo_open(fifo, w), -ENXIO);
	w->ops = NULL;
	file_put(w);
	r = fifo_file(O_RDONLY | O_NONBLOCK);
	assert_int_equal(fifo_open(fifo, r), 0);
	assert_int_equal(file_poll(r, NULL), 0); /* no hang-up before the first writer */
	w = fifo_file(O_WRONLY | O_NONBLOCK);
	assert_int_equal(fifo_open(fifo, w), 0);
	file_put(w);
	assert_int_equal(file_poll(r, NULL), EPOLLHUP);
	file_put(r);
	assert_null(fifo->special);

	t = host_thread_start(open_reader, &late);
	assert_true(host_thread_wait_asleep(t));
	w = fifo_file(O_WRONLY);
	assert_int_equal(fifo_open(fifo, w), 0);
	host_thread_join(t);
	assert_non_null(late);
	file_put(w);
	file_put(late);
	assert_null(fifo->special);
	inode_put(fifo);
	assert_int_equal(ipc_files_live, 0);
}

UNIT_TESTS(test_basic, test_flags, test_no_memory, test_ends, test_faults, test_stream_model, test_capacity, test_resize,
	   test_packets, test_tee, test_blocking, test_signal, test_atomic_writes, test_fifo)
