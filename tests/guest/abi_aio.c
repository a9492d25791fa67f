// SPDX-License-Identifier: BSD-2-Clause
// Native AIO by system call, as libaio makes it: io_setup(2), io_submit(2), io_getevents(2), io_cancel(2).
#include "abi.h"
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/uio.h>

static long setup(unsigned nr, aio_context_t *c)
{
	return syscall(SYS_io_setup, nr, c);
}

static long destroy(aio_context_t c)
{
	return syscall(SYS_io_destroy, c);
}

static long submit(aio_context_t c, long n, struct iocb **list)
{
	return syscall(SYS_io_submit, c, n, list);
}

static long submit_one(aio_context_t c, struct iocb *r)
{
	return submit(c, 1, &r);
}

static long events(aio_context_t c, long least, long most, struct io_event *e, long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	return syscall(SYS_io_getevents, c, least, most, e, ms < 0 ? NULL : &ts);
}

static struct iocb request(int op, int fd, void *buf, size_t n, long long at)
{
	return (struct iocb){.aio_lio_opcode = op,
			     .aio_fildes = fd,
			     .aio_buf = (uint64_t)buf,
			     .aio_nbytes = n,
			     .aio_offset = at,
			     .aio_data = (uint64_t)buf ^ 1};
}

TEST(contexts)
{
	aio_context_t c = 0, d = 0;
	struct io_event e;

	EXPECT_ERR(setup(0, &c), EINVAL);
	EXPECT_ERR(setup(1, NULL), EFAULT);
	EXPECT_ERR(setup(0x7fffffff, &c), EINVAL);
	EXPECT_ERR(setup(1 << 20, &c), EAGAIN); // more than fs.aio-max-nr
	c = 1;
	EXPECT_ERR(setup(1, &c), EINVAL);
	c = 0;
	EXPECT_EQ(setup(10, &c), 0);
	EXPECT(c != 0);
	EXPECT_EQ(setup(1, &d), 0);
	EXPECT(d != c);
	EXPECT_EQ(*(volatile unsigned *)c, *(volatile unsigned *)c); // libaio looks there
	EXPECT_ERR(events(c, 2, 1, &e, 0), EINVAL);
	EXPECT_ERR(events(c, -1, 1, &e, 0), EINVAL);
	EXPECT_ERR(events(0, 0, 1, &e, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_io_getevents, c, 0, 1, &e, (void *)8), EFAULT);
	EXPECT_EQ(events(c, 0, 1, &e, 0), 0);
	EXPECT_EQ(events(c, 1, 1, &e, 20), 0);
	EXPECT_EQ(destroy(d), 0);
	EXPECT_ERR(destroy(d), EINVAL);
	EXPECT_ERR(destroy(0), EINVAL);
	EXPECT_EQ(destroy(c), 0);
	EXPECT_ERR(events(c, 0, 1, &e, 0), EINVAL);
}

TEST(transfers)
{
	char out[3000], in[3000] = "", tail[8] = "";
	struct iovec vec[2] = {{in, 1000}, {in + 1000, 2000}};
	struct io_event e[8];
	aio_context_t c = 0;

	EXPECT_EQ(scratch_enter(), 0);
	int fd = open("aio", O_RDWR | O_CREAT | O_TRUNC, 0600);
	EXPECT(fd >= 0);
	EXPECT_EQ(setup(8, &c), 0);
	for (unsigned i = 0; i < sizeof out; i++)
		out[i] = (char)(i * 7);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, out, sizeof out, 5),
		    s = {.aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd},
		    r = request(IOCB_CMD_PREADV, fd, vec, 2, 5),
		    t = request(IOCB_CMD_PREAD, fd, tail, 8, 3000),
		    f = {.aio_lio_opcode = IOCB_CMD_FDSYNC, .aio_fildes = fd};
	EXPECT_EQ(submit(c, 2, (struct iocb *[]){&w, &s}), 2);
	EXPECT_EQ(events(c, 2, 8, e, 1000), 2);
	unsigned first = e[0].obj != (uint64_t)&w;
	EXPECT_EQ(e[first].obj, (uint64_t)&w);
	EXPECT_EQ(e[first].data, w.aio_data);
	EXPECT_EQ(e[first].res, (long)sizeof out);
	EXPECT_EQ(e[!first].res, 0);
	EXPECT_EQ(submit(c, 3, (struct iocb *[]){&r, &t, &f}), 3);
	EXPECT_EQ(events(c, 3, 8, e, 1000), 3);
	EXPECT(!memcmp(in, out, sizeof in));
	EXPECT(!memcmp(tail, out + 2995, 5) && !tail[5]);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(e[i].res, e[i].obj == (uint64_t)&r ? 3000 : e[i].obj == (uint64_t)&t ? 5 : 0);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0); // nobody's position moves
	// What fails in the transfer fails in the event.
	struct iocb bad = request(IOCB_CMD_PREAD, fd, (void *)4096, 10, 0);
	EXPECT_EQ(submit_one(c, &bad), 1);
	EXPECT_EQ(events(c, 1, 1, e, 1000), 1);
	EXPECT_EQ(e[0].res, -EFAULT);
	EXPECT_EQ(destroy(c), 0);
	close(fd);
}

TEST(refused_requests)
{
	char buf[16];
	struct iovec bad_vec = {buf, -1};
	aio_context_t c = 0;
	int p[2];

	EXPECT_EQ(scratch_enter(), 0);
	int fd = open("refused", O_RDWR | O_CREAT, 0600), ro = open("refused", O_RDONLY),
	    wo = open("refused", O_WRONLY);
	EXPECT(fd >= 0 && ro >= 0 && wo >= 0);
	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(setup(4, &c), 0);
	struct iocb good = request(IOCB_CMD_PREAD, fd, buf, 4, 0), r = good;
	EXPECT_EQ(submit(c, 0, NULL), 0);
	EXPECT_ERR(submit(c, -1, NULL), EINVAL);
	EXPECT_ERR(submit_one(0, &r), EINVAL);
	EXPECT_ERR(submit(c, 1, NULL), EFAULT);
	EXPECT_ERR(submit_one(c, (void *)8), EFAULT);
	r.aio_fildes = -1;
	EXPECT_ERR(submit_one(c, &r), EBADF);
	EXPECT_EQ(submit(c, 2, (struct iocb *[]){&good, &r}), 1); // as many as went well
	r = good, r.aio_fildes = wo;
	EXPECT_ERR(submit_one(c, &r), EBADF);
	r = good, r.aio_lio_opcode = IOCB_CMD_PWRITE, r.aio_fildes = ro;
	EXPECT_ERR(submit_one(c, &r), EBADF);
	r = good, r.aio_lio_opcode = 99;
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = good, r.aio_lio_opcode = IOCB_CMD_NOOP;
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = good, r.aio_reserved2 = 1;
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = good, r.aio_offset = -1;
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = good, r.aio_nbytes = -1;
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = request(IOCB_CMD_PREADV, fd, &bad_vec, 1, 0);
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = request(IOCB_CMD_PREADV, fd, (void *)8, 1, 0);
	EXPECT_ERR(submit_one(c, &r), EFAULT);
	r = good, r.aio_rw_flags = 1 << 30;
	EXPECT_ERR(submit_one(c, &r), EOPNOTSUPP);
	r = (struct iocb){.aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd, .aio_nbytes = 1};
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = (struct iocb){.aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = p[0]};
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = good, r.aio_flags = IOCB_FLAG_RESFD, r.aio_resfd = -1;
	EXPECT_ERR(submit_one(c, &r), EBADF);
	r.aio_resfd = fd;
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = good, r.aio_flags = IOCB_FLAG_IOPRIO, r.aio_reqprio = -1;
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	r = (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = p[0], .aio_buf = 1 << 20};
	EXPECT_ERR(submit_one(c, &r), EINVAL);
	EXPECT_ERR(syscall(SYS_io_cancel, c, &good, NULL), EINVAL); // long done
	EXPECT_ERR(syscall(SYS_io_cancel, c, NULL, NULL), EFAULT);
	EXPECT_ERR(syscall(SYS_io_cancel, 0, &good, NULL), EINVAL);
	EXPECT_EQ(destroy(c), 0);
	close(fd), close(ro), close(wo), close(p[0]), close(p[1]);
}

TEST(ring_has_an_end)
{
	struct io_event e[64];
	aio_context_t c = 0;
	char b;
	long n = 0;

	EXPECT_EQ(scratch_enter(), 0);
	int fd = open("ring", O_RDWR | O_CREAT, 0600);
	EXPECT_EQ(setup(2, &c), 0);
	struct iocb r = request(IOCB_CMD_PREAD, fd, &b, 1, 0);
	while (n < 5000 && submit_one(c, &r) == 1)
		n++;
	EXPECT(n >= 2 && n < 5000);
	EXPECT_ERR(submit_one(c, &r), EAGAIN);
	EXPECT_EQ(events(c, 1, 1, e, 0), 1);
	EXPECT_ERR(syscall(SYS_io_getevents, c, 1, 1, (void *)8, NULL), EFAULT); // and none is lost
	for (n--; n > 0;) {
		long got = events(c, 1, 64, e, 0);
		EXPECT(got > 0);
		n -= got;
	}
	EXPECT_EQ(n, 0);
	EXPECT_EQ(submit_one(c, &r), 1);
	EXPECT_EQ(destroy(c), 0);
	close(fd);
}

TEST(event_descriptor)
{
	aio_context_t c = 0;
	uint64_t count;
	char b;

	EXPECT_EQ(scratch_enter(), 0);
	int fd = open("eventfd", O_RDWR | O_CREAT, 0600), event = eventfd(0, 0);
	EXPECT_EQ(setup(4, &c), 0);
	struct iocb r = request(IOCB_CMD_PREAD, fd, &b, 1, 0);
	r.aio_flags = IOCB_FLAG_RESFD;
	r.aio_resfd = event;
	EXPECT_EQ(submit(c, 2, (struct iocb *[]){&r, &r}), 2);
	EXPECT_EQ(read(event, &count, 8), 8);
	EXPECT_EQ(count, 2);
	EXPECT_EQ(destroy(c), 0);
	close(fd), close(event);
}

TEST(polls)
{
	struct io_event e;
	aio_context_t c = 0;
	struct pollfd pfd = {.fd = eventfd(0, 0), .events = POLLIN};
	int p[2];

	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(setup(4, &c), 0);
	struct iocb r = {.aio_lio_opcode = IOCB_CMD_POLL,
			 .aio_fildes = p[0],
			 .aio_buf = POLLIN,
			 .aio_data = 11,
			 .aio_flags = IOCB_FLAG_RESFD,
			 .aio_resfd = pfd.fd};
	EXPECT_EQ(submit_one(c, &r), 1);
	EXPECT_EQ(events(c, 1, 1, &e, 20), 0);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(poll(&pfd, 1, 5000), 1);
	EXPECT_EQ(events(c, 1, 1, &e, 5000), 1);
	EXPECT(e.data == 11 && e.obj == (uint64_t)&r && e.res & POLLIN);
	EXPECT_EQ(submit_one(c, &r), 1); // ready at once
	EXPECT_EQ(events(c, 1, 1, &e, 5000), 1);
	r.aio_buf = POLLOUT;
	r.aio_fildes = p[1];
	EXPECT_EQ(submit_one(c, &r), 1);
	EXPECT_EQ(events(c, 1, 1, &e, 5000), 1);
	EXPECT(e.res & POLLOUT);
	char b;
	EXPECT_EQ(read(p[0], &b, 1), 1);
	r.aio_buf = POLLIN;
	r.aio_fildes = p[0];
	EXPECT_EQ(submit_one(c, &r), 1);
	EXPECT_ERR(syscall(SYS_io_cancel, c, &r, &e), EINPROGRESS);
	EXPECT_EQ(events(c, 1, 1, &e, 5000), 1);
	EXPECT_EQ(e.res, 0);
	EXPECT_EQ(submit_one(c, &r), 1);
	close(p[1]); // the other side's end is told, asked for or not
	EXPECT_EQ(events(c, 1, 1, &e, 5000), 1);
	EXPECT(e.res & POLLHUP);
	close(p[0]);
	EXPECT_EQ(pipe(p), 0);
	r.aio_fildes = p[0];
	EXPECT_EQ(submit_one(c, &r), 1); // destroyed with a poll under way
	EXPECT_EQ(destroy(c), 0);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	CHILD
		{
			c = 0;
			NEED_EQ(setup(1, &c), 0);
			read(p[0], &b, 1);
			NEED_EQ(submit_one(c, &r), 1); // and a process that ends with one
		}
	END_CHILD;
	close(p[0]), close(p[1]), close(pfd.fd);
}

static void on_alarm(int sig)
{
}

TEST(waiting_is_interrupted)
{
	struct sigaction a = {.sa_handler = on_alarm};
	struct itimerval soon = {.it_value.tv_usec = 50000};
	struct {
		const void *mask;
		size_t size;
	} sig = {NULL, 8};
	uint64_t blocked = 1ull << (SIGALRM - 1), none = 0;
	struct timespec ts = {0, 100000000};
	aio_context_t c = 0;
	struct io_event e;

	EXPECT_EQ(setup(1, &c), 0);
	EXPECT_EQ(sigaction(SIGALRM, &a, NULL), 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	EXPECT_ERR(events(c, 1, 1, &e, -1), EINTR);
	sig.mask = &blocked;
	setitimer(ITIMER_REAL, &soon, NULL);
	EXPECT_EQ(syscall(SYS_io_pgetevents, c, 1, 1, &e, &ts, &sig), 0);
	sig.size = 4;
	EXPECT_ERR(syscall(SYS_io_pgetevents, c, 1, 1, &e, &ts, &sig), EINVAL);
	sig.size = 8;
	EXPECT_ERR(syscall(SYS_io_pgetevents, c, 1, 1, &e, &ts, (void *)8), EFAULT);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	sig.mask = &none;
	EXPECT_ERR(syscall(SYS_io_pgetevents, c, 1, 1, &e, NULL, &sig), EINTR);
	EXPECT_EQ(destroy(c), 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

TEST(children_have_none)
{
	aio_context_t c = 0;
	struct io_event e;

	EXPECT_EQ(setup(1, &c), 0);
	CHILD
		{
			NEED_ERR(events(c, 0, 1, &e, 0), EINVAL);
			NEED_ERR(destroy(c), EINVAL);
		}
	END_CHILD;
	EXPECT_EQ(destroy(c), 0);
}
