// SPDX-License-Identifier: BSD-2-Clause
// The network's figures in /proc/sys/net: what they say is what new sockets do. Where it can, in a network
// namespace of its own; else it puts everything back.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#ifndef SIOCOUTQNSD
#define SIOCOUTQNSD 0x894b
#endif
#ifndef TCP_FASTOPEN_KEY
#define TCP_FASTOPEN_KEY 33
#endif

BEFORE_TESTS(int argc, char **argv)
{
	struct ifreq r = {.ifr_name = "lo"};
	int s;

	(void)argc;
	(void)argv;
	if (unshare(CLONE_NEWNET))
		return;
	s = socket(AF_INET, SOCK_DGRAM, 0);
	r.ifr_flags = IFF_UP;
	ioctl(s, SIOCSIFFLAGS, &r);
	close(s);
}

static bool get(const char *name, char *text, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/sys/net/%s", name);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return true;
}

static bool set(const char *name, const char *text)
{
	char path[128];
	ssize_t n;
	int fd, e;

	snprintf(path, sizeof path, "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	e = errno;
	close(fd);
	errno = e;
	return n == (ssize_t)strlen(text);
}

// The error of setting it so.
static int refusal(const char *name, const char *text)
{
	return set(name, text) ? 0 : errno;
}

static int number(const char *name)
{
	char text[64];

	return get(name, text, sizeof text) ? atoi(text) : -1;
}

static int tcp_option(int option)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v = -1;
	socklen_t n = sizeof v;

	getsockopt(s, IPPROTO_TCP, option, &v, &n);
	close(s);
	return v;
}

// What both ends of a loopback connection agree on: TCPI_OPT_*; -1: it cannot be made.
static int agreed_options(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s = -1;
	struct tcp_info ours, theirs;
	socklen_t n = sizeof a, k = sizeof ours, m = sizeof theirs;
	int result = -1;

	if (!bind(l, (struct sockaddr *)&a, n) && !listen(l, 1) &&
	    !getsockname(l, (struct sockaddr *)&a, &n) && !connect(c, (struct sockaddr *)&a, n) &&
	    (s = accept(l, NULL, NULL)) >= 0 && !getsockopt(c, IPPROTO_TCP, TCP_INFO, &ours, &k) &&
	    !getsockopt(s, IPPROTO_TCP, TCP_INFO, &theirs, &m) && ours.tcpi_options == theirs.tcpi_options)
		result = ours.tcpi_options &
			 (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE | TCPI_OPT_ECN);
	close(l);
	close(c);
	close(s);
	return result;
}

TEST(keepalive)
{
	static const struct {
		const char *name;
		int option;
	} t[] = {{"ipv4/tcp_keepalive_time", TCP_KEEPIDLE},
		 {"ipv4/tcp_keepalive_intvl", TCP_KEEPINTVL},
		 {"ipv4/tcp_keepalive_probes", TCP_KEEPCNT},
		 {"ipv4/tcp_syn_retries", TCP_SYNCNT},
		 {"ipv4/tcp_fin_timeout", TCP_LINGER2}};

	for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
		char old[64];

		EXPECT(get(t[i].name, old, sizeof old));
		EXPECT_EQ(tcp_option(t[i].option), atoi(old));
		EXPECT(set(t[i].name, "11"));
		EXPECT_EQ(number(t[i].name), 11);
		EXPECT_EQ(tcp_option(t[i].option), 11);
		EXPECT(set(t[i].name, old));
	}
}

TEST(offers)
{
	static const struct {
		const char *name;
		int option;
	} t[] = {{"ipv4/tcp_timestamps", TCPI_OPT_TIMESTAMPS},
		 {"ipv4/tcp_sack", TCPI_OPT_SACK},
		 {"ipv4/tcp_window_scaling", TCPI_OPT_WSCALE}};
	int all = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;

	EXPECT_EQ(agreed_options(), all);
	for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
		EXPECT(set(t[i].name, "0"));
		EXPECT_EQ(agreed_options(), all & ~t[i].option);
		EXPECT(set(t[i].name, "1"));
	}
	EXPECT_EQ(agreed_options(), all);
}

TEST(explicit_congestion_notification)
{
	char old[8];

	EXPECT(get("ipv4/tcp_ecn", old, sizeof old));
	for (int value = 0; value < 3; value++) {
		EXPECT(set("ipv4/tcp_ecn", (char[]){(char)('0' + value), 0}));
		EXPECT_EQ(number("ipv4/tcp_ecn"), value);
		EXPECT_EQ(agreed_options() & TCPI_OPT_ECN, value == 1 ? TCPI_OPT_ECN : 0);
	}
	EXPECT(set("ipv4/tcp_ecn", old));
}

TEST(congestion_control)
{
	char old[64], has[256], now[32];
	int s;
	socklen_t n = sizeof now;

	EXPECT(get("ipv4/tcp_congestion_control", old, sizeof old));
	EXPECT(get("ipv4/tcp_available_congestion_control", has, sizeof has));
	EXPECT(strstr(has, old) && strstr(has, "reno"));
	EXPECT(set("ipv4/tcp_congestion_control", "reno"));
	s = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, now, &n), 0);
	EXPECT(!strcmp(now, "reno"));
	close(s);
	EXPECT(set("ipv4/tcp_congestion_control", old));
	EXPECT_EQ(refusal("ipv4/tcp_congestion_control", "no-such-thing"), ENOENT);
}

TEST(addresses)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)}; // 192.0.2.1
	int s = socket(AF_INET, SOCK_DGRAM, 0), v = -1;
	socklen_t n = sizeof v;

	EXPECT_ERR(bind(s, (struct sockaddr *)&a, sizeof a), EADDRNOTAVAIL);
	EXPECT(set("ipv4/ip_nonlocal_bind", "1"));
	EXPECT_EQ(bind(s, (struct sockaddr *)&a, sizeof a), 0);
	EXPECT(set("ipv4/ip_nonlocal_bind", "0"));
	close(s);
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	if (s < 0)
		SKIP("no IPv6");
	close(s);
	EXPECT(set("ipv6/bindv6only", "1"));
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	EXPECT(set("ipv6/bindv6only", "0"));
	EXPECT_EQ(getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &v, &n), 0);
	EXPECT_EQ(v, 1);
	close(s);
}

TEST(datagrams_that_wait)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0sysctl-test"};
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 12;
	int to, from = socket(AF_UNIX, SOCK_DGRAM, 0), n = 0;

	EXPECT(number("unix/max_dgram_qlen") > 0);
	EXPECT(set("unix/max_dgram_qlen", "3"));
	to = socket(AF_UNIX, SOCK_DGRAM, 0);
	EXPECT_EQ(bind(to, (struct sockaddr *)&a, len), 0);
	while (n < 100 && sendto(from, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&a, len) == 1)
		n++;
	EXPECT(set("unix/max_dgram_qlen", "10"));
	EXPECT_EQ(n, 4); // one more than the figure says
	close(to);
	close(from);
}

TEST(fast_open_key)
{
	static const char *good[] =
		{"00112233-44556677-8899aabb-ccddeeff",
		 "00000001-0000000a-000000ff-00001000,03020100-07060504-0b0a0908-0f0e0d0c"},
			  *bad[] = {"00112233-44556677-8899aabb", "1-2-3-4,", "1-2-3-4,5-6-7", "x"};
	unsigned char key[32];
	socklen_t n = sizeof key;
	struct stat st;
	char text[128];
	int s = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT_EQ(stat("/proc/sys/net/ipv4/tcp_fastopen_key", &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0600);
	for (int i = 0; i < 2; i++) {
		if (!set("ipv4/tcp_fastopen_key", good[i]))
			SKIP("it cannot be set");
		EXPECT(get("ipv4/tcp_fastopen_key", text, sizeof text));
		EXPECT(!strcmp(text, good[i]));
	}
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(refusal("ipv4/tcp_fastopen_key", bad[i]), EINVAL);
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, &n), 0); // nobody set the socket's own
	EXPECT_EQ(n, 0);
	close(s);
}

static int loopback_listener(struct sockaddr_in *a, int backlog)
{
	socklen_t n = sizeof *a;
	int l = socket(AF_INET, SOCK_STREAM, 0);

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(l, (struct sockaddr *)a, n) || listen(l, backlog) ||
	    getsockname(l, (struct sockaddr *)a, &n)) {
		close(l);
		return -1;
	}
	return l;
}

// Connections become complete, by their first data, until there is no room for the last.
TEST(full_accept_queues_may_refuse)
{
	struct sockaddr_in a;
	int l = loopback_listener(&a, 2), c[4], on = 30;
	struct pollfd p = {.events = POLLIN};
	struct tcp_info info;
	char b;

	EXPECT(set("ipv4/tcp_abort_on_overflow", "1"));
	EXPECT_EQ(number("ipv4/tcp_abort_on_overflow"), 1);
	EXPECT_EQ(setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof on), 0);
	for (int i = 0; i < 4; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_EQ(connect(c[i], (struct sockaddr *)&a, sizeof a), 0);
		if (i == 2)
			continue; // the last two wait for their data together
		for (int k = i - (i == 3); k <= i; k++) {
			socklen_t n = sizeof info;

			info.tcpi_unacked = 0;
			EXPECT_EQ(write(c[k], "x", 1), 1);
			for (int ms = 0; k < 3 && ms < 10000 && info.tcpi_unacked <= (unsigned)k; ms++) {
				usleep(1000);
				EXPECT_EQ(getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
			}
		}
	}
	p.fd = c[3];
	EXPECT_EQ(poll(&p, 1, 10000), 1);
	EXPECT_ERR(read(c[3], &b, 1), ECONNRESET);
	EXPECT(set("ipv4/tcp_abort_on_overflow", "0"));
	for (int i = 0; i < 4; i++)
		close(c[i]);
	close(l);
}

TEST(unsent_bytes_and_buffers)
{
	struct sockaddr_in a;
	char old[16], block[4096] = "";
	int l = loopback_listener(&a, 1), c = socket(AF_INET, SOCK_STREAM, 0), s, before, after,
	    most = 1 << 22;
	socklen_t n = sizeof(int);
	int unsent = -1;

	EXPECT(get("ipv4/tcp_notsent_lowat", old, sizeof old));
	EXPECT(!strcmp(old, "4294967295"));
	EXPECT(set("ipv4/tcp_moderate_rcvbuf", "0"));
	setsockopt(c, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
	EXPECT_EQ(connect(c, (struct sockaddr *)&a, sizeof a), 0);
	s = accept(l, NULL, NULL);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_RCVBUF, &before, &n), 0);
	for (int i = 0; i < 500; i++) {
		EXPECT_EQ(write(c, block, sizeof block), (ssize_t)sizeof block);
		EXPECT_EQ(recv(s, block, sizeof block, MSG_WAITALL), (ssize_t)sizeof block);
	}
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_RCVBUF, &after, &n), 0);
	EXPECT_EQ(after, before);
	EXPECT(set("ipv4/tcp_moderate_rcvbuf", "1"));
	EXPECT(set("ipv4/tcp_notsent_lowat", "20000"));
	while (send(c, block, sizeof block, MSG_DONTWAIT) > 0)
		;
	EXPECT_EQ(ioctl(c, SIOCOUTQNSD, &unsent), 0);
	EXPECT(set("ipv4/tcp_notsent_lowat", old));
	EXPECT(unsent < 20000 + 65536 + (int)sizeof block);
	EXPECT(send(c, block, sizeof block, MSG_DONTWAIT) > 0); // the send buffer has room
	close(c), close(s), close(l);
}

TEST(nonsense)
{
	EXPECT_EQ(refusal("ipv4/tcp_keepalive_time", "word"), EINVAL);
	EXPECT_EQ(refusal("ipv4/tcp_keepalive_probes", "100000"), EINVAL);
	EXPECT_EQ(number("ipv4/ip_forward"), 0);
}
