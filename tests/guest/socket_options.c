// SPDX-License-Identifier: BSD-2-Clause
// What sockets of several families share (socket(7), udp(7)): filters, peek offsets, drop counts, time
// stamps, segments in one go, calls for many messages, control messages that are refused.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO	    104
#endif
#ifndef SO_LOCK_FILTER
#define SO_LOCK_FILTER 44
#endif

static struct sockaddr_in6 at; // where the last one of bound() is
static socklen_t at_len;

static int bound_at(int family, uint16_t port, int reuse)
{
	int s = socket(family, SOCK_DGRAM, 0), on = 1;

	memset(&at, 0, sizeof at);
	if (family == AF_INET) {
		struct sockaddr_in *a = (void *)&at;

		*a = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		at_len = sizeof *a;
	} else {
		at = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = in6addr_loopback};
		at_len = sizeof at;
	}
	if (reuse)
		setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (s < 0 || bind(s, (void *)&at, at_len) || getsockname(s, (void *)&at, &at_len)) {
		close(s);
		return -1;
	}
	return s;
}

static int bound(int family)
{
	return bound_at(family, 0, 0);
}

// A socket that sends to the last one of bound().
static int sender(void)
{
	int s = socket(at.sin6_family, SOCK_DGRAM, 0);

	return connect(s, (void *)&at, at_len) ? -1 : s;
}

static int set(int s, int level, int name, int v)
{
	return setsockopt(s, level, name, &v, sizeof v);
}

static int get(int s, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof v;

	return getsockopt(s, level, name, &v, &n) ? -errno - 1000 : v;
}

static int attach(int s, struct sock_filter *f, int n)
{
	struct sock_fprog p = {n, f};

	return setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}

TEST(filter)
{
	// Takes datagrams whose first byte, behind the header, is an 'y', and cuts them to 4 bytes.
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ, 'y', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 8 + 4),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter back[4],
		bad[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8)},
		anc[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 1), BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog wrong = {4, f};
	socklen_t n = 0;
	char b[64];
	int r = bound(AF_INET), s = sender();

	EXPECT_ERR(set(r, SOL_SOCKET, SO_DETACH_FILTER, 0), ENOENT);
	EXPECT_ERR(attach(r, bad, 1), EINVAL); // does not end
	EXPECT_ERR(attach(r, anc, 2), EINVAL);
	EXPECT_ERR(attach(r, f, 0), EINVAL);
	EXPECT_ERR(setsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, &wrong, 4), EINVAL);
	EXPECT_EQ(attach(r, f, 4), 0);
	EXPECT_EQ(send(s, "no", 2, 0), 2);
	EXPECT_EQ(send(s, "yesterday", 9, 0), 9);
	EXPECT_EQ(recv(r, b, sizeof b, 0), 4);
	EXPECT_EQ(memcmp(b, "yest", 4), 0);
	EXPECT_ERR(recv(r, b, sizeof b, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(getsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, NULL, &n), 0); // SO_GET_FILTER
	EXPECT_EQ(n, 4);
	EXPECT_EQ(getsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, back, &n), 0);
	EXPECT_EQ(memcmp(back, f, sizeof f), 0);
	n = 3;
	EXPECT_ERR(getsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, back, &n), EINVAL);
	EXPECT_EQ(set(r, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
	EXPECT_EQ(get(r, SOL_SOCKET, SO_LOCK_FILTER), 1);
	EXPECT_ERR(set(r, SOL_SOCKET, SO_LOCK_FILTER, 0), EPERM);
	EXPECT_ERR(set(r, SOL_SOCKET, SO_DETACH_FILTER, 0), EPERM);
	EXPECT_ERR(attach(r, f, 4), EPERM);
	close(r);
	close(s);
}

TEST(filter_of_unix_datagrams)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ, 'o' << 8 | 'k', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	char b[16];
	int s[2];

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	EXPECT_EQ(attach(s[1], f, 4), 0);
	EXPECT_EQ(send(s[0], "bad", 3, 0), 3);
	EXPECT_EQ(send(s[0], "okay", 4, 0), 4);
	EXPECT_EQ(send(s[0], "x", 1, 0), 1); // too short to be looked at: dropped
	EXPECT_EQ(recv(s[1], b, sizeof b, 0), 4);
	EXPECT_ERR(recv(s[1], b, sizeof b, MSG_DONTWAIT), EAGAIN);
	close(s[0]);
	close(s[1]);
}

// A program chooses the socket of a group.
TEST(reuse_group_program)
{
	struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
				  BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, '0'), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_fprog p = {3, f};
	int r[3], s;
	char b[8];

	r[0] = bound_at(AF_INET, 0, 1);
	for (int i = 1; i < 3; i++)
		r[i] = bound_at(AF_INET, ((struct sockaddr_in *)&at)->sin_port, 1);
	EXPECT(r[0] >= 0 && r[1] >= 0 && r[2] >= 0);
	EXPECT_EQ(setsockopt(r[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &p, sizeof p), 0);
	s = sender();
	for (int i = 0; i < 9; i++) {
		char which[2] = {(char)('0' + i % 3), 'x'};

		EXPECT_EQ(send(s, which, 2, 0), 2);
		EXPECT_EQ(recv(r[i % 3], b, sizeof b, 0), 2);
		EXPECT_EQ(b[0], which[0]);
	}
	for (int i = 0; i < 3; i++)
		close(r[i]);
	close(s);
}

TEST(peek_offset_of_datagrams)
{
	char b[64];

	for (int unix_pair = 0; unix_pair < 2; unix_pair++) {
		int r, s, p[2];

		if (unix_pair) {
			EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
			r = p[1], s = p[0];
		} else {
			r = bound(AF_INET), s = sender();
		}
		EXPECT_EQ(get(r, SOL_SOCKET, SO_PEEK_OFF), -1);
		EXPECT_EQ(send(s, "first", 5, 0), 5);
		EXPECT_EQ(send(s, "second", 6, 0), 6);
		EXPECT_EQ(set(r, SOL_SOCKET, SO_PEEK_OFF, 2), 0);
		EXPECT_EQ(recv(r, b, 2, MSG_PEEK), 2);
		EXPECT_EQ(memcmp(b, "rs", 2), 0);
		EXPECT_EQ(get(r, SOL_SOCKET, SO_PEEK_OFF), 4);
		EXPECT_EQ(recv(r, b, 10, MSG_PEEK), 1);
		EXPECT_EQ(recv(r, b, 10, MSG_PEEK), 6); // on to the next
		EXPECT_EQ(memcmp(b, "second", 6), 0);
		EXPECT_ERR(recv(r, b, 10, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
		EXPECT_EQ(get(r, SOL_SOCKET, SO_PEEK_OFF), 11);
		EXPECT_EQ(recv(r, b, 10, 0), 5); // reading moves it back
		EXPECT_EQ(get(r, SOL_SOCKET, SO_PEEK_OFF), 6);
		EXPECT_EQ(recv(r, b, 10, 0), 6);
		EXPECT_EQ(get(r, SOL_SOCKET, SO_PEEK_OFF), 0);
		close(r);
		close(s);
	}
}

TEST(peek_offset_of_streams)
{
	char b[64];
	int s[2];

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	EXPECT_EQ(write(s[0], "abcdef", 6), 6);
	EXPECT_EQ(write(s[0], "ghij", 4), 4);
	EXPECT_EQ(set(s[1], SOL_SOCKET, SO_PEEK_OFF, 0), 0);
	EXPECT_EQ(recv(s[1], b, 4, MSG_PEEK), 4);
	EXPECT_EQ(recv(s[1], b, 4, MSG_PEEK), 4); // across two writes
	EXPECT_EQ(memcmp(b, "efgh", 4), 0);
	EXPECT_EQ(recv(s[1], b, 4, 0), 4);
	EXPECT_EQ(memcmp(b, "abcd", 4), 0);
	EXPECT_EQ(get(s[1], SOL_SOCKET, SO_PEEK_OFF), 4);
	EXPECT_EQ(recv(s[1], b, 60, MSG_PEEK), 2);
	EXPECT_EQ(memcmp(b, "ij", 2), 0);
	EXPECT_ERR(recv(s[1], b, 4, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(set(s[1], SOL_SOCKET, SO_PEEK_OFF, -1), 0);
	EXPECT_EQ(recv(s[1], b, 60, MSG_PEEK), 6);
	close(s[0]);
	close(s[1]);
	s[0] = socket(AF_NETLINK, SOCK_RAW, 0);
	EXPECT_ERR(set(s[0], SOL_SOCKET, SO_PEEK_OFF, 0), EOPNOTSUPP);
	close(s[0]);
}

// The control message LEVEL/TYPE of a receive, or NULL.
static char control[512];
static struct msghdr message;
static void *receive(int s, int level, int type, int flags, ssize_t *n)
{
	static char data[70000];
	static struct iovec v = {data, sizeof data};

	message = (struct msghdr){
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	*n = recvmsg(s, &message, flags);
	if (*n < 0)
		return NULL;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

TEST(drops_are_told)
{
	int r = bound(AF_INET), s = sender();
	static char big[8000];
	uint32_t *drops;
	ssize_t n;

	EXPECT_EQ(set(r, SOL_SOCKET, SO_RXQ_OVFL, 1), 0);
	EXPECT_EQ(set(r, SOL_SOCKET, SO_RCVBUF, 4096), 0);
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(send(s, big, sizeof big, 0), sizeof big);
	EXPECT(!receive(r, SOL_SOCKET, SO_RXQ_OVFL, 0, &n) &&
	       n == sizeof big); // nothing was lost before the first
	while (recv(r, big, sizeof big, MSG_DONTWAIT) > 0)
		;
	EXPECT_EQ(send(s, "x", 1, 0), 1);
	drops = receive(r, SOL_SOCKET, SO_RXQ_OVFL, 0, &n);
	EXPECT_EQ(n, 1);
	EXPECT(drops && *drops > 0 && *drops < 20);
	close(r);
	close(s);
}

TEST(time_stamps)
{
	int r = bound(AF_INET), s = sender();
	struct timespec *t = NULL, real;
	ssize_t n;

	EXPECT_ERR(set(r, SOL_SOCKET, SO_TIMESTAMPING, 1 << 20), EINVAL);
	EXPECT_EQ(
		set(r, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE),
		0);
	EXPECT_EQ(get(r, SOL_SOCKET, SO_TIMESTAMPING),
		  SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
	// Linux begins to stamp a moment after it was asked to.
	for (int i = 0; i < 1000; i++) {
		EXPECT_EQ(send(s, "x", 1, 0), 1);
		t = receive(r, SOL_SOCKET, SO_TIMESTAMPING, 0, &n);
		if (t && t[0].tv_sec)
			break;
		usleep(1000);
	}
	clock_gettime(CLOCK_REALTIME, &real);
	EXPECT(t && t[0].tv_sec <= real.tv_sec && real.tv_sec - t[0].tv_sec < 10);
	EXPECT_EQ(t[1].tv_sec | t[2].tv_sec, 0);
	EXPECT_EQ(set(r, SOL_SOCKET, SO_TIMESTAMPING, 0), 0);
	EXPECT_EQ(set(r, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0);
	EXPECT_EQ(send(s, "x", 1, 0), 1);
	EXPECT(receive(r, SOL_SOCKET, SO_TIMESTAMPNS, 0, &n));
	EXPECT(!receive(r, SOL_SOCKET, SO_TIMESTAMPING, MSG_DONTWAIT, &n));
	close(r);
	close(s);
}

// When a datagram went out, on the error queue.
TEST(time_stamps_of_sent)
{
	int r = bound(AF_INET), s = sender();
	struct sock_extended_err *e;
	struct pollfd p = {.fd = s};
	struct timespec *t;
	ssize_t n;

	EXPECT_EQ(set(s, SOL_SOCKET, SO_TIMESTAMPING,
		      SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY |
			      SOF_TIMESTAMPING_OPT_ID),
		  0);
	for (uint32_t i = 0; i < 2; i++) {
		EXPECT_EQ(send(s, "when?", 5, 0), 5);
		EXPECT_EQ(poll(&p, 1, 1000), 1);
		EXPECT_EQ(p.revents, POLLERR);
		t = receive(s, SOL_SOCKET, SO_TIMESTAMPING, MSG_ERRQUEUE, &n);
		EXPECT(t && t[0].tv_sec > 0);
		EXPECT_EQ(n, 0);
		EXPECT(message.msg_flags & MSG_ERRQUEUE);
		e = NULL;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
			if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
				e = (void *)CMSG_DATA(c);
		EXPECT(e && e->ee_errno == ENOMSG && e->ee_origin == SO_EE_ORIGIN_TIMESTAMPING);
		EXPECT_EQ(e->ee_info, SCM_TSTAMP_SND);
		EXPECT_EQ(e->ee_data, i);
		EXPECT_EQ(get(s, SOL_SOCKET, SO_ERROR), 0);
	}
	EXPECT_ERR(recv(s, control, 1, MSG_ERRQUEUE), EAGAIN);
	close(r);
	close(s);
}

TEST(segments)
{
	for (int family = 0; family < 2; family++) {
		int r = bound(family ? AF_INET6 : AF_INET), s = sender(), *size;
		static char b[70000];
		ssize_t n;

		for (unsigned i = 0; i < sizeof b; i++)
			b[i] = (char)(i / 1000);
		EXPECT_EQ(set(s, IPPROTO_UDP, UDP_SEGMENT, 1000), 0);
		EXPECT_EQ(send(s, b, 3500, 0), 3500);
		for (int i = 0; i < 4; i++) {
			EXPECT(!receive(r, IPPROTO_UDP, UDP_GRO, 0, &n));
			EXPECT_EQ(n, i < 3 ? 1000 : 500);
			EXPECT_EQ(((char *)message.msg_iov->iov_base)[0], i);
		}
		EXPECT_EQ(set(s, IPPROTO_UDP, UDP_SEGMENT, 400), 0);
		EXPECT_ERR(send(s, b, 65000, 0), EINVAL); // 163 segments: too many
		EXPECT_EQ(set(s, IPPROTO_UDP, UDP_SEGMENT, 1000), 0);
		EXPECT_ERR(send(s, b, 65536, 0), EMSGSIZE);
		EXPECT_EQ(send(s, b, 900, 0), 900); // one is none
		EXPECT_EQ(recv(r, b, sizeof b, 0), 900);
		// The receiver takes them together.
		EXPECT_EQ(set(r, IPPROTO_UDP, UDP_GRO, 1), 0);
		EXPECT_EQ(send(s, b, 3500, 0), 3500);
		size = receive(r, IPPROTO_UDP, UDP_GRO, 0, &n);
		EXPECT_EQ(n, 3500);
		EXPECT(size && *size == 1000);
		EXPECT_EQ(send(s, b, 10, 0), 10);
		EXPECT(!receive(r, IPPROTO_UDP, UDP_GRO, 0, &n) && n == 10);
		close(r);
		close(s);
	}
}

TEST(segments_by_control)
{
	int r = bound(AF_INET), s = sender();
	char b[100], c[CMSG_SPACE(2)] = {0};
	struct iovec v = {b, 100};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
	struct cmsghdr *m = CMSG_FIRSTHDR(&h);

	*m = (struct cmsghdr){.cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(2)};
	*(uint16_t *)CMSG_DATA(m) = 60;
	memset(b, 7, sizeof b);
	EXPECT_EQ(sendmsg(s, &h, 0), 100);
	EXPECT_EQ(recv(r, b, 100, 0), 60);
	EXPECT_EQ(recv(r, b, 100, 0), 40);
	close(r);
	close(s);
}

TEST(many_messages)
{
	int r = bound(AF_INET), s = sender();
	char b[4][16];
	struct iovec v[4];
	struct mmsghdr h[4];
	struct timespec t = {.tv_sec = 5};
	int status, pid;

	memset(h, 0, sizeof h);
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){b[i], 4 + (size_t)i};
		h[i].msg_hdr.msg_iov = &v[i];
		h[i].msg_hdr.msg_iovlen = 1;
	}
	EXPECT_EQ(sendmmsg(s, h, 4, 0), 4);
	EXPECT_EQ(h[3].msg_len, 7);
	for (int i = 0; i < 4; i++)
		v[i].iov_len = 16;
	EXPECT_EQ(recvmmsg(r, h, 4, MSG_DONTWAIT, &t), 4);
	EXPECT_EQ(h[2].msg_len, 6);
	EXPECT(t.tv_sec == 4 || (t.tv_sec == 5 && !t.tv_nsec)); // what was left
	t = (struct timespec){.tv_nsec = 2000000000};
	EXPECT_ERR(recvmmsg(r, h, 4, 0, &t), EINVAL);
	EXPECT_ERR(recvmmsg(r, h, 4, MSG_DONTWAIT, NULL), EAGAIN);
	// WAITFORONE: the first is waited for, the others are taken if they are there.
	pid = fork();
	if (!pid) {
		pause_ms(50);
		_exit(send(s, "late", 4, 0) != 4);
	}
	EXPECT_EQ(recvmmsg(r, h, 4, MSG_WAITFORONE, NULL), 1);
	waitpid(pid, &status, 0);
	// The time is looked at after each message.
	EXPECT_EQ(send(s, "1", 1, 0) + send(s, "2", 1, 0), 2);
	t = (struct timespec){0};
	EXPECT_EQ(recvmmsg(r, h, 4, 0, &t), 1);
	close(r);
	close(s);
}

TEST(control_messages_refused)
{
	int r = bound(AF_INET), s = sender();
	char c[CMSG_SPACE(4)] = {0};
	struct iovec v = {"x", 1};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
	struct cmsghdr *m = CMSG_FIRSTHDR(&h);

	*m = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = 12345, .cmsg_len = CMSG_LEN(4)};
	EXPECT_ERR(sendmsg(s, &h, 0), EINVAL);
	m->cmsg_level = IPPROTO_IP;
	EXPECT_ERR(sendmsg(s, &h, 0), EINVAL);
	m->cmsg_level = 1234; // nobody's
	EXPECT_EQ(sendmsg(s, &h, 0), 1);
	m->cmsg_len = 3;
	EXPECT_ERR(sendmsg(s, &h, 0), EINVAL);
	close(r);
	close(s);
}

TEST(for_the_privileged)
{
	int status, pid = fork();

	if (!pid) {
		int s = socket(AF_INET, SOCK_DGRAM, 0), e = 0;

		if (setgid(1) || setuid(1))
			_exit(99);
		e += set(s, SOL_SOCKET, SO_MARK, 1) != -1 || errno != EPERM;
		e += set(s, SOL_SOCKET, SO_PRIORITY, 7) != -1 || errno != EPERM;
		e += set(s, SOL_SOCKET, SO_PRIORITY, 6) != 0;
		e += set(s, SOL_SOCKET, SO_RCVBUFFORCE, 9999) != -1 || errno != EPERM;
		e += set(s, SOL_SOCKET, SO_DEBUG, 1) != -1 || errno != EACCES;
		e += setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0;
		e += setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 1) != -1 || errno != EPERM;
		_exit(e);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(incoming_cpu)
{
	int r = bound(AF_INET), s = sender(), cpu;
	char b;

	EXPECT_EQ(get(r, SOL_SOCKET, SO_INCOMING_CPU), -1);
	at_len = sizeof at;
	EXPECT_EQ(getsockname(s, (void *)&at, &at_len), 0);
	EXPECT_EQ(connect(r, (void *)&at, at_len), 0);
	EXPECT_EQ(send(s, "x", 1, 0), 1);
	EXPECT_EQ(recv(r, &b, 1, 0), 1);
	cpu = get(r, SOL_SOCKET, SO_INCOMING_CPU);
	EXPECT(cpu >= 0);
	close(r);
	close(s);
}
