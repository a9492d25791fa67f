// SPDX-License-Identifier: BSD-2-Clause
/* TCP's what the path does: timeouts, probes, losses that were none, MTUs, forgers. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "tcp_case.h"

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

/* A router that marks instead of dropping, and what went by it. */
struct marks {
	unsigned ect, marked, echoes, reductions, wrong, syns;
	bool mark;
	u8 syn; /* flags of the last one */
};

static bool marking(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	u8 ecn = f[15] & 3, flags = f[47];
	struct marks *m = arg;

	if (f[23] != 6)
		return true;
	if (flags & 2) {
		m->syns++;
		m->syn = flags;
	}
	m->wrong += ecn && ((flags & 2) || len < 14 + 20 + 32 + 8); /* data only */
	if (side == 1) {
		m->echoes += (flags & 0x42) == 0x40;
		return true;
	}
	m->ect += ecn == 2;
	m->reductions += (flags & 0x82) == 0x80;
	if (m->mark && ecn) {
		u16 sum;

		f[15] |= 3;
		f[24] = f[25] = 0;
		sum = ip_checksum(f + 14, 20);
		memcpy(f + 24, &sum, 2);
		m->mark = false;
		m->marked++;
	}
	return true;
}

static void transfer(struct socket *c, struct socket *s, u64 bytes)
{
	static u8 buf[20000];
	u64 sent = 0, got = 0;

	while (got < bytes) {
		ssize_t n = sent < bytes ? sim_send(c, buf, (size_t)min(bytes - sent, sizeof(buf)), 0) : 0;

		if (n > 0)
			sent += (u64)n;
		n = sim_recv(s, buf, sizeof(buf), 0);
		if (n > 0)
			got += (u64)n;
		sim_step(20 * MS);
		assert_true(clock_monotonic() < 1000 * SEC);
	}
}

/* RFC 3168: a mark halves the window once, costs no segment, and is echoed until the sender says so. */
static void test_ecn(void **st)
{
	struct marks m = {};
	struct socket *c, *s;

	start();
	link.filter = marking;
	link.filter_arg = &m;
	open_pair(&c, &s); /* nobody asks */
	assert_false(tcp_sk(c)->ecn_ok || tcp_sk(s)->ecn_ok);
	transfer(c, s, 20000);
	assert_int_equal(m.ect + m.wrong, 0);
	socket_close(c);
	socket_close(s);
	a->net.tcp_conf.ecn = 1;
	for (unsigned cookies = 0; cookies < 2; cookies++) {
		u64 again = atomic_load(&a->net.mib[MIB_TCP_RETRANS_SEGS]);
		u32 before;

		memset(&m, 0, sizeof(m));
		b->net.tcp_conf.syncookies = 1 + cookies;
		open_pair(&c, &s);
		assert_true(tcp_sk(c)->ecn_ok && tcp_sk(s)->ecn_ok);
		transfer(c, s, 200000);
		assert_true(m.ect > 50 && !m.echoes && !m.reductions && !m.wrong);
		before = tcp_sk(c)->cwnd;
		m.mark = true;
		transfer(c, s, 200000);
		assert_int_equal(m.marked, 1);
		assert_true(m.echoes > 0 && !m.wrong);
		assert_int_equal(m.reductions, 1);
		assert_in_range(tcp_sk(c)->ssthresh, before / 3, before * 3 / 4);
		assert_int_equal(atomic_load(&a->net.mib[MIB_TCP_RETRANS_SEGS]), again);
		assert_true(tcp_sk(s)->ecn_seen && !tcp_sk(s)->ecn_echo);
		m.echoes = 0;
		transfer(c, s, 200000);
		assert_int_equal(m.echoes, 0);
		socket_close(c);
		socket_close(s);
	}
	/* Who does not want it is not asked twice; nor who does not answer. */
	b->net.tcp_conf.syncookies = 1;
	b->net.tcp_conf.ecn = 0;
	open_pair(&c, &s);
	assert_false(tcp_sk(c)->ecn_ok || tcp_sk(s)->ecn_ok);
	socket_close(c);
	socket_close(s);
	m.syns = 0;
	s = listen_at(b, 5);
	link.down = true;
	c = client();
	sim_run(500 * MS);
	link.down = false;
	sim_run(2 * SEC);
	assert_int_equal(sim_connect(c, B_IP, PORT), 0);
	assert_int_equal(m.syn & 0xc0, 0);
	assert_false(tcp_sk(c)->ecn_ok);
	socket_close(c);
	socket_close(s);
	finish();
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

UNIT_TESTS(test_retransmission_gives_up, test_user_timeout, test_keepalive, test_forged_segments,
	   test_path_mtu, test_path_mtu_black_hole, test_spurious_timeout, test_ecn, test_idle_restart,
	   test_long_fat_pipe)
