// SPDX-License-Identifier: BSD-2-Clause
// splice(2) and tee(2): what moves, who waits, and that nothing is lost when the other side refuses.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int held(int fd)
{
	int n = -1;

	ioctl(fd, FIONREAD, &n);
	return n;
}

static void tcp_pair(int out[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof a;

	EXPECT_EQ(bind(listener, (struct sockaddr *)&a, size), 0);
	EXPECT_EQ(listen(listener, 1), 0);
	EXPECT_EQ(getsockname(listener, (struct sockaddr *)&a, &size), 0);
	out[0] = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_EQ(connect(out[0], (struct sockaddr *)&a, size), 0);
	out[1] = accept(listener, NULL, NULL);
	EXPECT(out[1] >= 0);
	close(listener);
}

static void close_both(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

TEST(refused_bytes_stay)
{
	char block[4096] = "x", back[sizeof block];
	int p[2], pair[2];
	ssize_t n;

	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	while (write(pair[0], block, sizeof block) > 0)
		;
	EXPECT_EQ(write(p[1], "kept", 4), 4);
	EXPECT_ERR(splice(p[0], NULL, pair[0], NULL, 4, 0), EAGAIN);
	EXPECT_EQ(held(p[0]), 4);
	signal(SIGPIPE, SIG_IGN);
	close(pair[1]);
	EXPECT_ERR(splice(p[0], NULL, pair[0], NULL, 4, 0), EPIPE);
	EXPECT_EQ(held(p[0]), 4);
	n = read(p[0], back, sizeof back);
	EXPECT(n == 4 && !memcmp(back, "kept", 4));
	signal(SIGPIPE, SIG_DFL);
	close(pair[0]);
	close_both(p);
}

// More than the socket takes: what it did not take is still there, in order.
TEST(partly_taken)
{
	static uint8_t data[1 << 16], back[sizeof data];
	size_t total = 0, got = 0;
	int p[2], pair[2], small = 4096;
	ssize_t n;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = pattern(i);
	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	EXPECT_EQ(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	EXPECT_EQ(write(p[1], data, sizeof data), (ssize_t)sizeof data);
	while (total < sizeof data) {
		n = splice(p[0], NULL, pair[0], NULL, sizeof data, SPLICE_F_MORE);
		if (n < 0) {
			EXPECT_EQ(errno, EAGAIN);
		} else {
			EXPECT(n > 0);
			total += (size_t)n;
		}
		EXPECT_EQ(held(p[0]), (int)(sizeof data - total));
		while ((n = read(pair[1], back + got, sizeof back - got)) > 0)
			got += (size_t)n;
	}
	EXPECT(got == sizeof data && !memcmp(back, data, got));
	close_both(pair);
	close_both(p);
}

TEST(between_pipes)
{
	char buf[16];
	int a[2], b[2];

	EXPECT_EQ(pipe(a), 0);
	EXPECT_EQ(pipe2(b, O_NONBLOCK), 0);
	EXPECT_EQ(write(a[1], "0123456789", 10), 10);
	EXPECT_EQ(tee(a[0], b[1], 3, 0), 3);
	EXPECT_EQ(splice(a[0], NULL, b[1], NULL, 4, 0), 4);
	EXPECT_EQ(held(a[0]), 6);
	EXPECT_EQ(splice(a[0], NULL, b[1], NULL, 100, 0), 6);
	EXPECT_EQ(read(b[0], buf, sizeof buf), 13);
	EXPECT(!memcmp(buf, "0120123456789", 13));
	EXPECT_ERR(splice(a[0], NULL, b[1], NULL, 4, SPLICE_F_NONBLOCK), EAGAIN);
	// A full pipe gives room to its writers by what leaves it.
	fcntl(a[1], F_SETFL, O_NONBLOCK);
	while (write(a[1], buf, 1) == 1 || write(a[1], (char[4096]){0}, 4096) == 4096)
		;
	EXPECT_EQ(splice(a[0], NULL, b[1], NULL, 8192, 0), 8192);
	EXPECT_EQ(poll(&(struct pollfd){.fd = a[1], .events = POLLOUT}, 1, 10000), 1);
	close(a[1]);
	while (read(a[0], (char[4096]){0}, 4096) > 0)
		;
	EXPECT_EQ(splice(a[0], NULL, b[1], NULL, 4, 0), 0); // no writer any more
	close(a[0]);
	close_both(b);
}

static void *send_later(void *arg)
{
	pause_ms(50);
	return (void *)(intptr_t)write(*(int *)arg, "late", 4);
}

// SPLICE_F_NONBLOCK is about the pipe; of the sources only local sockets look at it.
TEST(who_waits)
{
	int p[2], local[2], internet[2];
	pthread_t t;

	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, local), 0);
	tcp_pair(internet);
	EXPECT_ERR(splice(local[0], NULL, p[1], NULL, 8, SPLICE_F_NONBLOCK), EAGAIN);
	EXPECT_EQ(pthread_create(&t, NULL, send_later, &internet[1]), 0);
	EXPECT_EQ(splice(internet[0], NULL, p[1], NULL, 8, SPLICE_F_NONBLOCK), 4);
	pthread_join(t, NULL);
	fcntl(internet[0], F_SETFL, O_NONBLOCK);
	EXPECT_ERR(splice(internet[0], NULL, p[1], NULL, 8, 0), EAGAIN);
	// A pipe stays usable while somebody waits to fill it.
	fcntl(internet[0], F_SETFL, 0);
	EXPECT_EQ(pthread_create(&t, NULL, send_later, &internet[1]), 0);
	EXPECT_EQ(splice(internet[0], NULL, p[1], NULL, 8, 0), 4);
	EXPECT_EQ(held(p[0]), 8);
	pthread_join(t, NULL);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	EXPECT_ERR(splice(local[0], NULL, p[1], NULL, 8, 0), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	close(p[1]);
	close_both(local);
	close_both(internet);
}

#define LOT (3u << 20)

static void *pour(void *arg)
{
	static uint8_t block[10000];
	const int *fd = arg;

	for (size_t done = 0; done < LOT;) {
		size_t n = LOT - done < sizeof block ? LOT - done : sizeof block;

		for (size_t i = 0; i < n; i++)
			block[i] = pattern(done + i);
		for (size_t put = 0; put < n;) {
			ssize_t w = write(*fd, block + put, n - put);

			if (w <= 0)
				return NULL;
			put += (size_t)w;
		}
		done += n;
	}
	shutdown(*fd, SHUT_WR);
	return NULL;
}

struct relay {
	int from, pipe_[2], to;
};

// As a proxy does it: both ways through one pipe, until the source ends.
static void *relay(void *arg)
{
	struct relay *r = arg;
	ssize_t n, left;

	while ((n = splice(r->from, NULL, r->pipe_[1], NULL, 1 << 20, 0)) > 0)
		for (left = n; left > 0; left -= n) {
			n = splice(r->pipe_[0], NULL, r->to, NULL, (size_t)left, SPLICE_F_MORE);
			if (n <= 0)
				return NULL;
		}
	shutdown(r->to, SHUT_WR);
	return NULL;
}

TEST(a_proxy)
{
	static uint8_t block[65536];
	int in[2], out[2];
	pthread_t t[2];
	size_t total = 0;
	bool same = true;
	struct relay r;
	ssize_t n;

	tcp_pair(in);
	tcp_pair(out);
	EXPECT_EQ(pipe(r.pipe_), 0);
	fcntl(r.pipe_[1], F_SETPIPE_SZ, 1 << 19);
	r.from = in[1];
	r.to = out[0];
	EXPECT_EQ(pthread_create(&t[0], NULL, pour, &in[0]), 0);
	EXPECT_EQ(pthread_create(&t[1], NULL, relay, &r), 0);
	while ((n = read(out[1], block, sizeof block)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			same &= block[i] == pattern(total + (size_t)i);
		total += (size_t)n;
	}
	EXPECT(same && total == LOT);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	close_both(in);
	close_both(out);
	close_both(r.pipe_);
}
