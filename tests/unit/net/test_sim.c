// SPDX-License-Identifier: BSD-2-Clause
/* Two stacks joined by a bad network: every byte arrives exactly once and in order, both ways, for many
 * seeds; nothing stays behind. SIM_SEEDS=N and SIM_FIRST=K in the environment choose the seeds (default 200
 * from 1). */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "unit.h"

#include "base/err.h"
#include "kernel/clock.h"
#include "net/tcp.h"
#include "sim.h"

#define PORT 8080

static unsigned seeds(void)
{
	const char *e = getenv("SIM_SEEDS");

	return e ? (unsigned)atoi(e) : 200;
}

/* One direction of a connection: byte K of it is pattern(seed, K). */
struct flow {
	u64 seed, total, sent, received;
	bool eof, shut;
};

struct peer {
	struct socket *s;
	struct flow *out, *in;
	bool closed;
};

static u8 pattern(u64 seed, u64 k)
{
	return (u8)((k * 2654435761u + seed * 40503u) >> 7 ^ k >> 13);
}

static void write_some(struct peer *p, struct sim_rng *r)
{
	u8 buf[20000];
	size_t n =
		min(sim_range(r, 1, sim_chance(r, 3000) ? 200 : sizeof(buf)), p->out->total - p->out->sent);
	ssize_t k;

	if (!n) {
		if (!p->out->shut) {
			assert_int_equal(p->s->ops->shutdown(p->s, SHUT_WR), 0);
			p->out->shut = true;
		}
		return;
	}
	for (size_t i = 0; i < n; i++)
		buf[i] = pattern(p->out->seed, p->out->sent + i);
	k = sim_send(p->s, buf, n, sim_chance(r, 500) ? MSG_MORE : 0);
	if (k == -EAGAIN)
		return;
	if (k < 0)
		fail_msg("send: %zd after %llu of %llu bytes", k, (unsigned long long)p->out->sent,
			 (unsigned long long)p->out->total);
	p->out->sent += (u64)k;
}

static void read_some(struct peer *p, struct sim_rng *r)
{
	u8 buf[30000];
	ssize_t k = sim_recv(p->s, buf, sim_range(r, 1, sizeof(buf)), 0);

	if (k == -EAGAIN)
		return;
	if (k < 0)
		fail_msg("recv: %zd after %llu bytes", k, (unsigned long long)p->in->received);
	if (k == 0) {
		p->in->eof = true;
		assert_int_equal(p->in->received, p->in->total);
		return;
	}
	for (ssize_t i = 0; i < k; i++)
		if (buf[i] != pattern(p->in->seed, p->in->received + (u64)i))
			fail_msg("byte %llu is wrong", (unsigned long long)(p->in->received + (u64)i));
	p->in->received += (u64)k;
	assert_true(p->in->received <= p->in->total);
}

static struct sim_link_params random_link(struct sim_rng *r)
{
	struct sim_link_params p = {.delay_ns = sim_range(r, 10, 60000) * 1000, .mtu = 1500};

	if (sim_chance(r, 7000))
		p.loss = (unsigned)sim_range(r, 1, 1500);
	if (sim_chance(r, 5000))
		p.dup = (unsigned)sim_range(r, 1, 1000);
	if (sim_chance(r, 5000))
		p.corrupt = (unsigned)sim_range(r, 1, 500);
	if (sim_chance(r, 5000)) {
		p.reorder = (unsigned)sim_range(r, 1, 2000);
		p.reorder_ns = sim_range(r, 1, 3 * p.delay_ns);
	}
	if (sim_chance(r, 3000))
		p.jitter_ns = sim_range(r, 1, p.delay_ns);
	if (sim_chance(r, 3000)) {
		p.bits_per_second = sim_range(r, 1000000, 100000000);
		p.queue = (unsigned)sim_range(r, 5, 100);
	}
	if (sim_chance(r, 2000))
		p.mtu = (u32)sim_range(r, 576, 9000);
	if (sim_chance(r, 5000))
		p.features = NETDEV_CSUM | NETDEV_SG;
	return p;
}

static void random_options(struct socket *s, struct sim_rng *r)
{
	if (sim_chance(r, 3000))
		sim_setopt(s, SOL_TCP, TCP_NODELAY, 1);
	if (sim_chance(r, 2000))
		sim_setopt(s, SOL_SOCKET, SO_RCVBUF, (int)sim_range(r, 2000, 100000));
	if (sim_chance(r, 2000))
		sim_setopt(s, SOL_SOCKET, SO_SNDBUF, (int)sim_range(r, 4000, 100000));
	if (sim_chance(r, 2000))
		assert_int_equal(s->ops->setsockopt(s, SOL_TCP, TCP_CONGESTION, "reno", 4), 0);
}

static void dump(struct socket *s)
{
	struct tcp_sock *tp = tcp_sk(s);

	print_message("state %u una %u nxt %u write %u wnd %u cwnd %u pipe %u lost %u sacked %u retrans %u "
		      "rtx %u/%lld rcv_nxt %u "
		      "copied %u rwnd %u rmem %u ooo %u\n",
		      tp->state, tp->snd_una - tp->iss, tp->snd_nxt - tp->iss, tp->write_seq - tp->iss,
		      tp->snd_wnd, tp->cwnd, tcp_pipe(tp), tp->lost, tp->sacked, tp->retrans, tp->rtx_kind,
		      tp->rtx_at ? (long long)(tp->rtx_at - clock_monotonic()) : -1, tp->rcv_nxt - tp->irs,
		      tp->copied_seq - tp->irs, tp->rcv_wnd, s->rmem, tp->ooo_bytes);
}

static struct socket *connect_pair(struct sim_host *a, struct sim_host *b, struct sim_rng *r,
				   struct socket **server)
{
	struct socket *l = sim_socket(&b->net, AF_INET, SOCK_STREAM),
		      *c = sim_socket(&a->net, AF_INET, SOCK_STREAM);
	u64 until = clock_monotonic() + 600 * NSEC_PER_SEC;

	random_options(l, r);
	random_options(c, r);
	assert_int_equal(sim_bind(l, 0, PORT), 0);
	assert_int_equal(l->ops->listen(l, 10), 0);
	assert_int_equal(sim_connect(c, IP4(10, 0, 0, 2), PORT), -EINPROGRESS);
	for (;;) {
		*server = l->ops->accept(l, true);
		if (!IS_ERR(*server))
			break;
		assert_int_equal(PTR_ERR(*server), -EAGAIN);
		if (tcp_sk(c)->state ==
		    TCP_STATE_CLOSE) { /* too much was lost, of ARP perhaps: an honest error, then again */
			int e = sim_connect(c, IP4(10, 0, 0, 2), PORT);

			assert_true(e == -EHOSTUNREACH || e == -ETIMEDOUT);
			assert_int_equal(sim_connect(c, IP4(10, 0, 0, 2), PORT), -EINPROGRESS);
		}
		if (clock_monotonic() > until) {
			dump(c);
			fail_msg("no connection");
		}
		sim_step(10 * NSEC_PER_MSEC);
	}
	/* The child may be established while our SYN-ACK is still under way to the client's user: wait for
	 * both. */
	for (;;) {
		int e = sim_connect(c, IP4(10, 0, 0, 2), PORT);

		if (!e || e == -EISCONN)
			break;
		assert_int_equal(e, -EALREADY);
		sim_step(10 * NSEC_PER_MSEC);
	}
	socket_close(l);
	return c;
}

static void expect_empty(struct sim_host *h, struct sim_link *l)
{
	u64 until = clock_monotonic() + 900 * NSEC_PER_SEC;

	while ((atomic_load(&h->net.tcp->sockets) || h->net.tcp->tw_count || l->in_flight) &&
	       clock_monotonic() < until)
		sim_step(NSEC_PER_SEC);
	assert_int_equal(atomic_load(&h->net.tcp->sockets), 0);
	assert_int_equal(h->net.tcp->tw_count, 0);
	assert_int_equal(atomic_load(&h->net.mem_used), 0);
	assert_int_equal((int)atomic_load(&h->net.tcp->orphans), 0);
}

static void transfer(u64 seed)
{
	struct sim_rng r = {seed * 77777};
	struct sim_link_params lp = random_link(&r);
	struct flow ab = {.seed = seed, .total = sim_range(&r, 0, sim_chance(&r, 2000) ? 2000000 : 150000)};
	struct flow ba = {.seed = ~seed, .total = sim_range(&r, 0, sim_chance(&r, 2000) ? 2000000 : 150000)};
	struct peer p[2] = {{.out = &ab, .in = &ba}, {.out = &ba, .in = &ab}};
	u64 before = host_heap_live(), until, pause_until = 0;
	struct sim_host *h = calloc(2, sizeof(*h));
	struct sim_link link;

	sim_pair(&h[0], &h[1], &link, &lp, seed);
	p[0].s = connect_pair(&h[0], &h[1], &r, &p[1].s);
	until = clock_monotonic() + 3600 * NSEC_PER_SEC;
	while (!p[0].closed || !p[1].closed) {
		for (unsigned i = 0; i < 2; i++) {
			if (p[i].closed)
				continue;
			if (sim_chance(&r, 8000))
				write_some(&p[i], &r);
			if (!p[i].in->eof && clock_monotonic() >= pause_until && sim_chance(&r, 8000))
				read_some(&p[i], &r);
			if (p[i].in->eof && p[i].out->shut) {
				socket_close(p[i].s);
				p[i].closed = true;
			}
		}
		if (sim_chance(&r, 5)) /* a reader that takes its time closes the window */
			pause_until = clock_monotonic() + sim_range(&r, 1, 20) * NSEC_PER_SEC;
		sim_step(sim_range(&r, 1, 20) * NSEC_PER_MSEC);
		if (clock_monotonic() > until) {
			for (unsigned i = 0; i < 2; i++)
				if (!p[i].closed)
					dump(p[i].s);
			fail_msg("seed %llu is stuck: a->b %llu of %llu, b->a %llu of %llu (sent %llu, %llu)",
				 (unsigned long long)seed, (unsigned long long)ab.received,
				 (unsigned long long)ab.total, (unsigned long long)ba.received,
				 (unsigned long long)ba.total, (unsigned long long)ab.sent,
				 (unsigned long long)ba.sent);
		}
	}
	expect_empty(&h[0], &link);
	expect_empty(&h[1], &link);
	sim_pair_destroy(&h[0], &h[1], &link);
	free(h);
	if (host_heap_live() != before)
		fail_msg("seed %llu leaks %lld objects", (unsigned long long)seed,
			 (long long)(host_heap_live() - before));
}

static void test_transfers(void **state)
{
	const char *e = getenv("SIM_FIRST");
	u64 first = e ? strtoull(e, NULL, 0) : 1;

	for (u64 seed = first; seed < first + seeds(); seed++) {
		if (getenv("SIM_VERBOSE"))
			print_message("seed %llu\n", (unsigned long long)seed);
		transfer(seed);
	}
}

UNIT_TESTS(test_transfers)
