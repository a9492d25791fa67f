// SPDX-License-Identifier: BSD-2-Clause
// TCP and UDP over loopback, both address families: connections, options, errors, readiness, large transfers.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static union {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage any;
} addr;
static socklen_t addr_len;

// A listening socket on a free loopback port of FAMILY; its address is in ADDR.
static int listener(int family, int backlog)
{
	int s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	memset(&addr, 0, sizeof addr);
	addr.sa.sa_family = family;
	if (family == AF_INET)
		addr.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		addr.v6.sin6_addr = in6addr_loopback;
	addr_len = family == AF_INET ? sizeof addr.v4 : sizeof addr.v6;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s, &addr.sa, addr_len) || listen(s, backlog) || getsockname(s, &addr.sa, &addr_len))
		return -1;
	return s;
}

static int pair(int family, int *c, int *s)
{
	int l = listener(family, 5);

	*c = socket(family, SOCK_STREAM, 0);
	if (l < 0 || connect(*c, &addr.sa, addr_len))
		return -1;
	*s = accept(l, NULL, NULL);
	close(l);
	return *s < 0 ? -1 : 0;
}

// A figure of /proc/net/netstat; -1: there is none of that name.
static long long figure(const char *group, const char *wanted)
{
	static char names[8192], values[8192];
	long long found = -1;
	FILE *f = fopen("/proc/net/netstat", "r");

	while (f && fgets(names, sizeof names, f) && fgets(values, sizeof values, f)) {
		char *n, *v, *name = strtok_r(names, " \n", &n), *value = strtok_r(values, " \n", &v);

		for (bool here = name && !strcmp(name, group); here && name && value;
		     name = strtok_r(NULL, " \n", &n), value = strtok_r(NULL, " \n", &v))
			if (!strcmp(name, wanted))
				found = atoll(value);
	}
	if (f)
		fclose(f);
	return found;
}

TEST(octets_are_counted)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	long long in = figure("IpExt:", "InOctets"), out = figure("IpExt:", "OutOctets");
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof a;
	char b[1000] = "";

	EXPECT(in >= 0 && out >= 0);
	EXPECT_EQ(bind(s, (void *)&a, sizeof a), 0);
	EXPECT_EQ(getsockname(s, (void *)&a, &len), 0);
	EXPECT_EQ(sendto(s, b, sizeof b, 0, (void *)&a, sizeof a), (ssize_t)sizeof b);
	EXPECT_EQ(recv(s, b, sizeof b, 0), (ssize_t)sizeof b);
	EXPECT(figure("IpExt:", "InOctets") >= in + 1028);
	EXPECT(figure("IpExt:", "OutOctets") >= out + 1028);
	close(s);
}

TEST(connect_and_talk)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (int i = 0; i < 2; i++) {
		int c, s;
		char b[16];
		struct sockaddr_storage peer;
		socklen_t len = sizeof peer;

		EXPECT_EQ(pair(families[i], &c, &s), 0);
		EXPECT_EQ(getpeername(s, (void *)&peer, &len), 0);
		EXPECT_EQ(peer.ss_family, families[i]);
		EXPECT_EQ(write(c, "ping", 4), 4);
		EXPECT_EQ(read(s, b, 16), 4);
		EXPECT_EQ(write(s, "pong!", 5), 5);
		EXPECT_EQ(recv(c, b, 16, MSG_PEEK), 5);
		EXPECT_EQ(recv(c, b, 16, 0), 5);
		EXPECT_EQ(shutdown(c, SHUT_WR), 0);
		EXPECT_EQ(read(s, b, 16), 0);
		EXPECT_EQ(write(s, "last", 4), 4);
		close(s);
		EXPECT_EQ(read(c, b, 16), 4);
		EXPECT_EQ(read(c, b, 16), 0);
		close(c);
	}
}

TEST(refused_and_taken)
{
	int l = listener(AF_INET, 5), c = socket(AF_INET, SOCK_STREAM, 0);
	int second = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT(l >= 0);
	EXPECT_ERR(bind(second, &addr.sa, addr_len), EADDRINUSE);
	close(l);
	EXPECT_ERR(connect(c, &addr.sa, addr_len), ECONNREFUSED);
	close(c), close(second);
	c = socket(AF_INET, SOCK_STREAM, 0);
	char b;

	EXPECT_ERR(read(c, &b, 1), ENOTCONN);
	EXPECT_ERR(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_ERR(accept(c, NULL, NULL), EINVAL);
	EXPECT_ERR(accept(0, NULL, NULL), ENOTSOCK);
	addr.v4.sin_addr.s_addr = htonl(0xc0000201); // 192.0.2.1 is not ours
	EXPECT_ERR(bind(c, &addr.sa, addr_len), EADDRNOTAVAIL);
	close(c);
}

// SO_REUSEADDR lets both bind; only one may listen at a time.
TEST(one_listens_of_those_who_share_a_port)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (int i = 0; i < 2; i++) {
		int first = socket(families[i], SOCK_STREAM, 0), second = socket(families[i], SOCK_STREAM, 0),
		    one = 1;

		memset(&addr, 0, sizeof addr); // the wildcard
		addr.sa.sa_family = families[i];
		addr_len = families[i] == AF_INET ? sizeof addr.v4 : sizeof addr.v6;
		setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		EXPECT(!bind(first, &addr.sa, addr_len) && !getsockname(first, &addr.sa, &addr_len));
		EXPECT_EQ(bind(second, &addr.sa, addr_len), 0);
		EXPECT_EQ(listen(first, 5), 0);
		EXPECT_ERR(listen(second, 5), EADDRINUSE);
		EXPECT_EQ(listen(first, 9), 0);
		EXPECT_EQ(shutdown(first, SHUT_RD), 0);
		EXPECT_EQ(listen(second, 5), 0);
		close(first), close(second);
	}
}

TEST(non_blocking_connect)
{
	int l = listener(AF_INET, 5), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = -1;
	socklen_t len = sizeof error;

	EXPECT(connect(c, &addr.sa, addr_len) == 0 || errno == EINPROGRESS);
	struct pollfd p = {.fd = c, .events = POLLOUT};

	EXPECT_EQ(poll(&p, 1, 2000), 1);
	EXPECT_EQ(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	EXPECT_EQ(error, 0);
	EXPECT(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	p.fd = l, p.events = POLLIN;
	EXPECT_EQ(poll(&p, 1, 2000), 1);
	int s = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	EXPECT(s >= 0);
	EXPECT_EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
	EXPECT_ERR(accept(l, NULL, NULL), EAGAIN);
	char b;

	EXPECT_ERR(read(s, &b, 1), EAGAIN);
	close(c), close(s), close(l);
	// A refused one tells by SO_ERROR.
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT(connect(c, &addr.sa, addr_len) == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
	if (errno == EINPROGRESS) {
		p = (struct pollfd){.fd = c, .events = POLLOUT};
		EXPECT_EQ(poll(&p, 1, 2000), 1);
		EXPECT_EQ(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len), 0);
		EXPECT_EQ(error, ECONNREFUSED);
	}
	close(c);
}

static void *sink(void *arg)
{
	static unsigned char b[30000];
	int s = (int)(long)arg;
	long total = 0, wrong = 0;
	ssize_t n;

	while ((n = read(s, b, sizeof b)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			wrong += b[i] != (unsigned char)(total * 7 >> 3);
	return (void *)(wrong ? -1 : total);
}

TEST(large_transfer)
{
	int c, s;
	static unsigned char b[50000];
	long total = 0;
	pthread_t t;
	void *got;

	EXPECT_EQ(pair(AF_INET, &c, &s), 0);
	pthread_create(&t, NULL, sink, (void *)(long)s);
	while (total < 8 << 20) {
		for (long i = 0; i < (long)sizeof b; i++)
			b[i] = (unsigned char)((total + i) * 7 >> 3);
		size_t sent = 0;

		while (sent < sizeof b) {
			ssize_t n = write(c, b + sent, sizeof b - sent);

			EXPECT(n > 0);
			sent += n;
		}
		total += sizeof b;
	}
	shutdown(c, SHUT_WR);
	pthread_join(t, &got);
	EXPECT_EQ((long)got, total);
	close(c), close(s);
}

// Small requests and answers: no delayed-acknowledgement stall in either direction.
static void *echo(void *arg)
{
	char b[64];
	ssize_t n;

	while ((n = read((int)(long)arg, b, sizeof b)) > 0)
		if (write((int)(long)arg, b, n) != n)
			break;
	return NULL;
}

TEST(request_and_response)
{
	int c, s;
	char b[64];
	pthread_t t;

	EXPECT_EQ(pair(AF_INET, &c, &s), 0);
	pthread_create(&t, NULL, echo, (void *)(long)s);
	double start = now();

	for (int i = 0; i < 200; i++) {
		EXPECT_EQ(write(c, "0123456789", 10), 10);
		for (int n = 0; n < 10;) {
			ssize_t r = read(c, b, 10);

			EXPECT(r > 0);
			n += r;
		}
	}
	EXPECT(now() - start < 6); // 40 ms a time would be 8 s
	close(c);
	pthread_join(t, NULL);
	close(s);
}

TEST(reset)
{
	int c, s;
	char b;
	struct linger l = {1, 0};

	EXPECT_EQ(pair(AF_INET, &c, &s), 0);
	EXPECT_EQ(setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
	close(c);
	struct pollfd p = {.fd = s, .events = POLLIN};

	EXPECT_EQ(poll(&p, 1, 2000), 1);
	EXPECT(p.revents & (POLLERR | POLLHUP));
	EXPECT_ERR(read(s, &b, 1), ECONNRESET);
	EXPECT_EQ(read(s, &b, 1), 0); // told once
	close(s);
}

TEST(reset_after_the_end)
{
	int c, s, err = 0;
	socklen_t len = sizeof err;
	char b;

	signal(SIGPIPE, SIG_IGN);
	EXPECT_EQ(pair(AF_INET, &c, &s), 0);
	EXPECT_EQ(send(s, "x", 1, 0), 1);
	struct pollfd p = {.fd = c, .events = POLLIN};

	EXPECT_EQ(poll(&p, 1, 2000), 1);
	EXPECT_EQ(shutdown(c, SHUT_WR), 0);
	p.fd = s;
	EXPECT_EQ(poll(&p, 1, 2000), 1);
	close(c); // with a byte unread: a reset follows the FIN
	p.events = 0;
	EXPECT_EQ(poll(&p, 1, 2000), 1);
	EXPECT(p.revents & POLLERR);
	EXPECT_EQ(read(s, &b, 1), 0); // the end came first
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	EXPECT_EQ(err, EPIPE);
	EXPECT_ERR(write(s, "x", 1), EPIPE);
	close(s);
}

// Connections that nobody accepted end with a reset; later ones must not.
TEST(listener_closed_with_connections_waiting)
{
	int l = listener(AF_INET, 8), waiting[4], c, s, err = 0;
	socklen_t len = sizeof err;
	char b;

	for (int i = 0; i < 4; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_EQ(connect(waiting[i], &addr.sa, addr_len), 0);
	}
	close(l);
	for (int i = 0; i < 4; i++) {
		EXPECT_ERR(read(waiting[i], &b, 1), ECONNRESET);
		close(waiting[i]);
	}
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(pair(AF_INET, &c, &s), 0);
		close(s);
		EXPECT_EQ(read(c, &b, 1), 0);
		EXPECT_EQ(getsockopt(c, SOL_SOCKET, SO_ERROR, &err, &len), 0);
		EXPECT_EQ(err, 0);
		EXPECT_EQ(write(c, "x", 1), 1); // the first one still goes out
		close(c);
	}
}

TEST(readiness)
{
	int c, s, e = epoll_create1(0);
	struct epoll_event v = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET}, got;
	static char block[65536];

	EXPECT_EQ(pair(AF_INET, &c, &s), 0);
	fcntl(c, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(epoll_ctl(e, EPOLL_CTL_ADD, c, &v), 0);
	EXPECT_EQ(epoll_wait(e, &got, 1, 1000), 1);
	EXPECT_EQ(got.events, EPOLLOUT);
	long sent = 0, r;

	for (int quiet = 0; quiet < 5;) { // fill both buffers
		r = write(c, block, sizeof block);
		if (r > 0)
			sent += r, quiet = 0;
		else
			quiet++, pause_ms(10);
	}
	EXPECT(sent > 65536);
	while (epoll_wait(e, &got, 1, 0) == 1)
		;
	fcntl(s, F_SETFL, O_NONBLOCK);
	for (long left = sent; left > 0;) {
		r = read(s, block, sizeof block);
		if (r > 0)
			left -= r;
		else
			pause_ms(1);
	}
	EXPECT_EQ(epoll_wait(e, &got, 1, 2000), 1); // writable again: an edge
	EXPECT(got.events & EPOLLOUT);
	shutdown(s, SHUT_WR);
	EXPECT_EQ(epoll_wait(e, &got, 1, 2000), 1);
	EXPECT((got.events & (EPOLLIN | EPOLLRDHUP)) == (EPOLLIN | EPOLLRDHUP));
	close(c), close(s), close(e);
}

TEST(options)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v;
	socklen_t len = sizeof v;
	static const struct {
		int level, name, value;
	} flags[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},   {SOL_SOCKET, SO_REUSEADDR, 1},
		     {SOL_SOCKET, SO_REUSEPORT, 1},   {IPPROTO_TCP, TCP_NODELAY, 1},
		     {IPPROTO_TCP, TCP_KEEPIDLE, 77}, {IPPROTO_TCP, TCP_KEEPINTVL, 11},
		     {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_IP, IP_TOS, 16}};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		EXPECT_EQ(setsockopt(s, flags[i].level, flags[i].name, &flags[i].value, sizeof v), 0);
		v = 0;
		EXPECT_EQ(getsockopt(s, flags[i].level, flags[i].name, &v, &len), 0);
		EXPECT_EQ(v, flags[i].value);
	}
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len), 0);
	EXPECT_EQ(v, SOCK_STREAM);
	v = 100000;
	EXPECT_EQ(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, sizeof v), 0);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_RCVBUF, &v, &len), 0);
	EXPECT(v >= 100000);
	EXPECT_ERR(setsockopt(s, SOL_SOCKET, 9999, &v, sizeof v), ENOPROTOOPT);
	EXPECT_ERR(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &v, 1), EINVAL);
	struct tcp_info info;

	len = sizeof info;
	EXPECT_EQ(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	EXPECT_EQ(info.tcpi_state, TCP_CLOSE);
	close(s);
}

TEST(datagrams)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), n;
	char buf[64];
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
	socklen_t len = sizeof at;

	EXPECT_EQ(bind(a, (void *)&at, sizeof at), 0);
	EXPECT_EQ(getsockname(a, (void *)&at, &len), 0);
	EXPECT_EQ(sendto(b, "first", 5, 0, (void *)&at, sizeof at), 5);
	EXPECT_EQ(sendto(b, "", 0, 0, (void *)&at, sizeof at), 0);
	EXPECT_EQ(connect(b, (void *)&at, sizeof at), 0);
	EXPECT_EQ(send(b, "third", 5, 0), 5);
	EXPECT_EQ(ioctl(a, FIONREAD, &n), 0);
	EXPECT_EQ(n, 5);
	len = sizeof from;
	EXPECT_EQ(recvfrom(a, buf, 3, MSG_TRUNC, (void *)&from, &len), 5);
	EXPECT(from.sin_family == AF_INET && from.sin_port);
	EXPECT_EQ(recv(a, buf, 64, 0), 0);
	EXPECT_EQ(recv(a, buf, 64, 0), 5);
	EXPECT_ERR(recv(a, buf, 64, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(sendto(a, "back", 4, 0, (void *)&from, sizeof from), 4);
	EXPECT_EQ(recv(b, buf, 64, 0), 4);
	close(a);
	EXPECT_EQ(send(b, "x", 1, 0), 1);
	EXPECT_ERR(recv(b, buf, 1, 0), ECONNREFUSED); // ICMP told us
	static char big[70000];

	EXPECT_ERR(sendto(b, big, sizeof big, 0, (void *)&at, sizeof at), EMSGSIZE);
	close(b);
}

TEST(large_datagram)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	static char out[60000], in[65536];
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;

	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (char)(i * 13 >> 2);
	EXPECT_EQ(bind(a, (void *)&at, sizeof at), 0);
	EXPECT_EQ(getsockname(a, (void *)&at, &len), 0);
	EXPECT_EQ(sendto(b, out, sizeof out, 0, (void *)&at, sizeof at), sizeof out);
	EXPECT_EQ(recv(a, in, sizeof in, 0), sizeof out);
	EXPECT(!memcmp(in, out, sizeof out));
	close(a), close(b);
}

TEST(both_families_on_one_socket)
{
	int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), off = 0;
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any}, peer;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof any;

	EXPECT_EQ(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
	EXPECT_EQ(bind(l, (void *)&any, sizeof any), 0);
	EXPECT_EQ(listen(l, 5), 0);
	EXPECT_EQ(getsockname(l, (void *)&any, &len), 0);
	to.sin_port = any.sin6_port;
	EXPECT_EQ(connect(c, (void *)&to, sizeof to), 0);
	len = sizeof peer;
	int s = accept(l, (void *)&peer, &len);

	EXPECT(s >= 0);
	EXPECT(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
	close(s), close(c), close(l);
}

TEST(many_connections)
{
	int l = listener(AF_INET, 128), c[100], s[100];
	char b;

	EXPECT(l >= 0);
	for (int i = 0; i < 100; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_EQ(connect(c[i], &addr.sa, addr_len), 0);
		s[i] = accept(l, NULL, NULL);
		EXPECT(s[i] >= 0);
		b = (char)i;
		EXPECT_EQ(write(c[i], &b, 1), 1);
	}
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(read(s[i], &b, 1), 1);
		EXPECT_EQ(b, (char)i);
		close(c[i]), close(s[i]);
	}
	close(l);
}

static void *close_later(void *arg)
{
	pause_ms(50);
	shutdown((int)(long)arg, SHUT_RDWR);
	return NULL;
}

TEST(shutdown_wakes_the_reader)
{
	int c, s;
	char b;
	pthread_t t;

	EXPECT_EQ(pair(AF_INET, &c, &s), 0);
	pthread_create(&t, NULL, close_later, (void *)(long)c);
	EXPECT_EQ(read(c, &b, 1), 0);
	pthread_join(t, NULL);
	close(c), close(s);
}

TEST(interfaces)
{
	struct ifaddrs *list, *i;
	int loopbacks = 0, last = 0;

	EXPECT_EQ(getifaddrs(&list), 0);
	for (i = list; i; i = i->ifa_next) {
		int family = i->ifa_addr ? i->ifa_addr->sa_family : 0;

		if (i->ifa_flags & IFF_LOOPBACK && family == AF_INET) {
			loopbacks++;
			EXPECT(((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr ==
			       htonl(INADDR_LOOPBACK));
		}
		EXPECT(family != AF_INET || last != AF_INET6); // one family after the other
		last = family;
	}
	freeifaddrs(list);
	EXPECT_EQ(loopbacks, 1);
	EXPECT(if_nametoindex("lo") > 0);
	struct ifreq r = {.ifr_name = "lo"};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT_EQ(ioctl(s, SIOCGIFFLAGS, &r), 0);
	EXPECT(r.ifr_flags & IFF_UP);
	EXPECT_EQ(ioctl(s, SIOCGIFMTU, &r), 0);
	EXPECT(r.ifr_mtu >= 16384);
	close(s);
}

// The number behind "WORD: inuse" in a file of /proc/net; -1: none.
static int in_use(const char *path, const char *word)
{
	char line[256];
	FILE *f = fopen(path, "r");
	int n = -1, found;

	while (f && n < 0 && fgets(line, sizeof line, f))
		if (!strncmp(line, word, strlen(word)) &&
		    sscanf(line + strlen(word), ": inuse %d", &found) == 1)
			n = found;
	if (f)
		fclose(f);
	return n;
}

TEST(sockets_by_family)
{
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int four = in_use("/proc/net/sockstat", "UDP"), six = in_use("/proc/net/sockstat6", "UDP6");
	int s4 = socket(AF_INET, SOCK_DGRAM, 0), s6 = socket(AF_INET6, SOCK_DGRAM, 0);

	if (s6 < 0 || bind(s6, (struct sockaddr *)&a6, sizeof a6))
		SKIP("no IPv6");
	EXPECT_EQ(bind(s4, (struct sockaddr *)&a4, sizeof a4), 0);
	EXPECT(four >= 0 && six >= 0);
	EXPECT(in_use("/proc/net/sockstat", "UDP") > four);
	EXPECT(in_use("/proc/net/sockstat6", "UDP6") > six);
	close(s4);
	close(s6);
}

TEST(routes_of_ipv6)
{
	char line[256], dst[33], src[33], via[33], dev[17];
	unsigned plen, splen, metric, refs, use, flags;
	FILE *f = fopen("/proc/net/ipv6_route", "r");
	bool seen = false;

	if (!f)
		SKIP("no IPv6");
	while (fgets(line, sizeof line, f)) {
		EXPECT_EQ(sscanf(line, "%32s %2x %32s %2x %32s %8x %8x %8x %8x %16s", dst, &plen, src, &splen,
				 via, &metric, &refs, &use, &flags, dev),
			  10);
		EXPECT_EQ(strlen(dst), 32);
		seen |= !strcmp(dst, "00000000000000000000000000000001") && plen == 128 && !strcmp(dev, "lo");
	}
	fclose(f);
	EXPECT(seen);
}

TEST(names)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *result;

	EXPECT_EQ(getaddrinfo("localhost", "80", &hints, &result), 0);
	EXPECT(((struct sockaddr_in *)result->ai_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	freeaddrinfo(result);
}
