// SPDX-License-Identifier: BSD-2-Clause
/* TCP's closing: every order of FINs, orphans, resets, lingering. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "tcp_case.h"

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

UNIT_TESTS(test_close_orders, test_simultaneous_close, test_half_close, test_fin_wait2_orphan,
	   test_fin_wait2_none, test_closed_window_orphan, test_unread_data_resets,
	   test_data_after_close_resets, test_linger_zero_aborts, test_keepalive_half_closed)
