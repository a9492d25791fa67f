// SPDX-License-Identifier: BSD-2-Clause
// Sockets seen through NETLINK_SOCK_DIAG (sock_diag(7)), as ss asks for them.
#include "check.h"
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

enum { ESTABLISHED = 1, CLOSE = 7, LISTEN = 10 };

static uint32_t answer[64 << 8]; // of the last question, all its parts
static size_t answer_len;
static uint16_t question = SOCK_DIAG_BY_FAMILY;
static int answer_error; // of the NLMSG_ERROR or NLMSG_DONE that ended it

// Send a request with BODY and MORE behind it, and take in the whole answer. False: it never ended.
static bool ask(int flags, const void *body, size_t len, const void *more, size_t more_len)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval patience = {.tv_sec = 10};
	uint8_t out[512] = {0};
	struct nlmsghdr *h = (struct nlmsghdr *)out;
	bool ended = false;

	answer_len = 0;
	answer_error = 0;
	*h = (struct nlmsghdr){.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + len + more_len),
			       .nlmsg_type = question,
			       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
			       .nlmsg_seq = 7};
	memcpy(NLMSG_DATA(h), body, len);
	if (more_len)
		memcpy((uint8_t *)NLMSG_DATA(h) + len, more, more_len);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (send(s, out, h->nlmsg_len, 0) != (ssize_t)h->nlmsg_len)
		return false;
	while (!ended) {
		uint8_t *at = (uint8_t *)answer + answer_len;
		ssize_t n = recv(s, at, sizeof answer - answer_len, 0);
		int left = (int)n;

		if (n <= 0)
			break;
		for (struct nlmsghdr *m = (void *)at; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
			if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
				memcpy(&answer_error, NLMSG_DATA(m), sizeof answer_error);
				ended = true;
			} else if (!(m->nlmsg_flags & NLM_F_MULTI)) {
				ended = true;
			}
		}
		answer_len += NLMSG_ALIGN((size_t)n);
	}
	close(s);
	return ended;
}

static bool ask_inet(int family, int protocol, uint32_t states, const void *more, size_t more_len)
{
	struct inet_diag_req_v2 q = {.sdiag_family = (uint8_t)family,
				     .sdiag_protocol = (uint8_t)protocol,
				     .idiag_states = states,
				     .idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1) |
						  1 << (INET_DIAG_SKMEMINFO - 1)};

	return ask(NLM_F_DUMP, &q, sizeof q, more, more_len);
}

// The answer's next message behind *AT (NULL: the first) with SPORT and DPORT (-1: any).
static struct inet_diag_msg *find_inet(int sport, int dport, struct nlmsghdr **found)
{
	int left = (int)answer_len;

	for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
		struct inet_diag_msg *d = NLMSG_DATA(m);

		if (m->nlmsg_type != question)
			continue;
		if ((sport < 0 || ntohs(d->id.idiag_sport) == sport) &&
		    (dport < 0 || ntohs(d->id.idiag_dport) == dport)) {
			if (found)
				*found = m;
			return d;
		}
	}
	return NULL;
}

static int messages(void)
{
	int n = 0, left = (int)answer_len;

	for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
		n += m->nlmsg_type == SOCK_DIAG_BY_FAMILY;
	return n;
}

static void *attr_of(struct nlmsghdr *m, size_t fixed, int type, size_t *len)
{
	struct rtattr *a = (void *)((uint8_t *)NLMSG_DATA(m) + NLMSG_ALIGN(fixed));
	int left = (int)(m->nlmsg_len - NLMSG_LENGTH(fixed));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == type) {
			*len = RTA_PAYLOAD(a);
			return RTA_DATA(a);
		}
	return NULL;
}

static uint64_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

// A listener on the loopback with one connection, and the connection's two ports.
static int listener = -1, client = -1, server = -1, listen_port, client_port;

static void connect_pair(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	if (listener >= 0)
		return;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&a, sizeof a);
	listen(listener, 5);
	getsockname(listener, (struct sockaddr *)&a, &n);
	listen_port = ntohs(a.sin_port);
	client = socket(AF_INET, SOCK_STREAM, 0);
	connect(client, (struct sockaddr *)&a, sizeof a);
	server = accept(listener, NULL, NULL);
	getsockname(client, (struct sockaddr *)&a, &n);
	client_port = ntohs(a.sin_port);
}

TEST(listeners_alone)
{
	struct inet_diag_msg *d;

	connect_pair();
	EXPECT(ask_inet(AF_INET, IPPROTO_TCP, 1 << LISTEN, NULL, 0));
	EXPECT_EQ(answer_error, 0);
	d = find_inet(listen_port, 0, NULL);
	EXPECT(d);
	EXPECT_EQ(d->idiag_family, AF_INET);
	EXPECT_EQ(d->idiag_state, LISTEN);
	EXPECT_EQ(d->idiag_rqueue, 0);
	EXPECT_EQ(d->idiag_wqueue, 5);
	EXPECT_EQ(d->id.idiag_src[0], htonl(INADDR_LOOPBACK));
	EXPECT_EQ(d->idiag_inode, inode(listener));
	EXPECT(!find_inet(listen_port, client_port, NULL));
}

TEST(connection_with_figures)
{
	struct inet_diag_msg *d;
	struct nlmsghdr *m;
	struct tcp_info *info;
	uint64_t cookie, shown;
	socklen_t n = sizeof cookie;
	char *name;
	size_t len;

	connect_pair();
	EXPECT_EQ(send(client, "hello", 5, 0), 5);
	pause_ms(50);
	EXPECT(ask_inet(AF_INET, IPPROTO_TCP, 1 << ESTABLISHED, NULL, 0));
	d = find_inet(listen_port, client_port, &m);
	EXPECT(d);
	EXPECT_EQ(d->idiag_state, ESTABLISHED);
	EXPECT_EQ(d->idiag_rqueue, 5);
	EXPECT_EQ(d->idiag_wqueue, 0);
	EXPECT_EQ(d->idiag_inode, inode(server));
	EXPECT_EQ(getsockopt(server, SOL_SOCKET, SO_COOKIE, &cookie, &n), 0);
	shown = (uint64_t)d->id.idiag_cookie[1] << 32 | d->id.idiag_cookie[0];
	EXPECT_EQ(shown, cookie);
	info = attr_of(m, sizeof *d, INET_DIAG_INFO, &len);
	EXPECT(info && len >= offsetof(struct tcp_info, tcpi_bytes_received) + 8);
	EXPECT_EQ(info->tcpi_state, ESTABLISHED);
	EXPECT_EQ(info->tcpi_bytes_received, 5);
	name = attr_of(m, sizeof *d, INET_DIAG_CONG, &len);
	EXPECT(name && len >= 2 && !name[len - 1]);
	EXPECT(attr_of(m, sizeof *d, INET_DIAG_SKMEMINFO, &len) && len >= 8 * 4);
	EXPECT(attr_of(m, sizeof *d, INET_DIAG_SHUTDOWN, &len) && len == 1);
	EXPECT_EQ(recv(server, (char[5]){0}, 5, MSG_WAITALL), 5);
}

TEST(one_by_its_addresses)
{
	struct inet_diag_req_v2 q = {.sdiag_family = AF_INET,
				     .sdiag_protocol = IPPROTO_TCP,
				     .idiag_states = ~0u,
				     .id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}};

	connect_pair();
	q.id.idiag_src[0] = q.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	q.id.idiag_sport = htons((uint16_t)client_port);
	q.id.idiag_dport = htons((uint16_t)listen_port);
	EXPECT(ask(0, &q, sizeof q, NULL, 0));
	EXPECT_EQ(answer_error, 0);
	EXPECT_EQ(messages(), 1);
	EXPECT(find_inet(client_port, listen_port, NULL));
	q.id.idiag_cookie[0] = 0; // not that one's
	EXPECT(ask(0, &q, sizeof q, NULL, 0));
	EXPECT_EQ(messages(), 0);
	EXPECT(answer_error == -ENOENT || answer_error == -ESTALE);
}

struct filter { // as an attribute
	struct rtattr head;
	struct inet_diag_bc_op op[4];
};

static bool ask_filtered(struct filter *f, unsigned ops)
{
	f->head.rta_type = INET_DIAG_REQ_BYTECODE;
	f->head.rta_len = (uint16_t)RTA_LENGTH(ops * sizeof f->op[0]);
	return ask_inet(AF_INET, IPPROTO_TCP, ~0u, f, f->head.rta_len);
}

TEST(filters)
{
	// sport = client_port
	struct filter f = {
		.op = {{INET_DIAG_BC_S_GE, 8, 20}, {.no = 0}, {INET_DIAG_BC_S_LE, 8, 12}, {.no = 0}}};

	connect_pair();
	f.op[1].no = f.op[3].no = (uint16_t)client_port;
	EXPECT(ask_filtered(&f, 4));
	EXPECT_EQ(answer_error, 0);
	EXPECT_EQ(messages(), 1);
	EXPECT(find_inet(client_port, listen_port, NULL));
	f.op[1].no = f.op[3].no = (uint16_t)listen_port;
	EXPECT(ask_filtered(&f, 4));
	EXPECT_EQ(messages(), 2); // the listener and its end of the connection
	// Not a program: a jump into an operand, an operand cut off, a code that does not exist.
	f.op[0].no = 12 - 8;
	EXPECT(ask_filtered(&f, 4));
	EXPECT_EQ(answer_error, -EINVAL);
	f = (struct filter){.op = {{INET_DIAG_BC_S_GE, 4, 8}}};
	EXPECT(ask_filtered(&f, 1));
	EXPECT_EQ(answer_error, -EINVAL);
	f = (struct filter){.op = {{200, 4, 8}}};
	EXPECT(ask_filtered(&f, 1));
	EXPECT_EQ(answer_error, -EINVAL);
}

TEST(datagrams)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int s = socket(AF_INET6, SOCK_DGRAM, 0);
	socklen_t n = sizeof a;
	struct inet_diag_msg *d;

	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a))
		SKIP("no IPv6");
	getsockname(s, (struct sockaddr *)&a, &n);
	if (!ask_inet(AF_INET6, IPPROTO_UDP, 1 << CLOSE, NULL, 0) || answer_error == -ENOENT)
		SKIP("no udp_diag"); // a module of its own on Linux
	d = find_inet(ntohs(a.sin6_port), 0, NULL);
	EXPECT(d);
	EXPECT_EQ(d->idiag_family, AF_INET6);
	EXPECT_EQ(memcmp(d->id.idiag_src, &in6addr_loopback, 16), 0);
	EXPECT_EQ(d->idiag_inode, inode(s));
	close(s);
}

TEST(unix_sockets)
{
	struct unix_diag_req q = {.sdiag_family = AF_UNIX,
				  .udiag_states = ~0u,
				  .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN};
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0diag-test"};
	int l = socket(AF_UNIX, SOCK_STREAM, 0), pair[2], left, seen = 0;

	EXPECT_EQ(bind(l, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + 10), 0);
	EXPECT_EQ(listen(l, 3), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(send(pair[1], "four", 4, 0), 4);
	if (!ask(NLM_F_DUMP, &q, sizeof q, NULL, 0) || answer_error == -ENOENT)
		SKIP("no unix_diag");
	left = (int)answer_len;
	for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
		struct unix_diag_msg *d = NLMSG_DATA(m);
		struct unix_diag_rqlen *r;
		uint32_t *peer;
		char *name;
		size_t len;

		if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			continue;
		if (d->udiag_ino == inode(l)) {
			seen |= 1;
			EXPECT_EQ(d->udiag_state, LISTEN);
			EXPECT_EQ(d->udiag_type, SOCK_STREAM);
			name = attr_of(m, sizeof *d, UNIX_DIAG_NAME, &len);
			EXPECT(name && len == 10 && !memcmp(name, a.sun_path, 10));
			r = attr_of(m, sizeof *d, UNIX_DIAG_RQLEN, &len);
			EXPECT(r && r->udiag_rqueue == 0 && r->udiag_wqueue == 3);
		}
		if (d->udiag_ino == inode(pair[0])) {
			seen |= 2;
			EXPECT_EQ(d->udiag_state, ESTABLISHED);
			peer = attr_of(m, sizeof *d, UNIX_DIAG_PEER, &len);
			EXPECT(peer && len == 4);
			EXPECT_EQ(*peer, inode(pair[1]));
			r = attr_of(m, sizeof *d, UNIX_DIAG_RQLEN, &len);
			EXPECT(r && r->udiag_rqueue == 4);
		}
	}
	EXPECT_EQ(seen, 3);
	q.udiag_ino = (uint32_t)inode(l);
	q.udiag_cookie[0] = q.udiag_cookie[1] = INET_DIAG_NOCOOKIE;
	EXPECT(ask(0, &q, sizeof q, NULL, 0));
	EXPECT_EQ(messages(), 1);
	close(l);
	close(pair[0]);
	close(pair[1]);
}

// The request from before there were families to ask, to which ss(8) falls back.
TEST(old_requests)
{
	struct inet_diag_req q = {.idiag_family = AF_INET, .idiag_states = 1 << LISTEN};

	connect_pair();
	question = TCPDIAG_GETSOCK;
	EXPECT(ask(NLM_F_DUMP, &q, sizeof q, NULL, 0));
	EXPECT_EQ(answer_error, 0);
	EXPECT(find_inet(listen_port, 0, NULL));
	EXPECT(!find_inet(listen_port, client_port, NULL));
	question = DCCPDIAG_GETSOCK;
	EXPECT(ask(NLM_F_DUMP, &q, sizeof q, NULL, 0));
	EXPECT(answer_error == -ENOENT || answer_error == -EINVAL); // the latter since Linux 6.16
	question = SOCK_DIAG_BY_FAMILY;
}

TEST(what_nobody_knows)
{
	struct sock_diag_req q = {.sdiag_family = AF_INET};

	EXPECT(ask(NLM_F_DUMP, &q, sizeof q, NULL, 0)); // too short
	EXPECT_EQ(answer_error, -EINVAL);
	EXPECT(ask_inet(AF_INET, 250, ~0u, NULL, 0));
	EXPECT_EQ(answer_error, -ENOENT);
}
