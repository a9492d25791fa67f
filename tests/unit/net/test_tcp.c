// SPDX-License-Identifier: BSD-2-Clause
/* TCP, case by case, between two simulated hosts: every way to open and close, timers, forged segments,
 * windows, path MTU. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/ip6.h"
#include "net/tcp.h"
#include "sim.h"
#include <linux/errqueue.h>

#define PORT 80
#define MS   NSEC_PER_MSEC
#define SEC  NSEC_PER_SEC
#define B_IP IP4(10, 0, 0, 2)
#define A_IP IP4(10, 0, 0, 1)

static struct sim_host *a, *b;
static struct sim_link link;
static u64 heap;

static void start_with(struct sim_link_params p)
{
	heap = host_heap_live();
	a = calloc(2, sizeof(*a));
	b = a + 1;
	sim_pair(a, b, &link, &p, 42);
}

static void start(void)
{
	start_with((struct sim_link_params){.delay_ns = 5 * MS});
}

/* Everything that was made must go away by itself. */
static void finish(void)
{
	u64 until = clock_monotonic() + 400 * SEC;

	while ((atomic_load(&a->net.tcp->sockets) || atomic_load(&b->net.tcp->sockets) ||
		a->net.tcp->tw_count || b->net.tcp->tw_count || link.in_flight) &&
	       clock_monotonic() < until)
		sim_step(SEC);
	assert_int_equal(atomic_load(&a->net.tcp->sockets), 0);
	assert_int_equal(atomic_load(&b->net.tcp->sockets), 0);
	assert_int_equal(a->net.tcp->tw_count, 0);
	assert_int_equal(b->net.tcp->tw_count, 0);
	assert_int_equal(atomic_load(&a->net.mem_used), 0);
	assert_int_equal(atomic_load(&b->net.mem_used), 0);
	sim_pair_destroy(a, b, &link);
	free(a);
	assert_int_equal(host_heap_live(), heap);
}

static struct socket *listen_at(struct sim_host *h, int backlog)
{
	struct socket *l = sim_socket(&h->net, AF_INET, SOCK_STREAM);

	sim_setopt(l, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(sim_bind(l, 0, PORT), 0);
	assert_int_equal(l->ops->listen(l, backlog), 0);
	return l;
}

static struct socket *client(void)
{
	struct socket *c = sim_socket(&a->net, AF_INET, SOCK_STREAM);

	assert_int_equal(sim_connect(c, B_IP, PORT), -EINPROGRESS);
	return c;
}

static struct socket *accept_one(struct socket *l)
{
	for (unsigned i = 0; i < 1000; i++) {
		struct socket *s = l->ops->accept(l, true);

		if (!IS_ERR(s))
			return s;
		sim_run(10 * MS);
	}
	fail_msg("nothing to accept");
	return NULL;
}

static void open_pair(struct socket **c, struct socket **s)
{
	struct socket *l = listen_at(b, 5);

	*c = client();
	*s = accept_one(l);
	assert_int_equal(sim_connect(*c, B_IP, PORT), 0);
	assert_int_equal(sim_connect(*c, B_IP, PORT), -EISCONN);
	socket_close(l);
}

static u8 state(struct socket *s)
{
	return tcp_sk(s)->state;
}

static int so_error(struct socket *s)
{
	int v, len = sizeof(v);

	assert_int_equal(socket_get_option(s, SO_ERROR, &v, &len), 0);
	return v;
}

static void test_refused(void **st)
{
	struct socket *c;

	start();
	c = client();
	sim_run(100 * MS);
	assert_int_equal(tcp_poll(c),
			 EPOLLOUT | EPOLLWRNORM | EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
	assert_int_equal(sim_connect(c, B_IP, PORT), -ECONNREFUSED);
	assert_int_equal(sim_connect(c, B_IP, PORT), -EINPROGRESS); /* the socket can be used again */
	socket_close(c);
	finish();
}

static void test_unreachable(void **st)
{
	struct socket *c;

	start();
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	assert_int_equal(sim_connect(c, IP4(9, 9, 9, 9), 1), -ENETUNREACH);
	assert_int_equal(sim_connect(c, IP4(10, 0, 0, 77), 1), -EINPROGRESS); /* nobody answers ARP */
	sim_run(5 * SEC);
	assert_int_equal(so_error(c), EHOSTUNREACH);
	socket_close(c);
	finish();
}

static void test_connect_times_out(void **st)
{
	struct socket *c, *l;
	u64 t;
	int e;

	start();
	l = listen_at(b, 5);
	c = client();
	sim_run(SEC);
	socket_close(c);
	link.down = true; /* ARP is known now */
	c = client();
	t = clock_monotonic();
	while (state(c) == TCP_STATE_SYN_SENT && clock_monotonic() < t + 1000 * SEC)
		sim_step(SEC);
	e = so_error(c);
	assert_true(e == ETIMEDOUT || e == EHOSTUNREACH);
	assert_in_range(clock_monotonic() - t, 3 * SEC, 130 * SEC);
	socket_close(c);
	link.down = false;
	socket_close(l);
	finish();
}

/* Who closes first goes through TIME-WAIT; the other does not. */
static void test_close_orders(void **st)
{
	struct socket *c, *s;
	u8 x;

	start();
	open_pair(&c, &s);
	socket_close(c);
	sim_run(50 * MS);
	assert_int_equal(state(s), TCP_STATE_CLOSE_WAIT);
	assert_int_equal(sim_recv(s, &x, 1, 0), 0);
	socket_close(s);
	sim_run(50 * MS);
	assert_int_equal(a->net.tcp->tw_count, 1);
	assert_int_equal(b->net.tcp->tw_count, 0);
	sim_run(70 * SEC);
	assert_int_equal(a->net.tcp->tw_count, 0);
	finish();
}

static void test_simultaneous_close(void **st)
{
	struct socket *c, *s;

	start();
	open_pair(&c, &s);
	c->ops->shutdown(c, SHUT_WR);
	s->ops->shutdown(s, SHUT_WR);
	sim_run(7 * MS);
	assert_int_equal(state(c), TCP_STATE_CLOSING);
	assert_int_equal(state(s), TCP_STATE_CLOSING);
	sim_run(50 * MS);
	assert_int_equal(a->net.tcp->tw_count, 1);
	assert_int_equal(b->net.tcp->tw_count, 1);
	socket_close(c);
	socket_close(s);
	finish();
}

static void test_simultaneous_open(void **st)
{
	struct socket *x, *y;
	char buf[8];

	start();
	x = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	y = sim_socket(&b->net, AF_INET, SOCK_STREAM);
	assert_int_equal(sim_bind(x, A_IP, 1000), 0);
	assert_int_equal(sim_bind(y, B_IP, 1000), 0);
	/* Learn the link addresses first: a SYN that waits for ARP would come too late. */
	assert_int_equal(sim_connect(x, B_IP, 999), -EINPROGRESS);
	sim_run(50 * MS);
	assert_int_equal(sim_connect(x, B_IP, 999), -ECONNREFUSED);
	assert_int_equal(sim_connect(x, B_IP, 1000), -EINPROGRESS);
	assert_int_equal(sim_connect(y, A_IP, 1000), -EINPROGRESS);
	sim_run(7 * MS);
	assert_int_equal(state(x), TCP_STATE_SYN_RECV);
	sim_run(100 * MS);
	assert_int_equal(state(x), TCP_STATE_ESTABLISHED);
	assert_int_equal(state(y), TCP_STATE_ESTABLISHED);
	assert_int_equal(sim_send(x, "both", 4, 0), 4);
	sim_run(100 * MS);
	assert_int_equal(sim_recv(y, buf, 8, 0), 4);
	socket_close(x);
	socket_close(y);
	finish();
}

static void test_half_close(void **st)
{
	struct socket *c, *s;
	char buf[16];

	start();
	open_pair(&c, &s);
	assert_int_equal(sim_send(c, "question", 8, 0), 8);
	c->ops->shutdown(c, SHUT_WR);
	assert_int_equal(sim_send(c, "x", 1, 0), -EPIPE);
	sim_run(50 * MS);
	assert_int_equal(sim_recv(s, buf, 16, 0), 8);
	assert_int_equal(sim_recv(s, buf, 16, 0), 0);
	assert_int_equal(state(c), TCP_STATE_FIN_WAIT2);
	sim_run(600 * SEC); /* a half-closed connection with a user lives on */
	assert_int_equal(sim_send(s, "answer", 6, 0), 6);
	sim_run(50 * MS);
	assert_int_equal(sim_recv(c, buf, 16, 0), 6);
	socket_close(s);
	sim_run(50 * MS);
	assert_int_equal(sim_recv(c, buf, 16, 0), 0);
	socket_close(c);
	finish();
}

/* A closed socket in FIN-WAIT-2 whose peer says nothing more goes after a minute. */
static void test_fin_wait2_orphan(void **st)
{
	struct socket *c, *s;

	start();
	open_pair(&c, &s);
	socket_close(c);
	sim_run(SEC);
	assert_int_equal(atomic_load(&a->net.tcp->sockets), 1);
	sim_run(65 * SEC);
	assert_int_equal(atomic_load(&a->net.tcp->sockets), 0);
	assert_int_equal(sim_send(s, "x", 1, 0), 1);
	sim_run(SEC);
	assert_int_equal(so_error(s), EPIPE);
	socket_close(s);
	finish();
}

/* With TCP_LINGER2 below zero nobody waits for the peer's FIN. */
static void test_fin_wait2_none(void **st)
{
	struct socket *c, *s;

	start();
	open_pair(&c, &s);
	assert_int_equal(sim_setopt(c, SOL_TCP, TCP_LINGER2, -1), 0);
	socket_close(c);
	sim_run(SEC);
	assert_int_equal(atomic_load(&a->net.tcp->sockets), 0);
	socket_close(s);
	finish();
}

/* A closed socket with data left does not wait for ever for a peer that answers, but never opens its window.
 */
static void test_closed_window_orphan(void **st)
{
	static u8 buf[400000];
	struct socket *c, *s;

	start();
	open_pair(&c, &s);
	while (sim_send(c, buf, sizeof(buf), 0) > 0)
		sim_run(100 * MS);
	socket_close(c);
	sim_run(600 * SEC);
	assert_int_equal(atomic_load(&a->net.tcp->sockets), 0);
	assert_int_equal(atomic_load(&a->net.mem_used), 0);
	socket_close(s);
	finish();
}

static void test_unread_data_resets(void **st)
{
	struct socket *c, *s;
	char buf[8];

	start();
	open_pair(&c, &s);
	assert_int_equal(sim_send(c, "lost", 4, 0), 4);
	sim_run(50 * MS);
	socket_close(s);
	sim_run(50 * MS);
	assert_int_equal(sim_recv(c, buf, 8, 0), -ECONNRESET);
	assert_int_equal(sim_recv(c, buf, 8, 0), 0);
	assert_int_equal(sim_send(c, "x", 1, 0), -EPIPE);
	socket_close(c);
	finish();
}

static void test_data_after_close_resets(void **st)
{
	struct socket *c, *s;

	start();
	open_pair(&c, &s);
	socket_close(s);
	sim_run(50 * MS);
	assert_int_equal(sim_send(c, "x", 1, 0), 1);
	sim_run(50 * MS);
	assert_int_equal(sim_send(c, "x", 1, 0), -EPIPE);
	socket_close(c);
	finish();
}

static void test_linger_zero_aborts(void **st)
{
	struct linger l = {1, 0};
	struct socket *c, *s;
	char buf[8];

	start();
	open_pair(&c, &s);
	socket_set_option(c, SO_LINGER, &l, sizeof(l));
	socket_close(c);
	sim_run(50 * MS);
	assert_int_equal(atomic_load(&a->net.tcp->sockets), 0);
	assert_int_equal(sim_recv(s, buf, 8, 0), -ECONNRESET);
	socket_close(s);
	finish();
}

/* The reader sleeps for ten minutes: probes keep the connection, and it goes on when the window opens. */
static void test_zero_window(void **st)
{
	static u8 buf[100000];
	struct socket *c, *s;
	u64 sent = 0, got = 0;
	ssize_t n;

	start();
	open_pair(&c, &s);
	while (clock_monotonic() < 5 * SEC) {
		n = sim_send(c, buf, sizeof(buf), 0);
		if (n > 0)
			sent += (u64)n;
		sim_run(20 * MS);
	}
	sim_run(600 * SEC);
	assert_int_equal(tcp_sk(c)->snd_wnd < tcp_sk(c)->mss, 1);
	assert_int_equal(so_error(c), 0);
	while (got < sent) {
		n = sim_recv(s, buf, sizeof(buf), 0);
		if (n > 0)
			got += (u64)n;
		else
			assert_int_equal(n, -EAGAIN);
		sim_step(20 * MS);
		assert_true(clock_monotonic() < 2000 * SEC);
	}
	socket_close(c);
	socket_close(s);
	finish();
}

static void test_retransmission_gives_up(void **st)
{
	struct socket *c, *s;
	u64 t;

	start();
	open_pair(&c, &s);
	link.down = true;
	assert_int_equal(sim_send(c, "x", 1, 0), 1);
	t = clock_monotonic();
	while (state(c) != TCP_STATE_CLOSE && clock_monotonic() < t + 3000 * SEC)
		sim_step(SEC);
	t = clock_monotonic() - t;
	assert_in_range(t, 600 * SEC, 1500 * SEC); /* tcp(7): between 13 and 30 minutes, as the RTO goes */
	{
		int e = so_error(c);

		assert_true(e == ETIMEDOUT || e == EHOSTUNREACH);
	}
	link.down = false;
	socket_close(c);
	socket_close(s);
	finish();
}

static void test_user_timeout(void **st)
{
	struct socket *c, *s;
	u64 t;

	start();
	open_pair(&c, &s);
	assert_int_equal(sim_setopt(c, SOL_TCP, TCP_USER_TIMEOUT, 7000), 0);
	link.down = true;
	assert_int_equal(sim_send(c, "x", 1, 0), 1);
	t = clock_monotonic();
	while (state(c) != TCP_STATE_CLOSE && clock_monotonic() < t + 100 * SEC)
		sim_step(100 * MS);
	assert_in_range(clock_monotonic() - t, 6 * SEC, 9 * SEC);
	link.down = false;
	socket_close(c);
	socket_close(s);
	finish();
}

static void test_keepalive(void **st)
{
	struct socket *c, *s;
	u64 t, frames;

	start();
	open_pair(&c, &s);
	sim_setopt(c, SOL_TCP, TCP_KEEPIDLE, 10);
	sim_setopt(c, SOL_TCP, TCP_KEEPINTVL, 2);
	sim_setopt(c, SOL_TCP, TCP_KEEPCNT, 3);
	sim_setopt(c, SOL_SOCKET, SO_KEEPALIVE, 1);
	frames = link.frames;
	sim_run(100 * SEC);
	assert_in_range(link.frames - frames, 16, 40); /* about ten probes and answers, some ARP */
	assert_int_equal(so_error(c), 0);
	link.down = true;
	t = clock_monotonic();
	while (state(c) != TCP_STATE_CLOSE && clock_monotonic() < t + 100 * SEC)
		sim_step(100 * MS);
	assert_in_range(clock_monotonic() - t, 5 * SEC, 19 * SEC);
	link.down = false;
	socket_close(c);
	socket_close(s);
	finish();
}

/* A frame from b's host to a's, forged from the outside: SRC and so on are b's. */
static void forge(u32 src, u32 dst, u16 sport, u16 dport, u32 seq, u32 ack, u8 flags, const char *data)
{
	u32 n = data ? (u32)strlen(data) : 0;
	struct packet *p = packet_alloc(66, 54 + n);
	u8 *f = packet_put(p, 54 + n);
	struct net_addr s4 = addr_v4(src), d4 = addr_v4(dst);
	struct iphdr *ip = (struct iphdr *)(f + 14);
	struct tcphdr *th = (struct tcphdr *)(f + 34);
	struct sim_host *to = dst == A_IP ? a : b;

	memset(f, 0, 54);
	memcpy(f, to->dev.mac, 6);
	f[12] = 8;
	*ip = (struct iphdr){.version = 4,
			     .ihl = 5,
			     .ttl = 64,
			     .protocol = 6,
			     .saddr = src,
			     .daddr = dst,
			     .tot_len = be16((u16)(40 + n))};
	ip->check = ip_checksum(ip, 20);
	th->source = be16(sport);
	th->dest = be16(dport);
	th->seq = be32(seq);
	th->ack_seq = be32(ack);
	th->doff = 5;
	f[47] = flags;
	th->window = be16(1000);
	if (n)
		memcpy(f + 54, data, n);
	th->check = csum_fold(csum_partial(f + 34, 20 + n, csum_pseudo(&s4, &d4, 20 + n, 6)));
	net_enter();
	netdev_receive(&to->dev, p);
	net_leave();
}

static void test_forged_segments(void **st)
{
	struct socket *c, *s;
	struct tcp_sock *tc;
	char buf[8];
	u16 port;

	start();
	open_pair(&c, &s);
	tc = tcp_sk(c);
	port = tc->inet.lport;
	/* RFC 5961: a reset must hit the very next byte; in the window it only draws a challenge. */
	forge(B_IP, A_IP, PORT, port, tc->rcv_nxt + 100, 0, 4, NULL);
	assert_int_equal(state(c), TCP_STATE_ESTABLISHED);
	forge(B_IP, A_IP, PORT, port, tc->rcv_nxt - 1, 0, 4, NULL);
	assert_int_equal(state(c), TCP_STATE_ESTABLISHED);
	forge(B_IP, A_IP, PORT, port, tc->rcv_nxt + 5, 0, 2, NULL); /* SYN */
	assert_int_equal(state(c), TCP_STATE_ESTABLISHED);
	/* Data that acknowledges what was never sent, or long ago. */
	forge(B_IP, A_IP, PORT, port, tc->rcv_nxt, tc->snd_nxt + 1000, 16, "evil");
	assert_int_equal(sim_recv(c, buf, 8, 0), -EAGAIN);
	forge(B_IP, A_IP, PORT, port, tc->rcv_nxt, tc->snd_una - tc->max_wnd - 1, 16, "evil");
	assert_int_equal(sim_recv(c, buf, 8, 0), -EAGAIN);
	/* A FIN beyond the window. */
	forge(B_IP, A_IP, PORT, port, tc->rcv_nxt + 10000000, tc->snd_nxt, 17, NULL);
	assert_int_equal(state(c), TCP_STATE_ESTABLISHED);
	assert_int_equal(atomic_load(&a->net.mib[MIB_EXT_CHALLENGE_ACK]), 1); /* one in half a second */
	sim_run(SEC);
	/* The exact number does reset. */
	forge(B_IP, A_IP, PORT, port, tc->rcv_nxt, 0, 4, NULL);
	assert_int_equal(state(c), TCP_STATE_CLOSE);
	socket_close(c);
	socket_close(s);
	finish();
}

/* More SYNs than the queue holds: cookies let an honest client in. */
static void test_syn_cookies(void **st)
{
	struct socket *l, *c, *s;
	char buf[8];

	start();
	l = listen_at(b, 5);
	for (unsigned i = 0; i < 200; i++)
		forge(IP4(10, 0, 0, 50 + i % 100), B_IP, (u16)(1000 + i), PORT, i * 1000, 0, 2, NULL);
	assert_true(atomic_load(&b->net.mib[MIB_EXT_SYNCOOKIES_SENT]) > 0);
	c = client();
	s = accept_one(l);
	assert_int_equal(atomic_load(&b->net.mib[MIB_EXT_SYNCOOKIES_RECV]), 1);
	sim_run(50 * MS);
	assert_int_equal(sim_connect(c, B_IP, PORT), 0);
	assert_int_equal(sim_send(c, "hello", 5, 0), 5);
	sim_run(50 * MS);
	assert_int_equal(sim_recv(s, buf, 8, 0), 5);
	socket_close(c);
	socket_close(s);
	socket_close(l);
	finish();
}

/* A hundred thousand half-open connections from everywhere cost no more than the SYN queue, and an honest
 * client still gets a connection with all its options. */
static void test_syn_flood(void **st)
{
	struct socket *l, *c, *s;
	static u8 buf[300000];
	u64 sent = 0, got = 0, live;
	u32 queue;

	start();
	l = listen_at(b, 128);
	forge(IP4(10, 0, 0, 50), B_IP, 999, PORT, 1, 0, 2, NULL);
	live = host_heap_live();
	for (u32 i = 0; i < 100000; i++) {
		forge(IP4(10, 0, 0, 50 + i % 200), B_IP, (u16)(1000 + i / 200), PORT, i * 77777, 0, 2, NULL);
		if (i % 1000 == 0)
			sim_run(MS);
	}
	queue = tcp_sk(l)->listen->syn_count;
	assert_in_range(queue, 64, 128);
	/* The children, 200 neighbours, and the packets that wait for those. */
	assert_in_range(host_heap_live() - live, 200, 128 + 200 + 1024 + 200);
	c = client();
	s = accept_one(l);
	assert_true(atomic_load(&b->net.mib[MIB_EXT_SYNCOOKIES_RECV]) > 0);
	sim_run(50 * MS);
	assert_int_equal(sim_connect(c, B_IP, PORT), 0);
	assert_true(tcp_sk(s)->ts_ok && tcp_sk(s)->sack_ok && tcp_sk(s)->wscale_ok);
	assert_int_equal(tcp_sk(s)->snd_wscale, tcp_sk(c)->rcv_wscale);
	assert_int_equal(tcp_sk(s)->rcv_wscale, tcp_sk(c)->snd_wscale);
	assert_int_equal(tcp_sk(c)->mss, 1460 - 12);
	assert_int_equal(tcp_sk(s)->mss, 1460 - 12);
	while (got < sizeof(buf)) {
		ssize_t n = sent < sizeof(buf) ? sim_send(c, buf, sizeof(buf) - sent, 0) : 0;

		sent += n > 0 ? (u64)n : 0;
		n = sim_recv(s, buf, sizeof(buf), 0);
		got += n > 0 ? (u64)n : 0;
		sim_step(5 * MS);
		assert_true(clock_monotonic() < 60 * SEC);
	}
	socket_close(c);
	socket_close(s);
	socket_close(l);
	finish();
}

/* MSG_FASTOPEN connects and sends; without a cookie it is a usual handshake. */
static void test_fastopen(void **st)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = be16(PORT), .sin_addr.s_addr = B_IP};
	struct socket *l, *c, *s;
	struct iter it;
	struct net_msg m = {
		.iter = &it, .flags = MSG_FASTOPEN | MSG_DONTWAIT, .name = &to, .namelen = sizeof(to)};
	char buf[8];

	start();
	l = listen_at(b, 5);
	assert_int_equal(sim_setopt(l, SOL_TCP, TCP_FASTOPEN, 16), 0);
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	assert_int_equal(sim_setopt(c, SOL_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	assert_int_equal(sim_setopt(c, SOL_TCP, TCP_FASTOPEN_CONNECT, 2), -EINVAL);
	iter_init_kernel(&it, (void *)"hello", 5);
	assert_int_equal(c->ops->sendmsg(c, &m), -EINPROGRESS);
	assert_int_equal(c->ops->sendmsg(c, &m), -EALREADY);
	s = accept_one(l);
	sim_run(50 * MS);
	assert_int_equal(sim_send(c, "hello", 5, 0), 5);
	sim_run(50 * MS);
	assert_int_equal(sim_recv(s, buf, 8, 0), 5);
	assert_int_equal(sim_setopt(s, SOL_TCP, TCP_FASTOPEN, 1), -EINVAL);
	socket_close(c);
	socket_close(s);
	socket_close(l);
	finish();
}

static ssize_t fastopen(struct socket *s, const char *data)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = be16(PORT), .sin_addr.s_addr = B_IP};
	struct iter it;
	struct net_msg m = {
		.iter = &it, .flags = MSG_FASTOPEN | MSG_DONTWAIT, .name = &to, .namelen = sizeof(to)};

	iter_init_kernel(&it, (void *)data, strlen(data));
	return s->ops->sendmsg(s, &m);
}

/* A listener for Fast Open, whose cookie the client has. */
static struct socket *fastopen_listener(int limit)
{
	struct socket *l, *c, *s;

	a->net.tcp_conf.fastopen = b->net.tcp_conf.fastopen = TCP_FO_CLIENT | TCP_FO_SERVER;
	l = listen_at(b, 5);
	assert_int_equal(sim_setopt(l, SOL_TCP, TCP_FASTOPEN, limit), 0);
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	assert_int_equal(fastopen(c, "x"), -EINPROGRESS);
	s = accept_one(l);
	sim_run(50 * MS);
	assert_int_equal(tcp_sk(l)->listen->fo_pending, 0);
	socket_close(c);
	socket_close(s);
	return l;
}

static void test_fastopen_data(void **st)
{
	struct socket *l, *c, *s;
	char buf[16];

	start();
	l = fastopen_listener(2);
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	assert_int_equal(fastopen(c, "hello"), 5);
	sim_run(6 * MS); /* one way */
	s = l->ops->accept(l, true);
	assert_false(IS_ERR(s));
	assert_int_equal(state(s), TCP_STATE_SYN_RECV);
	assert_int_equal(tcp_sk(l)->listen->fo_pending, 1);
	assert_int_equal(tcp_poll(s), EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM);
	assert_int_equal(sim_recv(s, buf, 16, 0), 5);
	assert_int_equal(sim_send(s, "early", 5, 0), 5);
	sim_run(6 * MS);
	assert_int_equal(state(c), TCP_STATE_ESTABLISHED);
	assert_int_equal(sim_recv(c, buf, 16, 0), 5);
	sim_run(6 * MS);
	assert_int_equal(state(s), TCP_STATE_ESTABLISHED);
	assert_int_equal(tcp_sk(l)->listen->fo_pending, 0);
	assert_int_equal(sim_send(c, "more", 4, 0), 4);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(s, buf, 16, 0), 4);
	socket_close(c);
	socket_close(s);
	socket_close(l);
	finish();
}

/* The server's user is gone before the handshake is complete, and its SYN-ACK is lost; or the SYN is. */
static void test_fastopen_losses(void **st)
{
	struct socket *l, *c, *s;
	char buf[16];

	start();
	l = fastopen_listener(2);
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	assert_int_equal(fastopen(c, "hello"), 5);
	sim_run(6 * MS);
	link.down = true;
	s = accept_one(l);
	assert_int_equal(sim_recv(s, buf, 16, 0), 5);
	assert_int_equal(sim_send(s, "answer", 6, 0), 6);
	socket_close(s);
	sim_run(20 * MS);
	link.down = false;
	assert_int_equal(state(c), TCP_STATE_SYN_SENT);
	sim_run(5 * SEC);
	assert_int_equal(sim_recv(c, buf, 16, 0), 6);
	assert_int_equal(sim_recv(c, buf, 16, 0), 0);
	socket_close(c);
	assert_int_equal(tcp_sk(l)->listen->fo_pending, 0);
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	link.down = true;
	assert_int_equal(fastopen(c, "again"), 5);
	sim_run(20 * MS);
	link.down = false;
	s = accept_one(l); /* after a SYN without data */
	sim_run(100 * MS);
	assert_int_equal(sim_recv(s, buf, 16, 0), 5);
	socket_close(c);
	socket_close(s);
	socket_close(l);
	finish();
}

/* Beyond the limit connections open as usual; forged ones that were reset count, too. */
static void test_fastopen_limit(void **st)
{
	struct socket *l, *c[3], *s[3];
	char buf[16];

	start();
	l = fastopen_listener(1);
	for (unsigned i = 0; i < 3; i++) {
		c[i] = sim_socket(&a->net, AF_INET, SOCK_STREAM);
		assert_int_equal(fastopen(c[i], "hello"), 5);
		if (i == 1) /* the first is reset, as by somebody whose address was forged */
			forge(A_IP, B_IP, tcp_sk(c[0])->inet.lport, PORT, tcp_sk(c[0])->iss + 6, 0, 4, NULL);
		sim_run(6 * MS);
		assert_true(tcp_sk(l)->listen->fo_pending + tcp_sk(l)->listen->fo_resets <= 1);
	}
	for (unsigned i = 0; i < 3; i++) {
		s[i] = accept_one(l);
		sim_run(100 * MS);
		if (i)
			assert_int_equal(sim_recv(s[i], buf, 16, 0), 5);
		socket_close(s[i]);
		socket_close(c[i]);
	}
	socket_close(l);
	finish();
}

/* A connection that does nothing keeps its sockets, one of them for each end, and nothing else. */
static void test_idle_memory(void **st)
{
	struct socket *c[50], *s[50], *l;
	u64 before;

	start();
	l = listen_at(b, 64);
	c[0] = client();
	s[0] = accept_one(l);
	before = host_heap_live();
	for (unsigned i = 1; i < 50; i++) {
		c[i] = client();
		s[i] = accept_one(l);
		assert_int_equal(sim_send(c[i], "ping", 4, 0), 4);
		sim_run(20 * MS);
		assert_int_equal(sim_recv(s[i], (char[8]){}, 8, 0), 4);
	}
	sim_run(SEC);
	assert_int_equal(host_heap_live() - before, 2 * 49);
	assert_int_equal(atomic_load(&a->net.mem_used) + atomic_load(&b->net.mem_used), 0);
	printf("an idle connection: %zu bytes, with its open file %zu\n", sizeof(struct tcp_sock),
	       sizeof(struct tcp_sock) + sizeof(struct file));
	assert_in_range(sizeof(struct tcp_sock) + sizeof(struct file), 1, 1536);
	for (unsigned i = 0; i < 50; i++) {
		socket_close(c[i]);
		socket_close(s[i]);
	}
	socket_close(l);
	finish();
}

/* MSG_ZEROCOPY sends are numbered, and their completions come back as ranges: the bytes were copied. */
static void test_zerocopy(void **st)
{
	struct socket *c, *s;
	struct sock_extended_err ee;
	u8 control[128];
	char buf[32];
	struct iter it;
	struct net_msg m = {.iter = &it,
			    .flags = MSG_ERRQUEUE,
			    .cbuf = control,
			    .cbuf_size = sizeof(control),
			    .want_control = true};

	start();
	open_pair(&c, &s);
	assert_int_equal(sim_send(c, "x", 1, MSG_ZEROCOPY), 1); /* not asked for: nothing to report */
	assert_false(tcp_poll(c) & EPOLLERR);
	assert_int_equal(sim_setopt(c, SOL_SOCKET, SO_ZEROCOPY, 2), -EINVAL);
	assert_int_equal(sim_setopt(c, SOL_SOCKET, SO_ZEROCOPY, 1), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sim_send(c, "abc", 3, MSG_ZEROCOPY), 3);
	assert_true(tcp_poll(c) & EPOLLERR);
	iter_init_kernel(&it, buf, sizeof(buf));
	assert_int_equal(c->ops->recvmsg(c, &m), 0);
	assert_true(m.out_flags & MSG_ERRQUEUE);
	memcpy(&ee, control + sizeof(struct cmsghdr), sizeof(ee));
	assert_int_equal(ee.ee_errno, 0);
	assert_int_equal(ee.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	assert_int_equal(ee.ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
	assert_int_equal(ee.ee_info, 0);
	assert_int_equal(ee.ee_data, 2);
	assert_int_equal(c->ops->recvmsg(c, &m), -EAGAIN);
	assert_false(tcp_poll(c) & EPOLLERR);
	sim_run(100 * MS);
	assert_int_equal(sim_recv(s, buf, sizeof(buf), 0), 10);
	socket_close(c);
	socket_close(s);
	finish();
}

static void test_accept_queue_overflow(void **st)
{
	struct socket *l, *c[4];

	start();
	l = listen_at(b, 1);
	for (unsigned i = 0; i < 4; i++)
		c[i] = client();
	sim_run(200 * MS);
	assert_int_equal(tcp_sk(l)->listen->accept_count, 2); /* backlog plus one, as everybody */
	for (unsigned i = 0; i < 4; i++)
		socket_close(accept_one(l)); /* the others come in as there is room */
	for (unsigned i = 0; i < 4; i++)
		socket_close(c[i]);
	socket_close(l);
	finish();
}

static void test_time_wait_reuse(void **st)
{
	struct socket *l, *c, *s;

	start();
	l = listen_at(b, 5);
	for (unsigned i = 0; i < 3; i++) {
		c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
		sim_setopt(c, SOL_SOCKET, SO_REUSEADDR, 1);
		assert_int_equal(sim_bind(c, A_IP, 5555), 0);
		assert_int_equal(sim_connect(c, B_IP, PORT), -EINPROGRESS);
		s = accept_one(l);
		/* The server closes first: TIME-WAIT is on its side, and the client's new SYN takes it over.
		 */
		socket_close(s);
		sim_run(50 * MS);
		socket_close(c);
		sim_run(2 * SEC);
		assert_int_equal(b->net.tcp->tw_count, 1);
	}
	/* And the other way round: our own TIME-WAIT, reused by connect() after a second. */
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	assert_int_equal(sim_bind(c, A_IP, 6666), 0);
	assert_int_equal(sim_connect(c, B_IP, PORT), -EINPROGRESS);
	s = accept_one(l);
	socket_close(c);
	sim_run(50 * MS);
	socket_close(s);
	sim_run(3 * SEC);
	assert_int_equal(a->net.tcp->tw_count, 1);
	c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	sim_setopt(c, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(sim_bind(c, A_IP, 6666), 0);
	assert_int_equal(sim_connect(c, B_IP, PORT), -EINPROGRESS);
	s = accept_one(l);
	socket_close(c);
	socket_close(s);
	socket_close(l);
	finish();
}

/* A router in between whose next link takes 1000 bytes: it says so, and the sender obeys. */
static bool narrow(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	unsigned *told = arg;

	if (side != 0 || len <= 1014 || f[23] != 6)
		return true;
	if (f[20] & 0x40) {
		struct packet *p = packet_alloc(66, 14 + 20 + 8 + 28);
		u8 *o = packet_put(p, 70);
		struct iphdr *ip = (struct iphdr *)(o + 14);

		memset(o, 0, 70);
		memcpy(o, a->dev.mac, 6);
		o[12] = 8;
		*ip = (struct iphdr){.version = 4,
				     .ihl = 5,
				     .ttl = 64,
				     .protocol = 1,
				     .saddr = IP4(10, 0, 0, 9),
				     .daddr = A_IP,
				     .tot_len = be16(56)};
		ip->check = ip_checksum(ip, 20);
		o[34] = 3;
		o[35] = 4;
		o[40] = 1000 >> 8;
		o[41] = 1000 & 0xff;
		memcpy(o + 42, f + 14, 28);
		{
			u16 sum = ip_checksum(o + 34, 36);

			memcpy(o + 36, &sum, 2);
		}
		++*told;
		netdev_receive(&a->dev, p);
	}
	return false;
}

static void test_path_mtu(void **st)
{
	static u8 buf[200000];
	struct socket *c, *s;
	u64 sent = 0, got = 0;
	unsigned told = 0;

	start();
	open_pair(&c, &s);
	link.filter = narrow;
	link.filter_arg = &told;
	while (got < sizeof(buf)) {
		ssize_t n = sent < sizeof(buf) ? sim_send(c, buf + sent, sizeof(buf) - sent, 0) : 0;

		if (n > 0)
			sent += (u64)n;
		n = sim_recv(s, buf, sizeof(buf), 0);
		if (n > 0)
			got += (u64)n;
		sim_step(20 * MS);
		assert_true(clock_monotonic() < 60 * SEC);
	}
	assert_true(told > 0);
	assert_in_range(tcp_sk(c)->mss, 900, 960);
	socket_close(c);
	socket_close(s);
	finish();
}

/* The path swallows what is longer than 1000 bytes, and nobody says so. */
static void test_path_mtu_black_hole(void **st)
{
	static u8 buf[200000];
	struct socket *c, *s;
	u64 sent = 0, got = 0;

	start();
	open_pair(&c, &s);
	link.path_mtu = 1000;
	link.blackhole = true;
	while (got < sizeof(buf)) {
		ssize_t n = sent < sizeof(buf) ? sim_send(c, buf + sent, sizeof(buf) - sent, 0) : 0;

		if (n > 0)
			sent += (u64)n;
		n = sim_recv(s, buf, sizeof(buf), 0);
		if (n > 0)
			got += (u64)n;
		sim_step(20 * MS);
		assert_true(clock_monotonic() < 60 * SEC);
	}
	assert_in_range(tcp_sk(c)->mss, 500, 536);
	/* Ten minutes later it tries full segments again, which pass now. */
	link.path_mtu = 0;
	sim_run(601 * SEC);
	assert_int_equal(sim_send(c, buf, 5000, 0), 5000);
	sim_run(SEC);
	assert_in_range(tcp_sk(c)->mss, 1400, 1460);
	assert_int_equal(sim_recv(s, buf, 5000, 0), 5000);
	/* An outage is no black hole: full segments pass after it. */
	link.down = true;
	assert_int_equal(sim_send(c, buf, 5000, 0), 5000);
	sim_run(10 * SEC);
	link.down = false;
	sim_run(20 * SEC);
	assert_int_equal(sim_recv(s, buf, 5000, 0), 5000);
	assert_in_range(tcp_sk(c)->mss, 1400, 1460);
	socket_close(c);
	socket_close(s);
	finish();
}

/* Timestamps never pass: their place in a SYN is filled with NOPs. */
static bool no_timestamps(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	u8 *t = f + 34;

	if (f[12] != 8 || f[13] || f[23] != 6 || !(t[13] & 2))
		return true;
	for (u32 i = 20; i + 10 <= (t[12] >> 4) * 4u; i += t[i] == 1 ? 1 : t[i + 1])
		if (t[i] == 8) {
			memset(t + i, 1, 10);
			sim_fix_tcp_checksum(f, len);
			break;
		}
	return true;
}

/* The path holds everything up for longer than the timeout, and loses nothing: F-RTO sees it, and takes the
 * reduction back. */
static void test_spurious_timeout(void **st)
{
	for (unsigned ts = 0; ts < 2; ts++) {
		static u8 buf[400000];
		struct socket *c, *s;
		u64 sent = 0, got = 0;
		u32 cwnd = 0;

		start_with((struct sim_link_params){.delay_ns = 20 * MS});
		link.filter = ts ? NULL : no_timestamps;
		open_pair(&c, &s);
		assert_int_equal(tcp_sk(c)->ts_ok, ts);
		while (got < sizeof(buf)) {
			ssize_t n = sent < sizeof(buf) ? sim_send(c, buf + sent, sizeof(buf) - sent, 0) : 0;

			if (n > 0)
				sent += (u64)n;
			n = sim_recv(s, buf, sizeof(buf), 0);
			if (n > 0)
				got += (u64)n;
			if (!cwnd && got > 100000) { /* and it stays so: nothing overtakes */
				cwnd = tcp_sk(c)->cwnd;
				link.p.delay_ns = 700 * MS;
			}
			sim_step(5 * MS);
			assert_true(clock_monotonic() < 60 * SEC);
		}
		assert_in_range(atomic_load(&a->net.mib[MIB_EXT_TIMEOUTS]), 1, 3); /* it took 1.4 s */
		assert_int_equal(atomic_load(&a->net.mib[MIB_EXT_SPURIOUS_RTOS]), 1);
		assert_in_range(tcp_sk(c)->total_retrans, 1, 8);
		assert_true(tcp_sk(c)->cwnd >= cwnd);
		socket_close(c);
		socket_close(s);
		finish();
	}
}

/* After a silence the window begins again from the initial one, but remembers where it was. */
static void test_idle_restart(void **st)
{
	static u8 buf[400000];
	struct socket *c, *s;
	u64 got = 0;
	u32 cwnd;

	start();
	open_pair(&c, &s);
	for (u64 sent = 0; got < sizeof(buf);) {
		ssize_t n = sent < sizeof(buf) ? sim_send(c, buf + sent, sizeof(buf) - sent, 0) : 0;

		sent += n > 0 ? (u64)n : 0;
		n = sim_recv(s, buf, sizeof(buf), 0);
		got += n > 0 ? (u64)n : 0;
		sim_step(5 * MS);
	}
	cwnd = tcp_sk(c)->cwnd;
	assert_true(cwnd > 20u * tcp_sk(c)->mss);
	sim_run(60 * SEC);
	assert_int_equal(sim_send(c, buf, 100, 0), 100);
	assert_int_equal(tcp_sk(c)->cwnd, TCP_INIT_CWND * tcp_sk(c)->mss);
	assert_true(tcp_sk(c)->ssthresh >= cwnd / 4 * 3);
	socket_close(c);
	sim_run(SEC);
	socket_close(s);
	finish();
}

/* A half-closed connection with keepalive notices that its peer is gone. */
static void test_keepalive_half_closed(void **st)
{
	struct socket *c, *s;
	u64 t;

	start();
	open_pair(&c, &s);
	sim_setopt(c, SOL_TCP, TCP_KEEPIDLE, 10);
	sim_setopt(c, SOL_TCP, TCP_KEEPINTVL, 2);
	sim_setopt(c, SOL_TCP, TCP_KEEPCNT, 3);
	assert_int_equal(c->ops->shutdown(c, SHUT_WR), 0);
	sim_run(SEC);
	assert_int_equal(state(c), TCP_STATE_FIN_WAIT2);
	sim_setopt(c, SOL_SOCKET, SO_KEEPALIVE, 1);
	link.down = true;
	t = clock_monotonic();
	while (state(c) != TCP_STATE_CLOSE && clock_monotonic() < t + 100 * SEC)
		sim_step(100 * MS);
	assert_in_range(clock_monotonic() - t, 5 * SEC, 20 * SEC);
	link.down = false;
	socket_close(c);
	socket_close(s);
	finish();
}

static void test_urgent(void **st)
{
	struct socket *c, *s;
	char buf[16] = "";

	start();
	open_pair(&c, &s);
	assert_int_equal(sim_send(c, "ab", 2, 0), 2);
	assert_int_equal(sim_send(c, "!", 1, MSG_OOB), 1);
	assert_int_equal(sim_send(c, "cd", 2, 0), 2);
	sim_run(100 * MS);
	assert_true(tcp_poll(s) & EPOLLPRI);
	assert_int_equal(sim_recv(s, buf, 16, 0), 2); /* stops at the mark */
	assert_int_equal(sim_recv(s, buf, 16, MSG_OOB), 1);
	assert_int_equal(buf[0], '!');
	assert_int_equal(sim_recv(s, buf, 16, 0), 2);
	assert_memory_equal(buf, "cd", 2);
	socket_close(c);
	socket_close(s);
	finish();
}

/* Many small writes become few segments when Nagle may, and one each when it may not. */
static void test_nagle(void **st)
{
	struct socket *c, *s;
	char buf[200];
	u64 frames;

	start();
	open_pair(&c, &s);
	sim_run(SEC);
	frames = link.frames;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(sim_send(c, "x", 1, 0), 1);
	sim_run(SEC);
	assert_int_equal(sim_recv(s, buf, 200, 0), 100);
	assert_in_range(link.frames - frames, 2, 12);
	sim_setopt(c, SOL_TCP, TCP_NODELAY, 1);
	frames = link.frames;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(sim_send(c, "x", 1, 0), 1);
	assert_int_equal(link.frames - frames, 10);
	sim_run(SEC);
	/* A cork holds all until it is drawn, or 200 ms. */
	sim_setopt(c, SOL_TCP, TCP_CORK, 1);
	frames = link.frames;
	assert_int_equal(sim_send(c, "head", 4, 0), 4);
	assert_int_equal(link.frames - frames, 0);
	sim_run(300 * MS);
	assert_true(link.frames - frames > 0);
	sim_recv(s, buf, 200, 0);
	sim_setopt(c, SOL_TCP, TCP_CORK, 0);
	socket_close(c);
	socket_close(s);
	finish();
}

/* Full-sized transfer over a long fat pipe: window scaling, congestion window and buffers must open up. */
static void test_long_fat_pipe(void **st)
{
	static u8 buf[256 << 10];
	struct socket *c, *s;
	u64 total = 40 << 20, sent = 0, got = 0, t;

	start_with((struct sim_link_params){.delay_ns = 25 * MS,
					    .bits_per_second = 200000000,
					    .queue = 2000,
					    .features = NETDEV_CSUM | NETDEV_SG});
	open_pair(&c, &s);
	t = clock_monotonic();
	while (got < total) {
		ssize_t n = sent < total ? sim_send(c, buf, min(sizeof(buf), total - sent), 0) : 0;

		if (n > 0)
			sent += (u64)n;
		n = sim_recv(s, buf, sizeof(buf), 0);
		if (n > 0)
			got += (u64)n;
		sim_step(5 * MS);
		assert_true(clock_monotonic() < 300 * SEC);
	}
	t = clock_monotonic() - t;
	/* 40 MiB at 200 Mbit/s take 1.7 s; slow start and the receive buffer's growth may cost as much again.
	 */
	assert_true(t < 8 * SEC);
	socket_close(c);
	socket_close(s);
	finish();
}

static struct sockaddr_in6 in6(const struct net_addr *addr, u16 port, u32 scope)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = be16(port), .sin6_scope_id = scope};

	memcpy(&sa.sin6_addr, addr, 16);
	return sa;
}

static void test_ipv6(void **st)
{
	struct socket *l, *c, *s;
	struct sockaddr_in6 sa;
	struct net_addr any = {}, target = {};
	char buf[8];

	start();
	assert_int_equal(ip6_stack_init(&a->net), 0);
	assert_int_equal(ip6_stack_init(&b->net), 0);
	sim_run(2 * SEC); /* duplicate detection */
	for (const struct if_addr *i = net_if(&b->dev)->addrs; i; i = i->next)
		if (addr_is_link_local(&i->addr))
			target = i->addr;
	assert_true(addr_is_link_local(&target));
	l = sim_socket(&b->net, AF_INET6, SOCK_STREAM);
	sa = in6(&any, PORT, 0);
	assert_int_equal(l->ops->bind(l, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(l->ops->listen(l, 5), 0);
	c = sim_socket(&a->net, AF_INET6, SOCK_STREAM);
	sa = in6(&target, PORT, a->dev.index);
	assert_int_equal(c->ops->connect(c, (struct sockaddr *)&sa, sizeof(sa), true), -EINPROGRESS);
	s = accept_one(l);
	sim_run(50 * MS);
	assert_int_equal(sim_send(c, "six", 3, 0), 3);
	sim_run(50 * MS);
	assert_int_equal(sim_recv(s, buf, 8, 0), 3);
	socket_close(c);
	socket_close(s);
	/* The same listener takes IPv4, shown as v4-mapped. */
	c = client();
	s = accept_one(l);
	assert_int_equal(s->ops->getname(s, (struct sockaddr *)&sa, true), sizeof(sa));
	memcpy(&target, &sa.sin6_addr, 16);
	assert_true(addr_is_v4(&target) && target.w[3] == A_IP);
	socket_close(c);
	socket_close(s);
	socket_close(l);
	sim_run(70 * SEC);
	finish();
}

/* Whenever the Nth allocation and all after it fail: errors or waiting, never a leak or a crash. */
static void test_no_memory(void **st)
{
	for (u64 n = 0; n < 60; n++) {
		struct socket *l, *c, *s;
		char buf[64];

		start();
		l = listen_at(b, 5);
		host_alloc_fail_after(n);
		c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
		if (!IS_ERR(c)) {
			sim_connect(c, B_IP, PORT);
			sim_run(2 * SEC);
			sim_send(c, "data", 4, 0);
			sim_run(2 * SEC);
		}
		s = l->ops->accept(l, true);
		if (!IS_ERR(s)) {
			sim_recv(s, buf, 64, 0);
			sim_send(s, "data", 4, 0);
			sim_run(SEC);
		}
		host_alloc_fail_never();
		sim_run(10 * SEC);
		if (!IS_ERR(c))
			socket_close(c);
		if (!IS_ERR(s))
			socket_close(s);
		socket_close(l);
		finish();
	}
}

UNIT_TESTS(test_refused, test_unreachable, test_connect_times_out, test_close_orders, test_simultaneous_close,
	   test_simultaneous_open, test_half_close, test_fin_wait2_orphan, test_fin_wait2_none,
	   test_closed_window_orphan, test_unread_data_resets, test_data_after_close_resets,
	   test_linger_zero_aborts, test_zero_window, test_retransmission_gives_up, test_user_timeout,
	   test_keepalive, test_forged_segments, test_syn_cookies, test_syn_flood, test_fastopen,
	   test_fastopen_data, test_fastopen_losses, test_fastopen_limit, test_idle_memory, test_zerocopy,
	   test_accept_queue_overflow, test_time_wait_reuse, test_path_mtu, test_path_mtu_black_hole,
	   test_spurious_timeout, test_idle_restart, test_keepalive_half_closed, test_urgent, test_nagle,
	   test_long_fat_pipe, test_ipv6, test_no_memory)
