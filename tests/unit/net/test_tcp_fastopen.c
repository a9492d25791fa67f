// SPDX-License-Identifier: BSD-2-Clause
/* TCP's Fast Open. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "tcp_case.h"

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

UNIT_TESTS(test_fastopen, test_fastopen_data, test_fastopen_losses, test_fastopen_limit)
