// SPDX-License-Identifier: BSD-2-Clause
// Programs that decide about TCP segments (SO_ATTACH_FILTER) and about the listener of a reuse group
// (SO_ATTACH_REUSEPORT_CBPF).
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif
#ifndef SO_LOCK_FILTER
#define SO_LOCK_FILTER 44
#endif
#define GROUP 3

static struct sockaddr_in addr;

static int listener(in_port_t port, int reuse)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof addr;

	addr = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &reuse, sizeof reuse) ||
	    bind(s, (void *)&addr, sizeof addr) || listen(s, 8) || getsockname(s, (void *)&addr, &len))
		return -1;
	return s;
}

static int client(int flags)
{
	int c = socket(AF_INET, SOCK_STREAM | flags, 0);

	return connect(c, (void *)&addr, sizeof addr) && errno != EINPROGRESS ? -1 : c;
}

static int pair(int *c, int *s)
{
	int l = listener(0, 0);

	*c = client(0);
	*s = accept(l, NULL, NULL);
	close(l);
	return l < 0 || *c < 0 || *s < 0 ? -1 : 0;
}

static int attach(int s, int opt, struct sock_filter *f, int n)
{
	struct sock_fprog p = {n, f};

	return setsockopt(s, SOL_SOCKET, opt, &p, sizeof p);
}

static int detach(int s)
{
	int v = 0;

	return setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &v, sizeof v);
}

static struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};

// What is dropped was lost on the way: the sender repeats it.
TEST(dropped_segments)
{
	char b[8];
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(attach(s, SO_ATTACH_FILTER, nothing, 1), 0);
	EXPECT_EQ(send(c, "abc", 3, 0), 3);
	EXPECT_ERR(recv(s, b, sizeof b, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(detach(s), 0);
	EXPECT_EQ(recv(s, b, sizeof b, 0), 3);
	close(c), close(s);
}

// A segment may be cut behind its header, and no further; what was cut off is not acknowledged.
TEST(cut_segments)
{
	struct sock_filter four[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 4),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_filter one[] = {BPF_STMT(BPF_RET | BPF_K, 1)};
	char b[16] = "";
	struct tcp_info i;
	socklen_t len = sizeof i;
	int c, s;

	EXPECT_EQ(pair(&c, &s), 0);
	EXPECT_EQ(attach(s, SO_ATTACH_FILTER, one, 1), 0);
	EXPECT_EQ(send(c, "0123456789", 10, 0), 10);
	EXPECT_ERR(recv(s, b, sizeof b, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(attach(s, SO_ATTACH_FILTER, four, 5), 0);
	EXPECT_EQ(recv(s, b, 10, MSG_WAITALL), 10);
	EXPECT_EQ(strcmp(b, "0123456789"), 0);
	EXPECT_EQ(getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	EXPECT(i.tcpi_total_retrans >= 3); // four bytes at a time
	close(c), close(s);
}

TEST(listener_that_hears_nothing)
{
	int l = listener(0, 0), c, s;
	struct pollfd p;

	EXPECT_EQ(attach(l, SO_ATTACH_FILTER, nothing, 1), 0);
	c = client(SOCK_NONBLOCK);
	EXPECT(c >= 0);
	p = (struct pollfd){.fd = c, .events = POLLOUT};
	EXPECT_EQ(poll(&p, 1, 0), 0);
	EXPECT_EQ(detach(l), 0);
	EXPECT_EQ(poll(&p, 1, 20000), 1); // the SYN is repeated
	s = accept(l, NULL, NULL);
	EXPECT(s >= 0);
	close(c), close(s), close(l);
}

TEST(accepted_sockets_share_the_filter)
{
	struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0)},
			   back[4];
	int l = listener(0, 0), c, s, v = 1;
	socklen_t n = 4;
	char b[8];

	EXPECT_EQ(attach(l, SO_ATTACH_FILTER, f, 2), 0);
	EXPECT_EQ(setsockopt(l, SOL_SOCKET, SO_LOCK_FILTER, &v, sizeof v), 0);
	c = client(0);
	s = accept(l, NULL, NULL);
	EXPECT(c >= 0 && s >= 0);
	close(l);
	EXPECT_EQ(send(c, "abc", 3, 0), 3);
	EXPECT_EQ(recv(s, b, sizeof b, 0), 3);
	EXPECT_EQ(getsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, back, &n), 0);
	EXPECT_EQ(n, 2);
	EXPECT_EQ(memcmp(back, f, sizeof f), 0);
	EXPECT_ERR(detach(s), EPERM);
	EXPECT_ERR(attach(s, SO_ATTACH_FILTER, nothing, 1), EPERM);
	close(c), close(s);
}

// The source port chooses the listener.
TEST(reuse_group_program)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SKF_NET_OFF + 20),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, GROUP),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	int l[GROUP];

	l[0] = listener(0, 1);
	for (int i = 1; i < GROUP; i++)
		l[i] = listener(addr.sin_port, 1);
	EXPECT(l[0] >= 0 && l[1] >= 0 && l[2] >= 0);
	EXPECT_EQ(attach(l[1], SO_ATTACH_REUSEPORT_CBPF, f, 3), 0);
	for (int i = 0; i < 12; i++) {
		int c = client(0), s;
		struct sockaddr_in me;
		socklen_t len = sizeof me;
		struct pollfd p = {.events = POLLIN};

		EXPECT(c >= 0 && getsockname(c, (void *)&me, &len) == 0);
		p.fd = l[ntohs(me.sin_port) % GROUP];
		EXPECT_EQ(poll(&p, 1, 20000), 1);
		s = accept(p.fd, NULL, NULL);
		EXPECT(s >= 0);
		close(c), close(s);
	}
	for (int i = 0; i < GROUP; i++)
		close(l[i]);
}
