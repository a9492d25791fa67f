// SPDX-License-Identifier: BSD-2-Clause
/* TCP's opening: refusals, both at once, the listener's queues, cookies and floods. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "tcp_case.h"

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

UNIT_TESTS(test_refused, test_unreachable, test_connect_times_out, test_simultaneous_open, test_syn_cookies,
	   test_syn_flood, test_idle_memory, test_accept_queue_overflow, test_time_wait_reuse, test_ipv6)
