// SPDX-License-Identifier: BSD-2-Clause
/* TCP's data: windows, urgent bytes, small segments, zero copy, want of memory. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "tcp_case.h"

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

/* Bytes that go one by one fill the window and not the memory, on either side, though nobody reads them. */
static void test_small_segments(void **st)
{
	struct socket *c, *s;
	char got[4096];
	u32 sent = 0, read = 0, records;
	struct tcp_rec *r;
	ssize_t n;

	start();
	open_pair(&c, &s);
	sim_setopt(c, SOL_TCP, TCP_NODELAY, 1);
	while (sent < 60000) {
		for (unsigned i = 0; i < 100; i++, sent++)
			assert_int_equal(sim_send(c, &"0123456789"[sent % 10], 1, 0), 1);
		records = 0;
		list_for_each_entry (r, &tcp_sk(c)->recs, node)
			records++;
		assert_in_range(records, 1, 3);
		sim_run(50 * MS);
	}
	assert_int_equal(tcp_readable(tcp_sk(s)), sent);
	assert_int_equal(tcp_sk(c)->total_retrans, 0);
	assert_true(atomic_load(&s->rmem) <= s->rcvbuf);
	while ((n = sim_recv(s, got, sizeof(got), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(got[i], "0123456789"[read++ % 10]);
	assert_int_equal(read, sent);
	socket_close(c);
	socket_close(s);
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

UNIT_TESTS(test_zero_window, test_zerocopy, test_urgent, test_nagle, test_small_segments, test_no_memory)
