// SPDX-License-Identifier: BSD-2-Clause
// What each call tells of errors and ends of a TCP connection, and in which order; connecting again,
// shutdown, lingering.
#include "tcp.h"

TEST(data_first_then_the_error)
{
	char b[100];
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(send(c, "0123456789", 10, 0), 10);
	EXPECT(wait_for(s, POLLIN) & POLLIN);
	abort_connection(c);
	EXPECT(wait_for(s, POLLRDHUP) & POLLERR);
	EXPECT_EQ(recv(s, b, sizeof b, MSG_WAITALL), 10);
	EXPECT_ERR(recv(s, b, sizeof b, MSG_WAITALL), ECONNRESET);
	EXPECT_EQ(recv(s, b, sizeof b, 0), 0);
	EXPECT_ERR(send(s, b, 1, 0), EPIPE);
	close(s);
}

TEST(a_writer_is_told_once)
{
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	abort_connection(c);
	EXPECT(wait_for(s, 0) & POLLERR);
	EXPECT_ERR(send(s, "x", 1, 0), ECONNRESET);
	EXPECT_ERR(send(s, "x", 1, 0), EPIPE);
	EXPECT_EQ(error_of(s), 0);
	close(s);
}

static void *abort_later(void *arg)
{
	pause_ms(100);
	abort_connection((int)(long)arg);
	return NULL;
}

// What a blocked writer got rid of is its result; the error comes next.
TEST(partial_write_then_the_error)
{
	static char big[8 << 20];
	pthread_t t;
	int c, s;
	ssize_t n;

	EXPECT_EQ(pair(&c, &s), 0);
	pthread_create(&t, NULL, abort_later, (void *)(long)c);
	n = send(s, big, sizeof big, 0);
	pthread_join(t, NULL);
	EXPECT(n > 0 && n < (ssize_t)sizeof big);
	EXPECT_ERR(send(s, big, 1, 0), ECONNRESET);
	EXPECT_ERR(send(s, big, 1, 0), EPIPE);
	close(s);
}

TEST(dissolved_by_connect)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int c, s, l;
	char b;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(connect(c, &none, sizeof none), 0);
	EXPECT_ERR(recv(s, &b, 1, 0), ECONNRESET);
	EXPECT_EQ(error_of(c), ECONNRESET);
	EXPECT_EQ(error_of(c), 0);
	EXPECT_ERR(recv(c, &b, 1, 0), ENOTCONN);
	close(s);
	l = listener(5);
	EXPECT_EQ(connect(c, (void *)&addr, sizeof addr), 0);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(send(c, "x", 1, 0), 1);
	EXPECT_EQ(recv(s, &b, 1, 0), 1);
	close(c), close(s), close(l);
}

// A listener without room does not answer: connect goes on, and says so.
// A socket that was connected is not used again before it is disconnected; one that failed is.
TEST(connecting_again)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct sockaddr_in nobody;
	int c, s, l;
	char b;

	EXPECT_EQ(pair(&c, &s), 0);
	nobody = addr; // its listener is closed
	abort_connection(c);
	EXPECT(wait_for(s, POLLRDHUP) & POLLERR);
	EXPECT_EQ(error_of(s), ECONNRESET);
	EXPECT_ERR(connect(s, (void *)&nobody, sizeof nobody), EISCONN);
	EXPECT_ERR(listen(s, 1), EINVAL);
	EXPECT_EQ(connect(s, &none, sizeof none), 0);
	EXPECT_ERR(connect(s, (void *)&nobody, sizeof nobody), ECONNREFUSED);
	EXPECT_ERR(connect(s, (void *)&nobody, sizeof nobody), ECONNREFUSED);
	l = listener(1);
	EXPECT_EQ(connect(s, (void *)&addr, sizeof addr), 0);
	close(s), close(l);
	s = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_ERR(recv(s, &b, 1, 0), ENOTCONN);
	EXPECT_ERR(shutdown(s, SHUT_RDWR), ENOTCONN);
	EXPECT_EQ(recv(s, &b, 1, 0), 0);
	close(s);
}

// Who aborts while he waits to be accepted is accepted, and his address told.
TEST(accepted_after_its_end)
{
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	int l = listener(5), c = client(), s;
	in_port_t port;
	char b;

	EXPECT(c >= 0 && getsockname(c, (void *)&from, &len) == 0);
	port = from.sin_port;
	abort_connection(c);
	EXPECT(wait_for(l, POLLIN) & POLLIN);
	len = sizeof from;
	s = accept(l, (void *)&from, &len);
	EXPECT(s >= 0);
	EXPECT_EQ(from.sin_port, port);
	EXPECT(wait_for(s, POLLIN) & POLLERR);
	EXPECT_ERR(getpeername(s, (void *)&from, &len), ENOTCONN);
	EXPECT_ERR(recv(s, &b, 1, 0), ECONNRESET);
	EXPECT_EQ(recv(s, &b, 1, 0), 0);
	close(s), close(l);
}

TEST(address_without_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = listener(5), s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t len = sizeof a;

	EXPECT_EQ(setsockopt(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one), 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	EXPECT_EQ(bind(s, (void *)&a, sizeof a), 0);
	EXPECT_EQ(getsockname(s, (void *)&a, &len), 0);
	EXPECT(!a.sin_port && a.sin_addr.s_addr == htonl(INADDR_LOOPBACK + 1));
	EXPECT_EQ(connect(s, (void *)&addr, sizeof addr), 0);
	EXPECT_EQ(getsockname(s, (void *)&a, &len), 0);
	EXPECT(a.sin_port && a.sin_addr.s_addr == htonl(INADDR_LOOPBACK + 1));
	close(s), close(l);
}

TEST(connect_in_progress)
{
	int l = listener(0), first = client(), waiting[8], n = 0, c;
	struct timeval tv = {0, 50000};

	EXPECT(first >= 0);
	for (; n < 8; n++) { // fill the queue, however long it really is
		waiting[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(waiting[n], (void *)&addr, sizeof addr);
	}
	c = waiting[7];
	EXPECT_ERR(connect(c, (void *)&addr, sizeof addr), EALREADY);
	EXPECT_ERR(send(c, "x", 1, 0), EAGAIN);
	EXPECT_ERR(recv(c, &tv, 1, 0), EAGAIN);
	EXPECT_EQ(info(c).tcpi_state, 2);
	c = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_EQ(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv), 0);
	EXPECT_ERR(connect(c, (void *)&addr, sizeof addr), EINPROGRESS);
	EXPECT_ERR(connect(c, (void *)&addr, sizeof addr), EALREADY);
	EXPECT_EQ(shutdown(c, SHUT_WR), 0); // takes the connection back
	EXPECT_EQ(info(c).tcpi_state, 7);
	EXPECT_ERR(connect(c, (void *)&addr, sizeof addr), EINPROGRESS);
	close(c), close(first), close(l);
	for (int i = 0; i < n; i++)
		close(waiting[i]);
}

TEST(shutdown_orders)
{
	char b[16];
	int c, s, l;

	c = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_ERR(shutdown(c, SHUT_RD), ENOTCONN);
	EXPECT_ERR(shutdown(c, 3), EINVAL);
	EXPECT_ERR(shutdown(c, -1), EINVAL);
	close(c);
	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(shutdown(s, SHUT_RD), 0);
	EXPECT_EQ(recv(s, b, 16, 0), 0);
	EXPECT_EQ(send(c, "still", 5, 0), 5); // the peer does not notice
	pause_ms(20);
	EXPECT_EQ(recv(s, b, 16, 0), 5);
	EXPECT_EQ(recv(s, b, 16, 0), 0);
	EXPECT_EQ(shutdown(s, SHUT_WR), 0);
	EXPECT_EQ(shutdown(s, SHUT_WR), 0);
	EXPECT_ERR(send(s, b, 1, 0), EPIPE);
	EXPECT_EQ(recv(c, b, 16, 0), 0);
	EXPECT_EQ(wait_for(c, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP);
	EXPECT_EQ(shutdown(c, SHUT_RDWR), 0);
	EXPECT(wait_for(c, POLLIN) & POLLHUP);
	close(c), close(s);
	l = listener(5);
	EXPECT_EQ(shutdown(l, SHUT_WR), 0);
	EXPECT((c = client()) >= 0);
	EXPECT_EQ(shutdown(l, SHUT_RD), 0);
	EXPECT_ERR(accept(l, NULL, NULL), EINVAL);
	close(c), close(l);
}

// Data for who has shut down both ways: nobody will read it, and its sender is told so.
TEST(nobody_will_read)
{
	struct pollfd p = {0};
	char b[16];
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(shutdown(s, SHUT_RDWR), 0);
	EXPECT_EQ(recv(c, b, 16, 0), 0);
	EXPECT_EQ(send(c, "a", 1, 0), 1);
	p.fd = c;
	EXPECT_EQ(poll(&p, 1, ANSWER_MS), 1);
	EXPECT(p.revents & POLLERR);
	EXPECT_ERR(send(c, "a", 1, MSG_NOSIGNAL), EPIPE);
	p.fd = s;
	EXPECT_EQ(poll(&p, 1, ANSWER_MS), 1);
	EXPECT_ERR(recv(s, b, 16, 0), ECONNRESET);
	close(c), close(s);
}

TEST(lingering)
{
	static char big[8 << 20];
	struct linger l = {1, 1};
	double start;
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0); // nothing unsent: no wait
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	start = now();
	close(c);
	EXPECT(now() - start < 0.9);
	close(s);
	EXPECT_EQ(pair(&c, &s), 0);
	fcntl(c, F_SETFL, O_NONBLOCK);
	while (send(c, big, sizeof big, 0) > 0)
		;
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	start = now();
	close(c); // the peer reads nothing: the whole second
	EXPECT(now() - start > 0.9);
	close(s);
	l.l_linger = -1; // for ever: no abort
	EXPECT_EQ(pair(&c, &s), 0);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	EXPECT_EQ(send(c, "x", 1, 0), 1);
	close(c);
	EXPECT_EQ(recv(s, big, 2, MSG_WAITALL), 1);
	close(s);
}
