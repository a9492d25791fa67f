// SPDX-License-Identifier: BSD-2-Clause
// TCP in detail, as a program sees it: options and what they read back, TCP_INFO, what each call tells of
// errors and ends and in which order, urgent data, Fast Open, saved SYNs, lingering. Runs in a network of its
// own where that can be had.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef SIOCINQ
#define SIOCINQ	 0x541b
#define SIOCOUTQ 0x5411
#endif
#define SIOCOUTQNSD_ 0x894b
#ifndef TCP_FASTOPEN_KEY
#define TCP_FASTOPEN_KEY 33
#endif
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#ifndef CLONE_NEWNET
#define CLONE_NEWNET 0x40000000
#endif
#define ANSWER_MS 2000

static struct sockaddr_in addr;
static bool fastopen;

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (int)strlen(text) ? 0 : -1;
}

BEFORE_TESTS(int argc, char **argv)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int s;

	signal(SIGPIPE, SIG_IGN);
	unshare(CLONE_NEWNET);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(s, SIOCSIFFLAGS, &r);
	close(s);
	fastopen = put("/proc/sys/net/ipv4/tcp_fastopen", "3") == 0;
}

static int listener(int backlog)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof addr;

	addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(s, (void *)&addr, sizeof addr) || listen(s, backlog) || getsockname(s, (void *)&addr, &len))
		return -1;
	return s;
}

static int client(void)
{
	int c = socket(AF_INET, SOCK_STREAM, 0);

	return connect(c, (void *)&addr, sizeof addr) ? -1 : c;
}

static int pair(int *c, int *s)
{
	int l = listener(5);

	*c = client();
	*s = accept(l, NULL, NULL);
	close(l);
	return l < 0 || *c < 0 || *s < 0 ? -1 : 0;
}

static int set(int s, int name, int v)
{
	return setsockopt(s, IPPROTO_TCP, name, &v, sizeof v);
}

static int get(int s, int name)
{
	int v = -12345;
	socklen_t len = sizeof v;

	return getsockopt(s, IPPROTO_TCP, name, &v, &len) || len != sizeof v ? -1 - errno * 1000 : v;
}

static int error_of(int s)
{
	int v = -1;
	socklen_t len = sizeof v;

	return getsockopt(s, SOL_SOCKET, SO_ERROR, &v, &len) ? -1 : v;
}

static struct tcp_info info(int s)
{
	struct tcp_info i;
	socklen_t len = sizeof i;

	memset(&i, 0, sizeof i);
	if (getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &len))
		i.tcpi_state = 99;
	return i;
}

static int wait_for(int s, int events)
{
	struct pollfd p = {.fd = s, .events = events};

	return poll(&p, 1, ANSWER_MS) == 1 ? p.revents : 0;
}

static void abort_connection(int s)
{
	struct linger l = {1, 0};

	setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	close(s);
}

// -- options ---------------------------------------------------------------------------------------

TEST(options_as_set)
{
	static const struct {
		int name, in, out;
	} cases[] = {
		{TCP_LINGER2, 30, 30},
		{TCP_LINGER2, -5, -1},
		{TCP_LINGER2, 300, 120},
		{TCP_LINGER2, 0, 60},
		{TCP_DEFER_ACCEPT, 1, 1},
		{TCP_DEFER_ACCEPT, 5, 7},
		{TCP_DEFER_ACCEPT, 0, 0},
		{TCP_SYNCNT, 1, 1},
		{TCP_SYNCNT, 127, 127},
		{TCP_KEEPIDLE, 32767, 32767},
		{TCP_KEEPINTVL, 1, 1},
		{TCP_KEEPCNT, 127, 127},
		{TCP_USER_TIMEOUT, 7777, 7777},
		{TCP_NOTSENT_LOWAT, 5000, 5000},
		{TCP_MAXSEG, 88, 88},
		{TCP_MAXSEG, 0, 536},
		{TCP_WINDOW_CLAMP, 100, 1152},
		{TCP_WINDOW_CLAMP, 50000, 50000},
		{TCP_WINDOW_CLAMP, 0, 0},
		{TCP_CORK, 5, 1},
		{TCP_NODELAY, 7, 1},
		{TCP_QUICKACK, 0, 0},
		{TCP_QUICKACK, 1, 1},
		{TCP_INQ, 1, 1},
		{TCP_THIN_LINEAR_TIMEOUTS, 1, 1},
		{TCP_SAVE_SYN, 2, 2},
		{TCP_SAVE_SYN, 0, 0},
	};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (set(s, cases[i].name, cases[i].in))
			FAIL("option %d refuses %d: errno %d", cases[i].name, cases[i].in, errno);
		if (get(s, cases[i].name) != cases[i].out)
			FAIL("option %d, set to %d, is %d", cases[i].name, cases[i].in,
			     get(s, cases[i].name));
	}
	close(s);
}

TEST(options_out_of_range)
{
	static const struct {
		int name, value, error;
	} cases[] = {
		{TCP_KEEPIDLE, 0, EINVAL},
		{TCP_KEEPIDLE, 32768, EINVAL},
		{TCP_KEEPINTVL, 0, EINVAL},
		{TCP_KEEPINTVL, 32768, EINVAL},
		{TCP_KEEPCNT, 0, EINVAL},
		{TCP_KEEPCNT, 128, EINVAL},
		{TCP_SYNCNT, 0, EINVAL},
		{TCP_SYNCNT, 128, EINVAL},
		{TCP_MAXSEG, 87, EINVAL},
		{TCP_MAXSEG, 32768, EINVAL},
		{TCP_USER_TIMEOUT, -1, EINVAL},
		{TCP_INQ, 2, EINVAL},
		{TCP_SAVE_SYN, 3, EINVAL},
		{TCP_SAVE_SYN, -1, EINVAL},
		{TCP_FASTOPEN, -1, EINVAL},
		{TCP_FASTOPEN_CONNECT, 2, EINVAL},
		{TCP_FASTOPEN_NO_COOKIE, 2, EINVAL},
		{TCP_THIN_LINEAR_TIMEOUTS, 2, EINVAL},
		{TCP_THIN_DUPACK, 2, EINVAL},
		{TCP_TIMESTAMP, 1, EPERM},
		{9999, 1, ENOPROTOOPT},
		{TCP_INFO, 1, ENOPROTOOPT},
	};
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char b[4];
	socklen_t len = 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (set(s, cases[i].name, cases[i].value) != -1 || errno != cases[i].error)
			FAIL("option %d with %d: errno %d, not %d", cases[i].name, cases[i].value, errno,
			     cases[i].error);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, b, 3), EINVAL);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, NULL, 4), EFAULT);
	EXPECT_ERR(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, b, NULL), EFAULT);
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, b, &len), 0);
	EXPECT_ERR(getsockopt(s, IPPROTO_TCP, 9999, b, &len), ENOPROTOOPT);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_ULP, "none such", 9), ENOENT);
	len = sizeof b;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_ULP, b, &len), 0);
	EXPECT_EQ(len, 0);
	close(s);
}

TEST(congestion_control_by_name)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char name[32] = "";
	socklen_t len = sizeof name;

	EXPECT_EQ(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	EXPECT_EQ(len, 16);
	EXPECT(!strcmp(name, "reno"));
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "no such", 7), ENOENT);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL);
	EXPECT_EQ(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 6), 0);
	len = 3;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	EXPECT_EQ(len, 3);
	EXPECT(!memcmp(name, "cub", 3));
	close(s);
}

TEST(accepted_sockets_inherit)
{
	int l = listener(5), c, s, v;
	socklen_t len = sizeof v;

	EXPECT(!set(l, TCP_NODELAY, 1) && !set(l, TCP_KEEPIDLE, 77) && !set(l, TCP_USER_TIMEOUT, 4321) &&
	       !set(l, TCP_LINGER2, 9));
	v = 1;
	EXPECT_EQ(setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof v), 0);
	EXPECT_EQ(setsockopt(l, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	c = client();
	s = accept(l, NULL, NULL);
	EXPECT(c >= 0 && s >= 0);
	EXPECT_EQ(get(s, TCP_NODELAY), 1);
	EXPECT_EQ(get(s, TCP_KEEPIDLE), 77);
	EXPECT_EQ(get(s, TCP_USER_TIMEOUT), 4321);
	EXPECT_EQ(get(s, TCP_LINGER2), 9);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, &len), 0);
	EXPECT_EQ(v, 1);
	close(c), close(s), close(l);
}

TEST(segment_size)
{
	int l = listener(5), c = socket(AF_INET, SOCK_STREAM, 0), s;

	EXPECT_EQ(set(c, TCP_MAXSEG, 600), 0);
	EXPECT_EQ(get(c, TCP_MAXSEG), 600);
	EXPECT_EQ(connect(c, (void *)&addr, sizeof addr), 0);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(get(c, TCP_MAXSEG), 588); // less twelve bytes of timestamps
	EXPECT_EQ(get(s, TCP_MAXSEG), 588);
	close(c), close(s), close(l);
}

// -- TCP_INFO -------------------------------------------------------------------------------------

TEST(info_of_an_unconnected_socket)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct tcp_info i = info(s);

	EXPECT_EQ(i.tcpi_state, 7);
	EXPECT_EQ(i.tcpi_rto, 1000000);
	EXPECT_EQ(i.tcpi_ato, 0);
	EXPECT_EQ(i.tcpi_snd_mss, 536);
	EXPECT_EQ(i.tcpi_snd_cwnd, 10);
	EXPECT_EQ(i.tcpi_snd_ssthresh, 0x7fffffff);
	EXPECT_EQ(i.tcpi_reordering, 3);
	EXPECT_EQ(i.tcpi_options, 0);
	EXPECT_EQ(i.tcpi_max_pacing_rate, ~0ull);
	close(s);
}

TEST(info_of_a_listener)
{
	int l = listener(7), c[3];
	struct tcp_info i;

	for (int k = 0; k < 3; k++)
		EXPECT((c[k] = client()) >= 0);
	EXPECT(wait_for(l, POLLIN));
	i = info(l);
	EXPECT_EQ(i.tcpi_state, 10);
	EXPECT_EQ(i.tcpi_unacked, 3);
	EXPECT_EQ(i.tcpi_sacked, 7);
	EXPECT_EQ(i.tcpi_snd_cwnd, 10);
	for (int k = 0; k < 3; k++)
		close(c[k]);
	close(l);
}

TEST(info_of_a_connection)
{
	static char b[5000];
	struct tcp_info ci, si;
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(send(c, b, 3000, 0), 3000);
	EXPECT_EQ(recv(s, b, 3000, MSG_WAITALL), 3000);
	EXPECT_EQ(send(s, b, 70, 0), 70);
	EXPECT_EQ(recv(c, b, 70, MSG_WAITALL), 70);
	for (int k = 0; k < 100 && info(c).tcpi_unacked + info(s).tcpi_unacked; k++)
		pause_ms(5);
	ci = info(c), si = info(s);
	EXPECT(ci.tcpi_state == 1 && si.tcpi_state == 1);
	EXPECT_EQ(ci.tcpi_options & 7, 7); // timestamps, SACK, window scaling
	EXPECT_EQ(ci.tcpi_bytes_sent, 3000);
	EXPECT_EQ(ci.tcpi_bytes_acked, 3001); // and the SYN
	EXPECT_EQ(si.tcpi_bytes_acked, 70);
	EXPECT_EQ(ci.tcpi_bytes_received, 70);
	EXPECT_EQ(si.tcpi_bytes_received, 3000);
	EXPECT_EQ(ci.tcpi_total_retrans, 0);
	EXPECT_EQ(ci.tcpi_notsent_bytes, 0);
	EXPECT_EQ(ci.tcpi_data_segs_in, 1);
	EXPECT_EQ(si.tcpi_data_segs_out, 1);
	EXPECT(ci.tcpi_delivered >= 2 && si.tcpi_delivered >= 1);
	EXPECT(ci.tcpi_rtt > 0 && ci.tcpi_min_rtt > 0 && ci.tcpi_rtt < 1000000);
	EXPECT(ci.tcpi_rto >= 200000 && ci.tcpi_rto <= 1000000);
	EXPECT(ci.tcpi_snd_cwnd >= 10 && ci.tcpi_snd_mss > 10000 && ci.tcpi_pmtu >= 65535);
	EXPECT(ci.tcpi_pacing_rate > 0 && ci.tcpi_pacing_rate < ~0ull);
	EXPECT(ci.tcpi_snd_wnd > 10000);
	EXPECT(ci.tcpi_ato > 0);
	close(c), close(s);
}

// -- ends and errors --------------------------------------------------------------------------------

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

TEST(low_water_within_reason)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v = -1, size = 20000;
	socklen_t len = sizeof v;

	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, &len), 0);
	EXPECT(v >= 4096 && v < 0x7fffffff);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, &len), 0);
	EXPECT_EQ(v, size);
	close(s);
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

// A lower mark makes what is there enough: waiters and edge-triggered sets are told.
TEST(low_water_sinks)
{
	struct epoll_event e = {EPOLLIN | EPOLLET, {0}};
	int c, s, v = 10, set = epoll_create1(0), n = 0;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, s, &e), 0);
	EXPECT_EQ(send(c, "12345", 5, 0), 5);
	for (int i = 0; i < 1000 && n < 5; i++, pause_ms(5))
		EXPECT_EQ(ioctl(s, SIOCINQ, &n), 0);
	EXPECT_EQ(n, 5);
	EXPECT_EQ(epoll_wait(set, &e, 1, 0), 0);
	v = 3;
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof v), 0);
	EXPECT_EQ(epoll_wait(set, &e, 1, 0), 1);
	close(c), close(s), close(set);
}

// SO_MAX_PACING_RATE: four bytes or eight, as asked.
TEST(pacing_rate)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t rate = 0, large = 1234567890123;
	uint32_t small = 5000000;
	socklen_t len = sizeof rate;

	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	EXPECT(rate == UINT64_MAX && len == 8);
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &large, sizeof large), 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	EXPECT_EQ(rate, large);
	len = sizeof small;
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &small, &len), 0);
	EXPECT_EQ(small, UINT32_MAX);
	small = 5000000;
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &small, sizeof small), 0);
	len = sizeof rate;
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	EXPECT_EQ(rate, 5000000);
	close(s);
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

// -- flags ------------------------------------------------------------------------------------------

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

// -- the handshake ----------------------------------------------------------------------------------

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
