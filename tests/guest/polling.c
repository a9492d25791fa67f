// SPDX-License-Identifier: BSD-2-Clause
// Pipes, and the calls that wait for several files: poll, select, epoll.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

TEST(pipe_basics)
{
	int p[2], n;
	char b[16];

	EXPECT_EQ(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	EXPECT_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	EXPECT_ERR(read(p[0], b, 1), EAGAIN);
	EXPECT_EQ(write(p[1], "hello", 5), 5);
	EXPECT_EQ(ioctl(p[0], FIONREAD, &n), 0);
	EXPECT_EQ(n, 5);
	EXPECT_EQ(read(p[0], b, 16), 5);
	EXPECT_ERR(read(p[1], b, 1), EBADF);
	EXPECT_ERR(write(p[0], b, 1), EBADF);
	EXPECT_ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	EXPECT_EQ(read(p[0], b, 0), 0);
	close(p[1]);
	EXPECT_EQ(read(p[0], b, 1), 0);
	close(p[0]);
	EXPECT_ERR(pipe2(p, 0x40000000), EINVAL);
}

TEST(pipe_capacity)
{
	int p[2];
	static char block[4096];
	long total = 0, r;

	EXPECT_EQ(pipe2(p, O_NONBLOCK), 0);
	EXPECT_EQ(fcntl(p[1], F_GETPIPE_SZ), 65536);
	while ((r = write(p[1], block, sizeof block)) > 0)
		total += r;
	EXPECT_EQ(total, 65536);
	EXPECT_ERR(write(p[1], block, 1), EAGAIN);
	EXPECT_EQ(read(p[0], block, 4096), 4096);
	EXPECT_EQ(write(p[1], block, 4096), 4096);
	EXPECT(fcntl(p[1], F_SETPIPE_SZ, 131072) >= 131072);
	close(p[0]), close(p[1]);
}

static int feed[2];

static void *feeder(void *arg)
{
	static unsigned char block[10000];

	for (long i = 0; i < 300; i++) {
		memset(block, (int)i, sizeof block);
		if (write(feed[1], block, sizeof block) != sizeof block)
			break;
	}
	close(feed[1]);
	return arg;
}

TEST(pipe_stream)
{
	static unsigned char b[7777];
	long total = 0, r, wrong = 0;
	pthread_t t;

	EXPECT_EQ(pipe(feed), 0);
	pthread_create(&t, NULL, feeder, NULL);
	while ((r = read(feed[0], b, sizeof b)) > 0)
		for (long i = 0; i < r; i++, total++)
			wrong += b[i] != (unsigned char)(total / 10000);
	pthread_join(t, NULL);
	EXPECT_EQ(total, 3000000);
	EXPECT_EQ(wrong, 0);
	close(feed[0]);
}

TEST(fifo)
{
	char name[] = "/tmp/fifo-XXXXXX", b[4];

	close(mkstemp(name));
	unlink(name);
	EXPECT_EQ(mkfifo(name, 0600), 0);
	EXPECT_ERR(mkfifo(name, 0600), EEXIST);
	EXPECT_ERR(open(name, O_WRONLY | O_NONBLOCK), ENXIO);
	int r = open(name, O_RDONLY | O_NONBLOCK);

	EXPECT(r >= 0);
	EXPECT_EQ(read(r, b, 4), 0);
	int w = open(name, O_WRONLY);

	EXPECT(w >= 0);
	EXPECT_ERR(read(r, b, 4), EAGAIN);
	EXPECT_EQ(write(w, "ab", 2), 2);
	EXPECT_EQ(read(r, b, 4), 2);
	close(r), close(w);
	unlink(name);
}

TEST(scatter_and_gather)
{
	int p[2];
	char a[3] = "", b[5] = "";
	struct iovec out[3] = {{"ab", 2}, {NULL, 0}, {"cdef", 4}}, in[2] = {{a, 2}, {b, 4}};

	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(writev(p[1], out, 3), 6);
	EXPECT_EQ(readv(p[0], in, 2), 6);
	EXPECT(!strcmp(a, "ab") && !strcmp(b, "cdef"));
	EXPECT_EQ(writev(p[1], out, 0), 0);
	EXPECT_ERR(writev(p[1], out, -1), EINVAL);
	EXPECT_ERR(writev(p[1], out, 1025), EINVAL);
	close(p[0]), close(p[1]);
}

TEST(poll_states)
{
	int p[2];
	struct pollfd f[3];

	EXPECT_EQ(pipe(p), 0);
	f[0] = (struct pollfd){.fd = p[0], .events = POLLIN};
	f[1] = (struct pollfd){.fd = p[1], .events = POLLOUT};
	f[2] = (struct pollfd){.fd = -1, .events = POLLIN};
	EXPECT_EQ(poll(f, 3, 0), 1);
	EXPECT(f[0].revents == 0 && f[1].revents == POLLOUT && f[2].revents == 0);
	write(p[1], "x", 1);
	EXPECT_EQ(poll(f, 3, -1), 2);
	EXPECT_EQ(f[0].revents, POLLIN);
	close(p[1]);
	EXPECT_EQ(poll(f, 2, 0), 2);
	EXPECT(f[0].revents == (POLLIN | POLLHUP) && f[1].revents == POLLNVAL);
	close(p[0]);
	EXPECT_EQ(pipe(p), 0);
	f[0] = (struct pollfd){.fd = p[1], .events = POLLOUT};
	close(p[0]);
	EXPECT_EQ(poll(f, 1, 0), 1);
	EXPECT(f[0].revents & POLLERR);
	close(p[1]);
	double start = now();

	EXPECT_EQ(poll(NULL, 0, 50), 0);
	EXPECT(now() - start >= 0.049);
}

TEST(select_states)
{
	int p[2];
	fd_set r, w;
	struct timeval t = {0, 30000};

	EXPECT_EQ(pipe(p), 0);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	EXPECT_EQ(select(p[1] + 1, &r, &w, NULL, &t), 1);
	EXPECT(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	t = (struct timeval){0, 30000};
	EXPECT_EQ(select(p[0] + 1, &r, NULL, NULL, &t), 0);
	EXPECT(!FD_ISSET(p[0], &r));
	close(p[0]), close(p[1]);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	t = (struct timeval){0, 0};
	EXPECT_ERR(select(p[0] + 1, &r, NULL, NULL, &t), EBADF);
}

static int event(int epoll, int ms)
{
	struct epoll_event e = {0};
	int n = epoll_wait(epoll, &e, 1, ms);

	return n == 1 ? (int)e.events : -n;
}

TEST(epoll_level)
{
	int e = epoll_create1(EPOLL_CLOEXEC), p[2];
	struct epoll_event v = {.events = EPOLLIN, .data.u64 = 0x123456789abcdefull};

	EXPECT(e >= 0);
	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v), 0);
	EXPECT_ERR(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v), EEXIST);
	EXPECT_ERR(epoll_ctl(e, EPOLL_CTL_MOD, p[1], &v), ENOENT);
	EXPECT_ERR(epoll_ctl(e, EPOLL_CTL_ADD, e, &v), EINVAL);
	EXPECT_ERR(epoll_ctl(e, EPOLL_CTL_ADD, 999, &v), EBADF);
	EXPECT_EQ(event(e, 0), 0);
	write(p[1], "ab", 2);
	EXPECT_EQ(event(e, -1), EPOLLIN);
	EXPECT_EQ(event(e, 0), EPOLLIN); // still there
	struct epoll_event got;

	EXPECT_EQ(epoll_wait(e, &got, 1, 0), 1);
	EXPECT(got.data.u64 == 0x123456789abcdefull);
	char b[4];

	read(p[0], b, 4);
	EXPECT_EQ(event(e, 0), 0);
	close(p[1]);
	EXPECT_EQ(event(e, 0), EPOLLHUP);
	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL), 0);
	EXPECT_EQ(event(e, 0), 0);
	EXPECT_ERR(epoll_wait(e, &got, 0, 0), EINVAL);
	close(p[0]), close(e);
	int fd = open("/etc/passwd", O_RDONLY);

	e = epoll_create1(0);
	EXPECT_ERR(epoll_ctl(e, EPOLL_CTL_ADD, fd, &v), EPERM);
	close(fd), close(e);
}

TEST(epoll_edge)
{
	int e = epoll_create1(0), s[2];
	struct epoll_event v = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP};
	char b[16];

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_ADD, s[0], &v), 0);
	EXPECT_EQ(event(e, 0), EPOLLOUT);
	EXPECT_EQ(event(e, 0), 0); // told once
	write(s[1], "abc", 3);
	EXPECT(event(e, 100) & EPOLLIN);
	EXPECT_EQ(event(e, 0), 0);
	write(s[1], "def", 3); // new data is a new edge, though the old was not read
	EXPECT(event(e, 100) & EPOLLIN);
	EXPECT_EQ(read(s[0], b, 16), 6);
	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_MOD, s[0], &v), 0); // asking again tells the state again
	EXPECT_EQ(event(e, 0), EPOLLOUT);
	shutdown(s[1], SHUT_WR);
	EXPECT_EQ(event(e, 100) & (EPOLLIN | EPOLLRDHUP), EPOLLIN | EPOLLRDHUP);
	close(s[0]), close(s[1]), close(e);
}

TEST(epoll_one_shot)
{
	int e = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);
	struct epoll_event v = {.events = EPOLLIN | EPOLLONESHOT};
	uint64_t one = 1;

	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_ADD, fd, &v), 0);
	write(fd, &one, 8);
	EXPECT_EQ(event(e, 100), EPOLLIN);
	write(fd, &one, 8);
	EXPECT_EQ(event(e, 10), 0);
	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_MOD, fd, &v), 0);
	EXPECT_EQ(event(e, 100), EPOLLIN);
	close(fd), close(e);
}

TEST(epoll_fairness)
{
	int e = epoll_create1(0), fd[8];
	uint64_t one = 1;
	unsigned seen = 0;

	for (int i = 0; i < 8; i++) {
		struct epoll_event v = {.events = EPOLLIN, .data.u32 = i};

		fd[i] = eventfd(1, 0);
		EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_ADD, fd[i], &v), 0);
	}
	for (int round = 0; round < 8; round++) {
		struct epoll_event v[2];
		int n = epoll_wait(e, v, 2, 0);

		EXPECT_EQ(n, 2);
		for (int i = 0; i < n; i++)
			seen |= 1u << v[i].data.u32;
	}
	EXPECT_EQ(seen, 255); // a ready file is not starved by others
	for (int i = 0; i < 8; i++)
		read(fd[i], &one, 8), close(fd[i]);
	close(e);
}

TEST(epoll_nested)
{
	int inner = epoll_create1(0), outer = epoll_create1(0), fd = eventfd(0, 0);
	struct epoll_event v = {.events = EPOLLIN};
	uint64_t one = 1;

	EXPECT_EQ(epoll_ctl(inner, EPOLL_CTL_ADD, fd, &v), 0);
	EXPECT_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &v), 0);
	EXPECT_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &v), ELOOP);
	EXPECT_EQ(event(outer, 0), 0);
	write(fd, &one, 8);
	EXPECT_EQ(event(outer, 100), EPOLLIN);
	close(fd), close(inner), close(outer);
}

// A registration lives as long as the open file, not as the descriptor.
TEST(epoll_and_duplicates)
{
	int e = epoll_create1(0), fd = eventfd(1, 0), copy = dup(fd);
	struct epoll_event v = {.events = EPOLLIN};

	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_ADD, fd, &v), 0);
	close(fd);
	EXPECT_EQ(event(e, 0), EPOLLIN);
	close(copy);
	EXPECT_EQ(event(e, 0), 0);
	close(e);
}

static int shared_epoll, shared_event;
static _Atomic int wakers;

static void *wait_there(void *arg)
{
	if (event(shared_epoll, 3000) & EPOLLIN)
		wakers++;
	return arg;
}

static void *write_later(void *arg)
{
	uint64_t one = 1;

	pause_ms(50);
	write(shared_event, &one, 8);
	return arg;
}

TEST(epoll_across_threads)
{
	pthread_t a, b;
	struct epoll_event v = {.events = EPOLLIN | EPOLLET};

	shared_epoll = epoll_create1(0);
	shared_event = eventfd(0, 0);
	wakers = 0;
	EXPECT_EQ(epoll_ctl(shared_epoll, EPOLL_CTL_ADD, shared_event, &v), 0);
	pthread_create(&a, NULL, wait_there, NULL);
	pthread_create(&b, NULL, write_later, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	EXPECT_EQ(wakers, 1);
	close(shared_epoll), close(shared_event);
}

TEST(epoll_timeout)
{
	int e = epoll_create1(0);
	double start = now();

	EXPECT_EQ(event(e, 60), 0);
	EXPECT(now() - start >= 0.059 && now() - start < 2);
	close(e);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int n)
{
	alarms++;
}

TEST(signal_masks_while_waiting)
{
	int e = epoll_create1(0);
	sigset_t block, open;
	struct sigaction sa = {.sa_handler = on_alarm};
	struct epoll_event v;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&open);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	alarms = 0;
	EXPECT_ERR(epoll_pwait(e, &v, 1, 2000, &open), EINTR);
	EXPECT_EQ(alarms, 1);
	raise(SIGUSR1);
	struct timespec t = {2, 0};

	EXPECT_ERR(ppoll(NULL, 0, &t, &open), EINTR);
	EXPECT_EQ(alarms, 2);
	raise(SIGUSR1);
	EXPECT_ERR(pselect(0, NULL, NULL, NULL, &t, &open), EINTR);
	EXPECT_EQ(alarms, 3);
	sigset_t current;

	sigprocmask(SIG_BLOCK, NULL, &current);
	EXPECT(sigismember(&current, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	close(e);
}
