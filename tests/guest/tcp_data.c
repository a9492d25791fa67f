// SPDX-License-Identifier: BSD-2-Clause
// Ways to write and to read what TCP carries: peeking, corking, urgent data, what is left unsent.
#include "tcp.h"

TEST(ways_to_read)
{
	char b[16];
	int c, s, n;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_ERR(recv(s, b, 16, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(send(c, "abcdefgh", 8, 0), 8);
	EXPECT(wait_for(s, POLLIN) & POLLIN);
	EXPECT_EQ(recv(s, b, 4, MSG_PEEK), 4);
	EXPECT_EQ(recv(s, NULL, 3, MSG_TRUNC), 3); // thrown away
	EXPECT_EQ(ioctl(s, SIOCINQ, &n), 0);
	EXPECT_EQ(n, 5);
	EXPECT_EQ(recv(s, b, 16, MSG_PEEK), 5);
	EXPECT(!memcmp(b, "defgh", 5));
	EXPECT_EQ(recv(s, b, 0, 0), 0);
	EXPECT_EQ(recv(s, b, 16, 0), 5);
	EXPECT_ERR(recv(s, b, 1, MSG_OOB), EINVAL);
	EXPECT_ERR(recv(s, b, 1, MSG_ERRQUEUE), EAGAIN);
	close(c), close(s);
}

// Is there nothing to read for a moment? What is held back goes after 200 ms, which may pass here when the
// machine is busy.
static bool held_back(int s, double since)
{
	struct pollfd p = {.fd = s, .events = POLLIN};

	return !poll(&p, 1, 30) || now() - since >= 0.19;
}

TEST(more_to_come)
{
	char b[16];
	int c, s, unsent = -1;
	double start;
	ssize_t n;

	EXPECT_EQ(pair(&c, &s), 0);
	start = now();
	EXPECT_EQ(send(c, "a", 1, MSG_MORE), 1);
	EXPECT(held_back(s, start));
	EXPECT_EQ(send(c, "b", 1, 0), 1);
	n = recv(s, b, 16, 0);
	EXPECT(n == 2 || (n == 1 && now() - start >= 0.19 && recv(s, b, 16, 0) == 1));
	start = now();
	EXPECT_EQ(set(c, TCP_CORK, 1), 0);
	EXPECT_EQ(send(c, "c", 1, 0), 1);
	EXPECT(held_back(s, start));
	EXPECT_EQ(set(c, TCP_CORK, 0), 0);
	EXPECT_EQ(recv(s, b, 16, 0), 1);
	EXPECT_EQ(set(c, TCP_CORK, 1), 0);
	EXPECT_EQ(send(c, "d", 1, 0), 1);
	EXPECT_EQ(set(c, TCP_NODELAY, 1), 0); // lets out what waits, and leaves the cork
	EXPECT_EQ(ioctl(c, SIOCOUTQNSD, &unsent), 0);
	EXPECT_EQ(unsent, 0);
	EXPECT_EQ(recv(s, b, 16, 0), 1);
	EXPECT_EQ(get(c, TCP_CORK), 1); // but not for ever
	EXPECT_EQ(send(c, "d", 1, 0), 1);
	EXPECT_EQ(recv(s, b, 16, 0), 1);
	close(c), close(s);
}

TEST(urgent_data)
{
	char b[16];
	int c, s, n, one = 1;
	struct pollfd p;

	EXPECT_EQ(pair(&c, &s), 0);
	p = (struct pollfd){.fd = s, .events = POLLPRI};
	EXPECT_EQ(send(c, "abc", 3, 0), 3);
	EXPECT_EQ(send(c, "de!", 3, MSG_OOB), 3);
	EXPECT_EQ(send(c, "fgh", 3, 0), 3);
	EXPECT_EQ(poll(&p, 1, ANSWER_MS), 1);
	EXPECT_EQ(p.revents, POLLPRI);
	for (int i = 0; i < 100 && recv(s, b, 9, MSG_PEEK | MSG_DONTWAIT) < 5; i++)
		pause_ms(5);
	EXPECT_EQ(ioctl(s, SIOCINQ, &n), 0);
	EXPECT_EQ(n, 5); // up to the mark
	EXPECT_EQ(recv(s, b, 1, MSG_OOB | MSG_PEEK), 1);
	EXPECT_EQ(recv(s, b, 16, MSG_OOB), 1);
	EXPECT_EQ(b[0], '!');
	EXPECT_ERR(recv(s, b, 1, MSG_OOB), EINVAL);
	EXPECT_EQ(ioctl(s, SIOCATMARK, &n), 0);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(recv(s, b, 16, 0), 5);
	EXPECT_EQ(ioctl(s, SIOCATMARK, &n), 0);
	EXPECT_EQ(n, 1);
	EXPECT_EQ(recv(s, b, 16, 0), 3);
	EXPECT(!memcmp(b, "fgh", 3));
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one), 0);
	EXPECT_EQ(send(c, "i?", 2, MSG_OOB), 2);
	EXPECT_EQ(poll(&p, 1, ANSWER_MS), 1);
	EXPECT_ERR(recv(s, b, 1, MSG_OOB), EINVAL);
	EXPECT_EQ(recv(s, b, 16, 0), 1);
	EXPECT_EQ(recv(s, b, 16, 0), 1);
	EXPECT_EQ(b[0], '?');
	close(c), close(s);
}

static int left_behind(int s, char *b, size_t n)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr h;
	} control;
	struct iovec v = {b, n};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *h;
	int left = -1;

	if (recvmsg(s, &m, 0) < 0)
		return -2;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == IPPROTO_TCP && h->cmsg_type == TCP_CM_INQ)
		memcpy(&left, CMSG_DATA(h), sizeof left);
	return left;
}

TEST(what_is_left)
{
	char b[16];
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(set(s, TCP_INQ, 1), 0);
	EXPECT_EQ(send(c, "0123456789", 10, 0), 10);
	EXPECT(wait_for(s, POLLIN) & POLLIN);
	EXPECT_EQ(left_behind(s, b, 4), 6);
	EXPECT_EQ(left_behind(s, b, 6), 0);
	EXPECT_EQ(send(c, "ab", 2, 0), 2);
	close(c);
	EXPECT(wait_for(s, POLLRDHUP) & POLLRDHUP);
	EXPECT_EQ(left_behind(s, b, 2), 1); // the end of file
	close(s);
}

TEST(unsent_bytes)
{
	static char big[1 << 20];
	int c, s, out, unsent;
	ssize_t total = 0, n;

	EXPECT_EQ(pair(&c, &s), 0);
	fcntl(c, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(set(c, TCP_NOTSENT_LOWAT, 20000), 0);
	for (int quiet = 0; quiet < 10;) {
		n = send(c, big, 10000, 0);
		quiet = n > 0 ? 0 : quiet + 1;
		total += n > 0 ? n : 0;
		if (n < 0)
			pause_ms(5);
	}
	EXPECT_EQ(ioctl(c, SIOCOUTQ, &out), 0);
	EXPECT_EQ(ioctl(c, SIOCOUTQNSD_, &unsent), 0);
	EXPECT(unsent < 20000 + 65536 && out >= unsent && out <= total);
	EXPECT_EQ(info(c).tcpi_notsent_bytes, unsent);
	struct pollfd p = {.fd = c, .events = POLLOUT};

	EXPECT_EQ(poll(&p, 1, 0), 0);
	fcntl(s, F_SETFL, O_NONBLOCK);
	for (ssize_t got = 0; got < total;) {
		n = recv(s, big, sizeof big, 0);
		if (n > 0)
			got += n;
		else
			pause_ms(1);
	}
	EXPECT_EQ(poll(&p, 1, ANSWER_MS), 1);
	close(c), close(s);
}
