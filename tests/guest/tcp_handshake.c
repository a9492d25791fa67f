// SPDX-License-Identifier: BSD-2-Clause
// Data and listeners before the connection stands: saved SYNs, deferred accepts, Fast Open.
#include "tcp.h"

TEST(saved_syn)
{
	int l = listener(5), c, s;
	unsigned char b[256];
	socklen_t len = 10;

	EXPECT_EQ(set(l, TCP_SAVE_SYN, 1), 0);
	c = client();
	s = accept(l, NULL, NULL);
	EXPECT_ERR(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, b, &len), EINVAL);
	len = sizeof b;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, b, &len), 0);
	EXPECT(len >= 40 && len <= 80);
	EXPECT_EQ(b[0], 0x45);
	EXPECT_EQ(b[20 + 13] & 0x3f, 2); // SYN
	EXPECT_EQ(b[22] << 8 | b[23], ntohs(addr.sin_port));
	len = sizeof b;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, b, &len), 0);
	EXPECT_EQ(len, 0);
	close(c), close(s);
	EXPECT_EQ(set(l, TCP_SAVE_SYN, 0), 0);
	c = client();
	s = accept(l, NULL, NULL);
	len = sizeof b;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, b, &len), 0);
	EXPECT_EQ(len, 0);
	close(c), close(s), close(l);
}

TEST(accept_deferred_until_data)
{
	int l = listener(5), c, s;
	struct pollfd p = {.fd = l, .events = POLLIN};
	char b[4];

	EXPECT_EQ(set(l, TCP_DEFER_ACCEPT, 5), 0);
	c = client();
	EXPECT(c >= 0);
	EXPECT_EQ(poll(&p, 1, 50), 0);
	EXPECT_EQ(send(c, "go", 2, 0), 2);
	EXPECT_EQ(poll(&p, 1, ANSWER_MS), 1);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(recv(s, b, 4, MSG_DONTWAIT), 2);
	close(c), close(s), close(l);
}

TEST(fast_open)
{
	int l = listener(5), c, s;
	char b[32];

	if (!fastopen)
		SKIP("tcp_fastopen cannot be set");
	EXPECT_EQ(set(l, TCP_FASTOPEN, 5), 0);
	EXPECT_EQ(get(l, TCP_FASTOPEN), 5);
	for (int round = 0; round < 2; round++) { // a cookie is asked for; it is used
		c = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_EQ(sendto(c, "early data", 10, MSG_FASTOPEN, (void *)&addr, sizeof addr), 10);
		s = accept(l, NULL, NULL);
		EXPECT_EQ(recv(s, b, 32, 0), 10);
		EXPECT(!memcmp(b, "early data", 10));
		EXPECT_EQ(!!(info(c).tcpi_options & TCPI_OPT_SYN_DATA), round);
		EXPECT_EQ(!!(info(s).tcpi_options & TCPI_OPT_SYN_DATA), round);
		EXPECT_EQ(send(s, "answer", 6, 0), 6);
		EXPECT_EQ(recv(c, b, 32, 0), 6);
		EXPECT_ERR(sendto(c, "x", 1, MSG_FASTOPEN, (void *)&addr, sizeof addr), EISCONN);
		close(c);
		EXPECT_EQ(recv(s, b, 32, 0), 0);
		close(s);
	}
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT_EQ(sendto(c, "nonblocking", 11, MSG_FASTOPEN, (void *)&addr, sizeof addr), 11);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(recv(s, b, 32, 0), 11);
	EXPECT_EQ(set(s, TCP_FASTOPEN, 1), -1);
	close(c), close(s), close(l);
}

// 1: a client's data came with its SYN; 0: only after the handshake.
static int data_with_syn(int l)
{
	int c = socket(AF_INET, SOCK_STREAM, 0), s, with = -1;
	char b[8];

	if (sendto(c, "data", 4, MSG_FASTOPEN, (void *)&addr, sizeof addr) == 4) {
		s = accept(l, NULL, NULL);
		if (recv(s, b, 8, 0) == 4)
			with = !!(info(s).tcpi_options & TCPI_OPT_SYN_DATA);
		close(s);
	}
	close(c);
	return with;
}

TEST(fast_open_keys)
{
	static const char keys[] = "the second key..the first key...another key....";
	int l = listener(5), other = socket(AF_INET, SOCK_STREAM, 0);
	char b[64];
	socklen_t n = sizeof b;

	if (!fastopen)
		SKIP("tcp_fastopen cannot be set");
	EXPECT_ERR(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 15), EINVAL);
	EXPECT_ERR(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 48), EINVAL);
	EXPECT_EQ(setsockopt(other, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 32), 0); // before it listens
	EXPECT_EQ(getsockopt(other, IPPROTO_TCP, TCP_FASTOPEN_KEY, b, &n), 0);
	EXPECT_EQ(n, 32);
	EXPECT(!memcmp(b, keys, 32));
	n = 20;
	EXPECT_EQ(getsockopt(other, IPPROTO_TCP, TCP_FASTOPEN_KEY, b, &n), 0);
	EXPECT_EQ(n, 20);
	close(other);
	EXPECT_EQ(set(l, TCP_FASTOPEN, 5), 0);
	EXPECT_EQ(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys + 16, 16), 0);
	EXPECT(data_with_syn(l) >= 0); // perhaps with another listener's cookie
	EXPECT_EQ(data_with_syn(l), 1);
	EXPECT_EQ(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 32), 0);
	EXPECT_EQ(data_with_syn(l), 1); // the old key's cookie is good, and the answer brings a new one
	EXPECT_EQ(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 16), 0);
	EXPECT_EQ(data_with_syn(l), 1);
	EXPECT_EQ(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys + 32, 16), 0);
	EXPECT_EQ(data_with_syn(l), 0);
	EXPECT_EQ(data_with_syn(l), 1);
	close(l);
}

TEST(fast_open_by_connect)
{
	int l = listener(5), c, s;
	char b[32];
	struct pollfd p;

	if (!fastopen)
		SKIP("tcp_fastopen cannot be set");
	EXPECT_EQ(set(l, TCP_FASTOPEN, 5), 0);
	c = socket(AF_INET, SOCK_STREAM, 0); // for the cookie, unless there is one
	EXPECT_EQ(set(c, TCP_FASTOPEN_CONNECT, 1), 0);
	EXPECT_EQ(get(c, TCP_FASTOPEN_CONNECT), 1);
	EXPECT_EQ(connect(c, (void *)&addr, sizeof addr), 0);
	EXPECT_EQ(write(c, "x", 1), 1);
	s = accept(l, NULL, NULL);
	close(c), close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_EQ(set(c, TCP_FASTOPEN_CONNECT, 1), 0);
	EXPECT_EQ(connect(c, (void *)&addr, sizeof addr), 0);
	EXPECT_EQ(info(c).tcpi_state, 2); // nothing was sent yet
	p = (struct pollfd){.fd = c, .events = POLLIN | POLLOUT};
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT);
	fcntl(c, F_SETFL, O_NONBLOCK);
	EXPECT_ERR(connect(c, (void *)&addr, sizeof addr), EISCONN);
	fcntl(c, F_SETFL, 0);
	EXPECT_EQ(write(c, "with the SYN", 12), 12);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(recv(s, b, 32, 0), 12);
	EXPECT(info(c).tcpi_options & TCPI_OPT_SYN_DATA);
	EXPECT_EQ(write(c, "and more", 8), 8);
	EXPECT_EQ(recv(s, b, 32, 0), 8);
	close(c), close(s), close(l);
}

TEST(fast_open_misused)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int c = socket(AF_INET, SOCK_STREAM, 0), s, l;

	EXPECT_ERR(sendto(c, "x", 1, MSG_FASTOPEN, &none, sizeof none), EOPNOTSUPP);
	EXPECT_ERR(send(c, "x", 1, MSG_FASTOPEN), EINVAL);
	l = listener(1); // not for Fast Open
	EXPECT_EQ(sendto(c, "x", 1, MSG_FASTOPEN, (void *)&addr, sizeof addr), 1);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(info(c).tcpi_options & TCPI_OPT_SYN_DATA, 0);
	EXPECT_ERR(send(c, "x", 1, MSG_FASTOPEN), EISCONN);
	close(c), close(s), close(l);
	c = socket(AF_INET, SOCK_STREAM, 0); // nobody listens there
	EXPECT_ERR(sendto(c, "x", 1, MSG_FASTOPEN, (void *)&addr, sizeof addr), ECONNREFUSED);
	close(c);
}
