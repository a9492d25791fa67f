/* SPDX-License-Identifier: BSD-2-Clause */
/* See scenario.h. */
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host.h"
#include "kernel/clock.h"

#define PORT   8080
#define PORT_A 7070 /* of the active side, when both open */
#define SEC    NSEC_PER_SEC
#define MS     NSEC_PER_MSEC

struct scenario_totals scenario_totals;
static u64 seed_now;
static struct session *session_now;

struct flow {
	u64 pattern, total, sent, received;
	bool eof, shut;
};

struct peer {
	struct socket *s;
	struct flow *out, *in;
	bool gone;    /* closed by us */
	bool aborted; /* ended by an error, which this session allows */
	bool kept_alive;
	u64 pause_until;
};

struct session {
	struct sim_rng r;
	struct sim_host *h;
	struct sim_link link;
	struct monitor m;
	struct flow flow[2];
	struct peer p[2];
	int family;
	/* What will happen. */
	bool both_open, may_abort;
	u64 abort_at, partition_at, partition_end, mtu_at, squeeze_at, squeeze_end;
	unsigned aborter, squeezed; /* whose windows are made smaller on the way */
	u32 squeeze_to;
};

#define PATTERN_SIZE (1u << 20)
static u8 pattern[PATTERN_SIZE + PATTERN_RUN];

const u8 *pattern_at(u64 k)
{
	struct sim_rng r = {4711};

	if (!pattern[0] && !pattern[1])
		for (u32 i = 0; i < sizeof(pattern); i++)
			pattern[i] = i < PATTERN_SIZE ? (u8)sim_rand(&r) : pattern[i - PATTERN_SIZE];
	return pattern + k % PATTERN_SIZE;
}

static void dump(const struct socket *s)
{
	const struct tcp_sock *tp = tcp_sk((struct socket *)s);

	fprintf(stderr,
		"  state %u una %u nxt %u write %u wnd %u cwnd %u pipe %u lost %u sacked %u retrans %u "
		"rtx %u/%lld rcv_nxt %u copied %u rwnd %u rmem %u ooo %u ca %u err %d\n",
		tp->state, tp->snd_una - tp->iss, tp->snd_nxt - tp->iss, tp->write_seq - tp->iss, tp->snd_wnd,
		tp->cwnd, tcp_pipe(tp), tp->lost, tp->sacked, tp->retrans, tp->rtx_kind,
		tp->rtx_at ? (long long)(tp->rtx_at - clock_monotonic()) : -1, tp->rcv_nxt - tp->irs,
		tp->copied_seq - tp->irs, tp->rcv_wnd, s->rmem, tp->gaps ? tp->gaps->bytes : 0, tp->ca_state,
		s->err);
}

void scenario_fail(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "not ok seed %llu at %.6f s: ", (unsigned long long)seed_now,
		(double)clock_monotonic() / 1e9);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	for (unsigned i = 0; session_now && i < 2; i++) {
		const struct flow *f = &session_now->flow[i];

		fprintf(stderr, "  flow %u: %llu bytes, %llu written, %llu read%s%s\n", i,
			(unsigned long long)f->total, (unsigned long long)f->sent,
			(unsigned long long)f->received, f->shut ? ", shut" : "", f->eof ? ", end seen" : "");
		if (session_now->p[i].s && !session_now->p[i].gone)
			dump(session_now->p[i].s);
	}
	abort();
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
		p.mtu = (u32)sim_range(r, 1280, 9000);
	if (sim_chance(r, 5000))
		p.features = NETDEV_CSUM | NETDEV_SG;
	if (p.features && sim_chance(r, 5000))
		p.features |= NETDEV_TSO4 | NETDEV_TSO6;
	p.ipv6 = sim_chance(r, 2000);
	return p;
}

static u64 random_total(struct sim_rng *r)
{
	u64 kind = sim_range(r, 1, 100);

	return sim_range(r, 0, kind <= 50 ? 20000 : (kind <= 96 ? 120000 : 1500000));
}

static void random_options(struct socket *s, struct sim_rng *r)
{
	if (sim_chance(r, 3000))
		sim_setopt(s, SOL_TCP, TCP_NODELAY, 1);
	if (sim_chance(r, 2000))
		sim_setopt(s, SOL_SOCKET, SO_RCVBUF, (int)sim_range(r, 2000, 100000));
	if (sim_chance(r, 2000))
		sim_setopt(s, SOL_SOCKET, SO_SNDBUF, (int)sim_range(r, 4000, 100000));
	if (sim_chance(r, 3000))
		(void)s->ops->setsockopt(s, SOL_TCP, TCP_CONGESTION, "reno", 4);
	if (sim_chance(r, 1000))
		sim_setopt(s, SOL_TCP, TCP_MAXSEG, (int)sim_range(r, 100, 2000));
}

/* Choose what the session has in store. */
static void plan(struct session *x)
{
	struct sim_rng *r = &x->r;
	u64 start = clock_monotonic();

	x->both_open = sim_chance(r, 700);
	x->may_abort = sim_chance(r, 800);
	if (x->may_abort) {
		x->abort_at = start + sim_range(r, 1, 3000) * MS;
		x->aborter = (unsigned)sim_range(r, 0, 1);
	}
	if (sim_chance(r, 1000)) {
		x->partition_at = start + sim_range(r, 1, 2000) * MS;
		x->partition_end = x->partition_at + sim_range(r, 10, 30000) * MS;
	}
	if (sim_chance(r, 1000))
		x->mtu_at = start + sim_range(r, 1, 2000) * MS;
	if (sim_chance(r, 1000)) {
		x->squeeze_at = start + sim_range(r, 1, 2000) * MS;
		x->squeeze_end = x->squeeze_at + sim_range(r, 10, sim_chance(r, 1000) ? 1500000 : 20000) * MS;
		x->squeeze_to = sim_chance(r, 5000) ? 0 : (u32)sim_range(r, 1, 6000);
		x->squeezed = (unsigned)sim_range(r, 0, 1);
	}
}

/* Somebody in between makes the window smaller than its owner offered: it shrinks. */
static bool squeeze(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	struct session *x = arg;
	u64 now = clock_monotonic();
	u8 *t = f + 14 + (f[12] == 8 ? (f[14] & 15) * 4u : 40u);
	u32 wnd, to;

	if (side != x->squeezed || now < x->squeeze_at || now >= x->squeeze_end)
		return true;
	if (!(f[12] == 8 && f[13] == 0 && f[23] == 6) && !(f[12] == 0x86 && f[20] == 6))
		return true;
	if (t[13] & 6)
		return true;
	wnd = (u32)(t[14] << 8 | t[15]);
	to = x->squeeze_to >> (x->m.side[side].wscale > 0 ? x->m.side[side].wscale : 0);
	if (wnd > to) {
		t[14] = (u8)(to >> 8);
		t[15] = (u8)to;
		sim_fix_tcp_checksum(f, len);
	}
	return true;
}

static void set_path_mtu(struct session *x)
{
	x->link.path_mtu = (u32)sim_range(&x->r, x->family == AF_INET6 ? 1280 : 576, 1500);
	x->link.blackhole = sim_chance(&x->r, 3000);
}

static void happen(struct session *x)
{
	u64 now = clock_monotonic();

	x->link.down = x->partition_at && now >= x->partition_at && now < x->partition_end;
	if (x->mtu_at && now >= x->mtu_at && !x->link.path_mtu)
		set_path_mtu(x);
}

/* A host gave its connection up, after many repetitions without an answer. */
static bool given_up(const struct session *x)
{
	return atomic_load(&x->h[0].net.mib[MIB_EXT_ABORT_ON_TIMEOUT]) ||
	       atomic_load(&x->h[1].net.mib[MIB_EXT_ABORT_ON_TIMEOUT]);
}

/* Errors that a connection may end with when one end gave it up. */
static bool allowed(const struct session *x, ssize_t e)
{
	return (x->may_abort || given_up(x)) &&
	       (e == -ECONNRESET || e == -EPIPE || e == -ETIMEDOUT || e == -EHOSTUNREACH);
}

/* The other end has gone, perhaps without a word: find out even with nothing to say. */
static void keep_alive(struct peer *p)
{
	if (p->gone || p->kept_alive)
		return;
	p->kept_alive = true;
	sim_setopt(p->s, SOL_TCP, TCP_KEEPIDLE, 10);
	sim_setopt(p->s, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static void close_peer(struct peer *p)
{
	socket_close(p->s);
	p->gone = true;
}

static bool write_some(struct session *x, struct peer *p)
{
	struct flow *f = p->out;
	size_t n = min(sim_range(&x->r, 1, sim_chance(&x->r, 3000) ? 200 : 20000), f->total - f->sent);
	ssize_t k;

	if (!n) {
		if (f->shut)
			return false;
		k = p->s->ops->shutdown(p->s, SHUT_WR);
		if (k && !((x->may_abort || given_up(x)) && k == -ENOTCONN))
			scenario_fail("shutdown: %zd", k);
		f->shut = true;
		return true;
	}
	k = sim_send(p->s, pattern_at(f->pattern + f->sent), n, sim_chance(&x->r, 500) ? MSG_MORE : 0);
	if (k == -EAGAIN)
		return false;
	if (k < 0 && allowed(x, k)) {
		p->aborted = true;
		return true;
	}
	if (k <= 0)
		scenario_fail("send: %zd", k);
	f->sent += (u64)k;
	return true;
}

static bool read_some(struct session *x, struct peer *p)
{
	struct flow *f = p->in;
	static u8 buf[30000];
	ssize_t k = sim_recv(p->s, buf, sim_range(&x->r, 1, sizeof(buf)), 0);

	if (k == -EAGAIN)
		return false;
	if (k < 0 && allowed(x, k)) {
		p->aborted = true;
		return true;
	}
	if (k < 0)
		scenario_fail("recv: %zd", k);
	if (k == 0) {
		f->eof = true;
		if (f->received != f->total && !p->aborted)
			scenario_fail("the end came after %llu of %llu bytes",
				      (unsigned long long)f->received, (unsigned long long)f->total);
		return true;
	}
	if (memcmp(buf, pattern_at(f->pattern + f->received), (size_t)k) != 0)
		scenario_fail("wrong bytes in %llu to %llu", (unsigned long long)f->received,
			      (unsigned long long)f->received + (u64)k);
	f->received += (u64)k;
	if (f->received > f->sent)
		scenario_fail("more was read than written");
	return true;
}

/* One turn of a peer's application. True: something was done. */
static bool turn(struct session *x, struct peer *p)
{
	bool did = false;

	if (p->gone)
		return false;
	if (p->aborted || (p->in->eof && p->out->shut)) {
		close_peer(p);
		return true;
	}
	if (sim_chance(&x->r, 8000))
		did |= write_some(x, p);
	if (!p->in->eof && !p->aborted && clock_monotonic() >= p->pause_until && sim_chance(&x->r, 8000))
		did |= read_some(x, p);
	if (sim_chance(&x->r, 5)) /* a reader that takes its time closes the window */
		p->pause_until = clock_monotonic() + sim_range(&x->r, 1, 20) * SEC;
	return did;
}

static void abort_one(struct session *x)
{
	struct linger l = {1, 0};
	struct peer *p = &x->p[x->aborter], *other = &x->p[1 - x->aborter];

	x->abort_at = 0;
	if (p->gone)
		return;
	if (sim_chance(&x->r,
		       5000)) { /* silently, as a host that lost its power: the other end is half open */
		x->partition_at = clock_monotonic();
		x->partition_end = x->partition_at + sim_range(&x->r, 1, 20) * SEC;
		x->link.down = true;
	}
	socket_set_option(p->s, SO_LINGER, &l, sizeof(l));
	close_peer(p);
	keep_alive(other);
}

static int try_connect(struct session *x, unsigned from)
{
	struct __kernel_sockaddr_storage ss;
	struct socket *s = x->p[from].s;
	int len = sim_sockaddr(s, 1 - from, from ? PORT_A : PORT, &ss);

	return s->ops->connect(s, (struct sockaddr *)&ss, len, true);
}

static void bind_port(struct socket *s, unsigned side, u16 port)
{
	struct __kernel_sockaddr_storage ss;
	int len = sim_sockaddr(s, side, port, &ss), err;

	sim_setopt(s, SOL_SOCKET, SO_REUSEADDR, 1);
	err = s->ops->bind(s, (struct sockaddr *)&ss, len);
	if (err)
		scenario_fail("bind: %d", err);
}

/* Wait until side I is connected. An honest error makes it try again; or, when both open and the other one
 * may have gone by now, it returns false. */
static bool await_connected(struct session *x, unsigned i, u64 until)
{
	for (;;) {
		int e = try_connect(x, i);

		if (!e || e == -EISCONN)
			return true;
		if (x->both_open &&
		    (e == -ECONNREFUSED || e == -ECONNRESET || e == -ETIMEDOUT || e == -EHOSTUNREACH))
			return false;
		if (e != -EALREADY && e != -EINPROGRESS && e != -EHOSTUNREACH && e != -ETIMEDOUT)
			scenario_fail("connect: %d", e);
		if (e != -EALREADY && e != -EINPROGRESS)
			x->p[i].out->sent = 0; /* what went with the SYN went with the connection */
		if (clock_monotonic() > until)
			scenario_fail("no connection");
		monitor_socket(tcp_sk(x->p[i].s));
		happen(x);
		sim_step(SEC);
	}
}

static void open_both(struct session *x)
{
	for (unsigned i = 0; i < 2; i++) {
		x->p[i].s = sim_socket(&x->h[i].net, x->family, SOCK_STREAM);
		random_options(x->p[i].s, &x->r);
		bind_port(x->p[i].s, i, i ? PORT : PORT_A);
	}
	for (unsigned i = 0; i < 2; i++)
		if (try_connect(x, i) != -EINPROGRESS)
			scenario_fail("connect did not begin");
	for (unsigned i = 0; i < 2; i++)
		if (!await_connected(x, i, clock_monotonic() + 900 * SEC)) {
			close_peer(&x->p[0]);
			close_peer(&x->p[1]);
			return;
		}
}

/* Some sessions begin with data in the SYN; nobody asks for a cookie then. The choice has a generator of its
 * own, so that a seed's session stays what it was. */
static void open_fast(struct session *x, struct socket *l, u64 seed)
{
	struct sim_rng r = {seed * 4099};
	struct __kernel_sockaddr_storage ss;
	struct flow *f = x->p[0].out;
	struct iter it;
	struct net_msg m = {.iter = &it, .flags = MSG_FASTOPEN | MSG_DONTWAIT, .name = &ss};
	ssize_t n;

	if (!sim_chance(&r, 2500))
		return;
	for (unsigned i = 0; i < 2; i++)
		x->h[i].net.tcp_conf.fastopen =
			TCP_FO_CLIENT | TCP_FO_SERVER | TCP_FO_CLIENT_NO_COOKIE | TCP_FO_SERVER_NO_COOKIE;
	sim_setopt(l, SOL_TCP, TCP_FASTOPEN, 5);
	m.namelen = sim_sockaddr(x->p[0].s, 1, PORT, &ss);
	iter_init_kernel(&it, (void *)pattern_at(f->pattern), min(f->total, sim_range(&r, 1, 2000)));
	n = x->p[0].s->ops->sendmsg(x->p[0].s, &m);
	if (n < 0 && n != -EINPROGRESS)
		scenario_fail("fast open: %zd", n);
	f->sent = n > 0 ? (u64)n : 0;
}

static void open_one(struct session *x)
{
	struct socket *l = sim_socket(&x->h[1].net, x->family, SOCK_STREAM);
	u64 until = clock_monotonic() + 900 * SEC;

	x->p[0].s = sim_socket(&x->h[0].net, x->family, SOCK_STREAM);
	random_options(l, &x->r);
	random_options(x->p[0].s, &x->r);
	bind_port(l, 1, PORT);
	if (l->ops->listen(l, 10))
		scenario_fail("listen");
	open_fast(x, l, seed_now);
	await_connected(x, 0, until);
	for (;;) {
		struct socket *s = l->ops->accept(l, true);

		if (!IS_ERR(s)) {
			x->p[1].s = s;
			break;
		}
		if (PTR_ERR(s) != -EAGAIN || clock_monotonic() > until)
			scenario_fail("accept: %ld", PTR_ERR(s));
		if (atomic_load(&x->h[1].net.tcp->sockets) == 1) {
			/* All answers of the server were lost, and it gave up; the client cannot know. */
			socket_close(x->p[0].s);
			sim_run(SEC);
			x->p[0].s = sim_socket(&x->h[0].net, x->family, SOCK_STREAM);
			x->p[0].out->sent = 0;
			await_connected(x, 0, until);
		}
		happen(x);
		sim_step(SEC);
	}
	socket_close(l);
}

static void talk(struct session *x)
{
	u64 until = clock_monotonic() + 7200 * SEC;

	while (!x->p[0].gone || !x->p[1].gone) {
		bool did = false;

		happen(x);
		if (x->abort_at && clock_monotonic() >= x->abort_at)
			abort_one(x);
		for (unsigned i = 0; i < 2; i++) {
			did |= turn(x, &x->p[i]);
			if (!x->p[i].gone)
				monitor_socket(tcp_sk(x->p[i].s));
			if (given_up(x))
				keep_alive(&x->p[i]);
		}
		sim_step(did ? sim_range(&x->r, 1, 20) * MS : sim_range(&x->r, 20, 1000) * MS);
		if (clock_monotonic() > until)
			scenario_fail("stuck");
	}
}

static void expect_empty(struct session *x)
{
	u64 until = clock_monotonic() + 3600 * SEC;

	for (unsigned i = 0; i < 2; i++) {
		struct net_stack *n = &x->h[i].net;

		while ((atomic_load(&n->tcp->sockets) || n->tcp->tw_count || x->link.in_flight) &&
		       clock_monotonic() < until) {
			happen(x);
			sim_step(SEC);
		}
		if (atomic_load(&n->tcp->sockets) || n->tcp->tw_count || atomic_load(&n->mem_used) ||
		    atomic_load(&n->tcp->orphans))
			scenario_fail(
				"host %u is left with %u sockets, %u in TIME-WAIT, %llu bytes, %u orphans", i,
				atomic_load(&n->tcp->sockets), n->tcp->tw_count,
				(unsigned long long)atomic_load(&n->mem_used), atomic_load(&n->tcp->orphans));
	}
}

static void count(const struct session *x)
{
	const struct monitor *m = &x->m;

	scenario_totals.sessions++;
	scenario_totals.bytes += x->flow[0].received + x->flow[1].received;
	scenario_totals.frames += x->link.frames;
	scenario_totals.lost += x->link.lost;
	scenario_totals.segments += m->segments;
	scenario_totals.repeated += m->repeated;
	scenario_totals.given_up += given_up(x);
	scenario_totals.unfinished +=
		x->flow[0].received != x->flow[0].total || x->flow[1].received != x->flow[1].total;
}

void scenario_run(u64 seed)
{
	struct session x = {.r = {seed * 77777}, .h = calloc(2, sizeof(*x.h))};
	struct sim_link_params lp = random_link(&x.r);
	u64 before = host_heap_live();

	seed_now = seed;
	session_now = &x;
	sim_pair(&x.h[0], &x.h[1], &x.link, &lp, seed);
	x.h[0].net.tcp_conf.ecn = x.h[1].net.tcp_conf.ecn = seed % 3 ? 2 : 1;
	x.family = lp.ipv6 ? AF_INET6 : AF_INET;
	for (unsigned i = 0; i < 2; i++) {
		x.flow[i] =
			(struct flow){.pattern = sim_rand(&x.r) % PATTERN_SIZE, .total = random_total(&x.r)};
		x.p[i].out = &x.flow[i];
		x.p[i].in = &x.flow[1 - i];
	}
	plan(&x);
	monitor_start(&x.m, &x.link, x.flow[0].pattern, x.flow[1].pattern);
	if (x.squeeze_at) {
		x.link.filter = squeeze;
		x.link.filter_arg = &x;
	}
	if (x.both_open)
		open_both(&x);
	else
		open_one(&x);
	talk(&x);
	session_now = NULL;
	expect_empty(&x);
	count(&x);
	sim_pair_destroy(&x.h[0], &x.h[1], &x.link);
	free(x.h);
	if (host_heap_live() != before)
		scenario_fail("%lld objects leak", (long long)(host_heap_live() - before));
}
