// SPDX-License-Identifier: BSD-2-Clause
// What the tests of TCP share: a network of their own where that can be had, listeners, clients, options.
#pragma once

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

// Not every program uses all of it.
#pragma GCC diagnostic ignored "-Wunused-function"

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
