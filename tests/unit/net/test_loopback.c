// SPDX-License-Identifier: BSD-2-Clause
/* One stack, many threads: blocking sockets over the loopback, every thread a CPU. Shows that ownership,
 * backlog and wake-ups lose nothing: if a wake-up were lost all threads would sleep, and the shim panics. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "unit.h"

#include "base/err.h"
#include "kernel/clock.h"
#include "kernel/thread.h"
#include "net/ip6.h"
#include "net/tcp.h"
#include "sim.h"

#define PORT 9000
#define LO   IP4(127, 0, 0, 1)

static struct net_stack *net;

static void up(void)
{
	net = calloc(1, sizeof(*net));
	host_rcu_defer(true);
	assert_int_equal(net_stack_init(net), 0);
	assert_int_equal(ip6_stack_init(net), 0);
}

static void down(u64 before)
{
	u64 until = clock_monotonic() + 200 * NSEC_PER_SEC;

	while ((atomic_load(&net->tcp->sockets) || net->tcp->tw_count) && clock_monotonic() < until)
		sim_step(NSEC_PER_SEC);
	host_rcu_quiesce();
	assert_int_equal(atomic_load(&net->tcp->sockets), 0);
	assert_int_equal(net->tcp->tw_count, 0);
	assert_int_equal(atomic_load(&net->mem_used), 0);
	net_stack_destroy(net);
	host_rcu_quiesce();
	host_rcu_defer(false);
	free(net);
	assert_int_equal(host_heap_live(), before);
}

static ssize_t xfer(struct socket *s, void *buf, size_t n, u32 flags, bool out)
{
	struct iter it;
	struct net_msg m = {.iter = &it, .flags = flags};

	iter_init_kernel(&it, buf, n);
	return out ? s->ops->sendmsg(s, &m) : s->ops->recvmsg(s, &m);
}

static void write_all(struct socket *s, u8 *buf, size_t n)
{
	while (n) {
		ssize_t k = xfer(s, buf, n, 0, true);

		assert_true(k > 0);
		buf += k;
		n -= (size_t)k;
	}
}

static struct socket *listen_on(u16 port, int backlog)
{
	struct socket *l = sim_socket(net, AF_INET, SOCK_STREAM);

	sim_setopt(l, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(sim_bind(l, LO, port), 0);
	assert_int_equal(l->ops->listen(l, backlog), 0);
	return l;
}

static struct socket *connect_to(u16 port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = be16(port), .sin_addr.s_addr = LO};
	struct socket *c = sim_socket(net, AF_INET, SOCK_STREAM);

	assert_int_equal(c->ops->connect(c, (struct sockaddr *)&a, sizeof(a), false), 0);
	return c;
}

/* Echo until the end of file. */
static void echo(void *arg)
{
	struct socket *s = arg;
	u8 buf[3000];
	ssize_t n;

	while ((n = xfer(s, buf, sizeof(buf), 0, false)) > 0)
		write_all(s, buf, (size_t)n);
	assert_int_equal(n, 0);
	socket_close(s);
}

static void client(void *arg)
{
	unsigned rounds = 300;
	struct sim_rng r = {(u64)arg};
	struct socket *s = connect_to(PORT);
	u8 out[5000], in[5000];

	for (unsigned i = 0; i < rounds; i++) {
		size_t n = sim_range(&r, 1, sizeof(out)), have = 0;

		for (size_t k = 0; k < n; k++)
			out[k] = (u8)(sim_rand(&r) >> 9);
		write_all(s, out, n);
		while (have < n) {
			ssize_t k = xfer(s, in + have, n - have, 0, false);

			assert_true(k > 0);
			have += (size_t)k;
		}
		assert_memory_equal(in, out, n);
	}
	socket_close(s);
}

static void test_request_response(void **state)
{
	u64 before = host_heap_live(), began;
	struct thread *c[4], *s[4];
	struct socket *l;

	up();
	l = listen_on(PORT, 10);
	began = clock_monotonic();
	for (unsigned i = 0; i < 4; i++)
		c[i] = host_thread_start(client, (void *)(u64)(i + 1));
	for (unsigned i = 0; i < 4; i++) {
		struct socket *a = l->ops->accept(l, false);

		assert_false(IS_ERR(a));
		s[i] = host_thread_start(echo, a);
	}
	for (unsigned i = 0; i < 4; i++) {
		host_thread_join(c[i]);
		host_thread_join(s[i]);
	}
	socket_close(l);
	/* Virtual time moves only when everybody sleeps: a request that waited for a delayed ACK would show
	 * here. */
	assert_true(clock_monotonic() - began < 50 * NSEC_PER_MSEC);
	down(before);
}

#define BULK (4u << 20)

static void drain(void *arg)
{
	struct socket *s = arg;
	static u8 buf[4][70000];
	static _Atomic unsigned next;
	unsigned slot = atomic_fetch_add(&next, 1) % 4;
	u64 got = 0;
	ssize_t n;

	while ((n = xfer(s, buf[slot], sizeof(buf[slot]), 0, false)) > 0) {
		for (ssize_t i = 0; i < n; i += 997)
			assert_int_equal(buf[slot][i], (u8)((got + (u64)i) * 7));
		got += (u64)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(got, BULK);
	socket_close(s);
}

static void fill(void *arg)
{
	struct socket *s = connect_to(PORT);
	u8 *buf = malloc(50000);
	u64 sent = 0;

	while (sent < BULK) {
		size_t n = min((u64)(1 + (sent * 31 + (u64)arg) % 50000), BULK - sent);

		for (size_t i = 0; i < n; i++)
			buf[i] = (u8)((sent + i) * 7);
		write_all(s, buf, n);
		sent += n;
	}
	socket_close(s);
	free(buf);
}

static void test_bulk(void **state)
{
	u64 before = host_heap_live(), began;
	struct thread *c[3], *s[3];
	struct socket *l;

	up();
	l = listen_on(PORT, 10);
	began = clock_monotonic();
	for (unsigned i = 0; i < 3; i++)
		c[i] = host_thread_start(fill, (void *)(u64)i);
	for (unsigned i = 0; i < 3; i++) {
		struct socket *a = l->ops->accept(l, false);

		assert_false(IS_ERR(a));
		s[i] = host_thread_start(drain, a);
	}
	for (unsigned i = 0; i < 3; i++) {
		host_thread_join(c[i]);
		host_thread_join(s[i]);
	}
	socket_close(l);
	assert_true(clock_monotonic() - began < 500 * NSEC_PER_MSEC);
	down(before);
}

static void churn(void *arg)
{
	for (unsigned i = 0; i < 150; i++) {
		struct socket *s = connect_to(PORT);
		u8 b = (u8)i;

		switch ((i + (u64)arg) % 4) {
		case 0:
			write_all(s, &b, 1);
			xfer(s, &b, 1, 0, false);
			break;
		case 1:
			write_all(s, &b, 1);
			break;
		case 2: {
			struct linger l = {1, 0};

			socket_set_option(s, SO_LINGER, &l, sizeof(l));
			break;
		}
		case 3:
			s->ops->shutdown(s, SHUT_WR);
			break;
		}
		socket_close(s);
	}
}

/* Connections that come and go in every way while others are accepted. */
static void test_churn(void **state)
{
	u64 before = host_heap_live();
	struct thread *c[4];
	struct socket *l;

	up();
	l = listen_on(PORT, 600);
	for (unsigned i = 0; i < 4; i++)
		c[i] = host_thread_start(churn, (void *)(u64)i);
	for (unsigned i = 0; i < 4 * 150; i++) {
		struct socket *a = l->ops->accept(l, false);
		u8 b;

		assert_false(IS_ERR(a));
		if (xfer(a, &b, 1, 0, false) == 1)
			xfer(a, &b, 1, MSG_NOSIGNAL, true);
		socket_close(a);
	}
	for (unsigned i = 0; i < 4; i++)
		host_thread_join(c[i]);
	socket_close(l);
	down(before);
}

static void sleeper(void *arg)
{
	struct socket *s = arg;
	u8 b;

	assert_int_equal(xfer(s, &b, 1, 0, false), 0);
}

/* shutdown() in one thread ends a read in another; closing the listener's queue resets who waits in it. */
static void test_wakes(void **state)
{
	u64 before = host_heap_live();
	struct socket *l, *c, *a, *q;
	struct thread *t;
	u8 b;

	up();
	l = listen_on(PORT, 5);
	c = connect_to(PORT);
	a = l->ops->accept(l, false);
	t = host_thread_start(sleeper, a);
	host_thread_wait_asleep(t);
	assert_int_equal(a->ops->shutdown(a, SHUT_RD), 0);
	host_thread_join(t);
	q = connect_to(PORT);
	socket_close(l);
	assert_int_equal(xfer(q, &b, 1, 0, false), -ECONNRESET);
	socket_close(q);
	socket_close(c);
	socket_close(a);
	down(before);
}

/* Bytes sent one by one to a peer that does not read: its window closes for good, nothing is dropped nor sent
 * twice, and the rest waits with the sender without a segment each. */
static void test_unread_bytes(void **state)
{
	u64 before = host_heap_live();
	struct socket *l, *c, *s;
	u32 sent = 0, read = 0;
	static char got[65536];
	ssize_t n;

	up();
	l = listen_on(PORT, 1);
	c = connect_to(PORT);
	s = l->ops->accept(l, false);
	while (sent < 300000) {
		assert_int_equal(xfer(c, &"0123456789"[sent % 10], 1, MSG_DONTWAIT, true), 1);
		sent++;
	}
	assert_int_equal(atomic_load(&net->mib[MIB_EXT_RCVQ_DROP]), 0);
	assert_int_equal(atomic_load(&net->mib[MIB_TCP_RETRANS_SEGS]), 0);
	assert_true(atomic_load(&s->rmem) <= s->rcvbuf);
	assert_true(tcp_sk(c)->data_segs_out <= s->rcvbuf);
	assert_true(tcp_sk(c)->snd_wnd < tcp_sk(c)->mss);
	tcp_shutdown(c, SEND_SHUTDOWN);
	while ((n = xfer(s, got, sizeof(got), 0, false)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(got[i], "0123456789"[read++ % 10]);
	assert_int_equal(read, sent);
	socket_close(l);
	socket_close(c);
	socket_close(s);
	down(before);
}

UNIT_TESTS(test_request_response, test_bulk, test_churn, test_wakes, test_unread_bytes)
