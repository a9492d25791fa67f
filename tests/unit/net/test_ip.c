// SPDX-License-Identifier: BSD-2-Clause
/* IP and UDP between two simulated hosts: fragments in every order, errors, broadcast, multicast, ping, ARP,
 * DHCP. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "tests/unit/net/pair.h"

#include "net/config.h"
#include "net/dhcp.h"
#include "net/udp.h"

static void start(void)
{
	start_with((struct sim_link_params){.delay_ns = MS});
}

static void finish(void)
{
	sim_run(60 * SEC);
	end_pair();
}

static void test_datagrams(void **st)
{
	struct socket *x, *y;
	char buf[64];

	start();
	x = udp(a, 0);
	y = udp(b, 53);
	assert_int_equal(sim_sendto(x, "query", 5, B_IP, 53), 5);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, buf, 64, 0), 5);
	assert_int_equal(sim_recv(y, buf, 64, 0), -EAGAIN);
	/* Nobody listens: an unconnected socket does not care, a connected one is told. */
	assert_int_equal(sim_sendto(x, "q", 1, B_IP, 54), 1);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(x, buf, 64, 0), -EAGAIN);
	assert_int_equal(sim_connect(x, B_IP, 54), 0);
	assert_int_equal(sim_send(x, "q", 1, 0), 1);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(x, buf, 64, 0), -ECONNREFUSED);
	socket_close(x);
	socket_close(y);
	finish();
}

/* Large datagrams over links that reorder and duplicate: whole or not at all, never wrong. */
static void test_fragments(void **st)
{
	static u8 out[60000], in[60000];
	struct sim_rng r = {5};
	struct socket *x, *y;
	unsigned came = 0;

	start_with((struct sim_link_params){.delay_ns = MS, .jitter_ns = 4 * MS, .dup = 800, .loss = 20});
	x = udp(a, 0);
	y = udp(b, 53);
	sim_setopt(x, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	for (unsigned i = 0; i < 200; i++) {
		size_t n = sim_range(&r, 1, sizeof(out));
		ssize_t k;

		for (size_t j = 0; j < n; j++)
			out[j] = (u8)(i * 31 + j * 7 + (j >> 8));
		assert_int_equal(sim_sendto(x, out, n, B_IP, 53), n);
		sim_run(50 * MS);
		while ((k = sim_recv(y, in, sizeof(in), 0)) >= 0) {
			came++;
			if ((size_t)k == n)
				assert_memory_equal(in, out, n);
		}
	}
	assert_in_range(came, 80, 260);
	assert_true(atomic_load(&b->net.mib[MIB_IP_REASM_OKS]) > 50);
	socket_close(x);
	socket_close(y);
	finish();
}

static void raw_fragment(u16 id, u16 off, bool more, const u8 *data, u32 n)
{
	struct packet *p = packet_alloc(66, 34 + n);
	u8 *f = packet_put(p, 34 + n);
	struct iphdr *ip = (struct iphdr *)(f + 14);

	memset(f, 0, 34);
	memcpy(f, b->dev.mac, 6);
	f[12] = 8;
	*ip = (struct iphdr){.version = 4,
			     .ihl = 5,
			     .ttl = 64,
			     .protocol = 17,
			     .saddr = A_IP,
			     .daddr = B_IP,
			     .id = id,
			     .tot_len = be16((u16)(20 + n)),
			     .frag_off = be16((u16)(off / 8 | (more ? IP_OFF_MF : 0)))};
	ip->check = ip_checksum(ip, 20);
	memcpy(f + 34, data, n);
	net_enter();
	netdev_receive(&b->dev, p);
	net_leave();
}

static void test_hostile_fragments(void **st)
{
	u8 d[1480] = {0, 7, 0, 53, 0, 40}; /* a UDP header: 40 bytes, no checksum */
	struct socket *y;
	u8 in[64];

	start();
	y = udp(b, 53);
	/* In reverse order, with a duplicate. */
	raw_fragment(1, 24, false, d, 16);
	raw_fragment(1, 8, true, d + 8, 16);
	raw_fragment(1, 8, true, d + 8, 16);
	assert_int_equal(sim_recv(y, in, 64, 0), -EAGAIN);
	raw_fragment(1, 0, true, d, 8);
	assert_int_equal(sim_recv(y, in, 64, 0), 32);
	/* Overlaps (teardrop) lose the datagram. */
	raw_fragment(2, 0, true, d, 24);
	raw_fragment(2, 16, false, d, 24);
	raw_fragment(2, 24, false, d, 16);
	assert_int_equal(sim_recv(y, in, 64, 0), -EAGAIN);
	/* Beyond 64 KiB, odd middle lengths, two different ends. */
	raw_fragment(3, 65528, false, d, 100);
	raw_fragment(4, 0, true, d, 13);
	raw_fragment(5, 64, false, d, 8);
	raw_fragment(5, 128, false, d, 8);
	/* A piece beyond the end, when the end was known and when it comes after. */
	raw_fragment(6, 64, false, d, 8);
	raw_fragment(6, 128, true, d, 8);
	raw_fragment(7, 128, true, d, 8);
	raw_fragment(7, 64, false, d, 8);
	assert_int_equal(sim_recv(y, in, 64, 0), -EAGAIN);
	/* A flood of first fragments stays within the memory limit and is gone after the time-out. */
	for (unsigned i = 0; i < 20000; i++)
		raw_fragment((u16)(100 + i), 0, true, d, 1480);
	assert_true(host_heap_live() < heap + 8000);
	sim_run(40 * SEC);
	assert_true(atomic_load(&b->net.mib[MIB_IP_REASM_TIMEOUT]) > 0);
	socket_close(y);
	finish();
}

static void test_broadcast_and_multicast(void **st)
{
	struct socket *x, *y, *z;
	struct ip_mreqn m = {.imr_multiaddr.s_addr = IP4(239, 1, 2, 3), .imr_ifindex = 2};
	char buf[64];

	start();
	x = udp(a, 0);
	y = udp(b, 500);
	z = sim_socket(&b->net, AF_INET, SOCK_DGRAM);
	sim_setopt(z, SOL_SOCKET, SO_REUSEADDR, 1);
	sim_setopt(y, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(sim_bind(z, 0, 500), 0);
	assert_int_equal(sim_sendto(x, "b", 1, IP4(10, 0, 0, 255), 500), -EACCES);
	sim_setopt(x, SOL_SOCKET, SO_BROADCAST, 1);
	assert_int_equal(sim_sendto(x, "b", 1, IP4(10, 0, 0, 255), 500), 1);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, buf, 64, 0), 1); /* each socket gets a copy */
	assert_int_equal(sim_recv(z, buf, 64, 0), 1);
	assert_int_equal(y->ops->setsockopt(y, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	sim_setopt(z, SOL_IP, IP_MULTICAST_ALL, 0);
	assert_int_equal(sim_sendto(x, "mm", 2, IP4(239, 1, 2, 3), 500), 2);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, buf, 64, 0), 2);
	assert_int_equal(sim_recv(z, buf, 64, 0), -EAGAIN);
	assert_int_equal(y->ops->setsockopt(y, SOL_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	assert_int_equal(sim_sendto(x, "mm", 2, IP4(239, 1, 2, 3), 500), 2);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, buf, 64, 0), -EAGAIN);
	socket_close(x);
	socket_close(y);
	socket_close(z);
	finish();
}

static void test_ping(void **st)
{
	struct socket *x;
	u8 echo[32] = {8}, buf[64];

	start();
	x = socket_create(&a->net, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	assert_false(IS_ERR(x));
	assert_int_equal(sim_connect(x, B_IP, 0), 0);
	assert_int_equal(sim_send(x, echo, sizeof(echo), 0), sizeof(echo));
	sim_run(20 * MS);
	assert_int_equal(sim_recv(x, buf, 64, 0), sizeof(echo));
	assert_int_equal(buf[0], 0);
	socket_close(x);
	/* Both ways over IPv6's loopback. */
	assert_int_equal(ip6_stack_init(&a->net), 0);
	x = socket_create(&a->net, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
	echo[0] = 128;
	{
		struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr.s6_addr[15] = 1};

		assert_int_equal(x->ops->connect(x, (struct sockaddr *)&sa, sizeof(sa), false), 0);
	}
	assert_int_equal(sim_send(x, echo, sizeof(echo), 0), sizeof(echo));
	assert_int_equal(sim_recv(x, buf, 64, 0), sizeof(echo));
	assert_int_equal(buf[0], 129);
	socket_close(x);
	finish();
}

/* Packets wait for ARP, in order, and not for ever. */
static void test_arp(void **st)
{
	struct socket *x, *y;
	char buf[8];

	start();
	x = udp(a, 0);
	y = udp(b, 53);
	for (char c = '0'; c < '5'; c++)
		assert_int_equal(sim_sendto(x, &c, 1, B_IP, 53), 1);
	sim_run(20 * MS);
	for (char c = '0'; c < '5'; c++) {
		assert_int_equal(sim_recv(y, buf, 8, 0), 1);
		assert_int_equal(buf[0], c);
	}
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(sim_sendto(x, "x", 1, IP4(10, 0, 0, 99), 53), 1);
	sim_run(10 * SEC);
	/* The neighbour moved to another card: an announcement is enough. */
	b->dev.mac[4] = 9;
	arp_announce(&b->dev, B_IP);
	sim_run(20 * MS);
	assert_int_equal(sim_sendto(x, "y", 1, B_IP, 53), 1);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, buf, 8, 0), 1);
	socket_close(x);
	socket_close(y);
	finish();
}

/* A DHCP server on b, as a socket; the client is a's. */
static u8 *opt(u8 *p, u8 code, const void *v, u8 n)
{
	p[0] = code;
	p[1] = n;
	memcpy(p + 2, v, n);
	return p + 2 + n;
}

static int serve(struct socket *s, u32 lease, bool nak)
{
	u8 buf[1500], *p;
	struct dhcp_message *m = (struct dhcp_message *)buf;
	ssize_t n = sim_recv(s, buf, sizeof(buf), 0);
	u32 server = B_IP, mask = IP4(255, 255, 255, 0), gw = B_IP,
	    dns[2] = {IP4(1, 1, 1, 1), IP4(8, 8, 8, 8)};
	u32 seconds = be32(lease);
	u8 type, reply;

	if (n < 0)
		return 0;
	assert_true(n >= 300);
	assert_int_equal(m->cookie, DHCP_COOKIE);
	p = (u8 *)(m + 1);
	assert_int_equal(p[0], DHCP_OPT_TYPE);
	type = p[2];
	if (type == DHCP_RELEASE || type == DHCP_DECLINE)
		return type;
	reply = nak ? DHCP_NAK : (type == DHCP_DISCOVER ? DHCP_OFFER : DHCP_ACK);
	m->op = 2;
	m->yiaddr = IP4(10, 0, 0, 123);
	p = opt(p, DHCP_OPT_TYPE, &reply, 1);
	p = opt(p, DHCP_OPT_SERVER, &server, 4);
	p = opt(p, DHCP_OPT_LEASE, &seconds, 4);
	p = opt(p, DHCP_OPT_MASK, &mask, 4);
	p = opt(p, DHCP_OPT_ROUTER, &gw, 4);
	p = opt(p, DHCP_OPT_DNS, dns, 8);
	p = opt(p, DHCP_OPT_DOMAIN, "example.org", 11);
	*p++ = DHCP_OPT_END;
	sim_sendto(s, buf, (size_t)(p - buf), m->ciaddr ? m->ciaddr : IP4_BROADCAST, 68);
	return type;
}

static void serve_for(struct socket *s, u64 ns, u32 lease)
{
	u64 until = clock_monotonic() + ns;

	while (clock_monotonic() < until) {
		serve(s, lease, false);
		sim_step(50 * MS);
	}
}

static void test_dhcp(void **st)
{
	struct route_result rt;
	struct net_addr any = addr_v4(0), far = addr_v4(IP4(99, 9, 9, 9)), own = addr_v4(IP4(10, 0, 0, 123));
	struct socket *s;

	start();
	if_addr_flush(&a->dev, true);
	route_flush_dev(&a->net, &a->dev, true);
	s = udp(b, 67);
	sim_setopt(s, SOL_SOCKET, SO_BROADCAST, 1);
	assert_int_equal(dhcp_start(&a->dev), 0);
	serve_for(s, 3 * SEC, 1000);
	assert_string_equal(dhcp_state(&a->dev), "bound");
	assert_true(net_addr_is_local(&a->net, &own, NULL));
	assert_int_equal(route_lookup(&a->net, &far, &any, 0, &rt), 0);
	assert_int_equal(rt.nexthop.w[3], B_IP);
	assert_int_equal(a->net.dns[0], IP4(1, 1, 1, 1));
	assert_string_equal(a->net.domain, "example.org");
	/* It renews at half of the lease, again and again. */
	serve_for(s, 5000 * SEC, 1000);
	assert_string_equal(dhcp_state(&a->dev), "bound");
	assert_true(if_addr_first(&a->dev, true)->valid_until > clock_monotonic() + 400 * SEC);
	/* The server is silent: renewing, rebinding, then the address is given up. */
	sim_run(600 * SEC);
	assert_string_equal(dhcp_state(&a->dev), "renewing");
	sim_run(350 * SEC);
	assert_string_equal(dhcp_state(&a->dev), "rebinding");
	sim_run(200 * SEC);
	assert_string_equal(dhcp_state(&a->dev), "selecting");
	assert_false(net_addr_is_local(&a->net, &own, NULL));
	while (sim_recv(s, (u8[1500]){}, 1500, 0) >= 0)
		;
	/* It comes back; then a NAK starts over. */
	serve_for(s, 130 * SEC, 1000);
	assert_string_equal(dhcp_state(&a->dev), "bound");
	sim_run(510 * SEC);
	assert_int_equal(serve(s, 1000, true), DHCP_REQUEST);
	sim_run(20 * MS);
	assert_string_equal(dhcp_state(&a->dev), "selecting");
	serve_for(s, 130 * SEC, ~0u);
	assert_string_equal(dhcp_state(&a->dev), "bound");
	sim_run(100000 * SEC); /* an endless lease is never renewed */
	assert_int_equal(serve(s, 1, false), 0);
	dhcp_stop(&a->dev, true);
	sim_run(20 * MS);
	assert_int_equal(serve(s, 1, false), DHCP_RELEASE);
	socket_close(s);
	finish();
}

/* Somebody has the address already and says so, to the probe or later: it is declined, and asked for again
 * after ten seconds. What was good for that long stays. */
static void test_dhcp_conflict(void **st)
{
	struct net_addr own = addr_v4(IP4(10, 0, 0, 123));
	struct if_addr theirs = {.addr = own, .plen = 24, .valid_until = ~0ull, .preferred_until = ~0ull};
	struct socket *s;
	int type = 0;

	start();
	if_addr_flush(&a->dev, true);
	route_flush_dev(&a->net, &a->dev, true);
	s = udp(b, 67);
	sim_setopt(s, SOL_SOCKET, SO_BROADCAST, 1);
	assert_int_equal(if_addr_add(&b->dev, &theirs), 0);
	assert_int_equal(dhcp_start(&a->dev), 0);
	for (unsigned i = 0; i < 100 && type != DHCP_DECLINE; i++) {
		assert_false(net_addr_is_local(&a->net, &own, NULL));
		type = serve(s, 1000, false);
		sim_step(50 * MS);
	}
	assert_int_equal(type, DHCP_DECLINE);
	assert_false(net_addr_is_local(&a->net, &own, NULL));
	assert_int_equal(if_addr_del(&b->dev, &own, -1), 0);
	serve_for(s, 9 * SEC, 1000);
	assert_string_equal(dhcp_state(&a->dev), "selecting");
	serve_for(s, 3 * SEC, 1000);
	assert_string_equal(dhcp_state(&a->dev), "bound");
	arp_announce(&b->dev, own.w[3]);
	sim_run(20 * MS);
	assert_int_equal(serve(s, 1000, false), DHCP_DECLINE);
	assert_false(net_addr_is_local(&a->net, &own, NULL));
	serve_for(s, 30 * SEC, 1000);
	assert_string_equal(dhcp_state(&a->dev), "bound");
	arp_announce(&b->dev, own.w[3]);
	sim_run(20 * MS);
	assert_string_equal(dhcp_state(&a->dev), "bound");
	dhcp_stop(&a->dev, true);
	sim_run(20 * MS);
	assert_int_equal(serve(s, 1, false), DHCP_RELEASE);
	socket_close(s);
	finish();
}

static void test_receive_buffer_limit(void **st)
{
	static u8 d[1000];
	struct socket *x, *y;
	unsigned got = 0;

	start();
	x = udp(a, 0);
	y = udp(b, 53);
	sim_setopt(y, SOL_SOCKET, SO_RCVBUF, 10000);
	assert_int_equal(sim_sendto(x, d, 1, B_IP, 53), 1); /* ARP */
	sim_run(20 * MS);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(sim_sendto(x, d, sizeof(d), B_IP, 53), sizeof(d));
	sim_run(100 * MS);
	while (sim_recv(y, d, sizeof(d), 0) > 0)
		got++;
	assert_in_range(got, 5, 30);
	assert_true(atomic_load(&b->net.mib[MIB_UDP_RCVBUF_ERRORS]) > 100);
	socket_close(x);
	socket_close(y);
	finish();
}

/* UDP_SEGMENT: one write, many datagrams, each a packet of its own. */
static void test_udp_segments(void **st)
{
	static u8 big[65507];
	struct socket *x, *y;
	u8 buf[1500];

	start();
	x = udp(a, 0);
	y = udp(b, 500);
	sim_setopt(y, SOL_SOCKET, SO_RCVBUF, 200000);
	assert_int_equal(sim_setopt(x, SOL_UDP, 103, 1000), 0);
	for (u32 i = 0; i < sizeof(big); i++)
		big[i] = (u8)(i / 1000);
	assert_int_equal(sim_sendto(x, big, 2500, B_IP, 500), 2500);
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, buf, sizeof(buf), 0), 1000);
	assert_int_equal(sim_recv(y, buf, sizeof(buf), 0), 1000);
	assert_int_equal(buf[0], 1);
	assert_int_equal(sim_recv(y, buf, sizeof(buf), 0), 500);
	assert_int_equal(sim_recv(y, buf, sizeof(buf), 0), -EAGAIN);
	assert_int_equal(sim_sendto(x, big, 1000, B_IP, 500), 1000); /* one segment: a usual datagram */
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, buf, sizeof(buf), 0), 1000);
	assert_int_equal(sim_sendto(x, big, 64001, B_IP, 500), -EINVAL); /* too many */
	sim_setopt(x, SOL_UDP, 103, 1473);
	assert_int_equal(sim_sendto(x, big, 3000, B_IP, 500), -EINVAL); /* too long for the path */
	sim_setopt(x, SOL_UDP, 103, 1472);
	assert_int_equal(sim_sendto(x, big, 3000, B_IP, 500), 3000);
	sim_run(20 * MS);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sim_recv(y, buf, sizeof(buf), 0), 1472);
	assert_int_equal(sim_recv(y, buf, sizeof(buf), 0), 56);
	socket_close(x);
	socket_close(y);
	finish();
}

static struct {
	unsigned requests, mld_reports;
	u8 xid[3], duid[10];
} asked;

static bool hear_dhcp6(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	if (side == 0 && f[12] == 0x86 && f[20] == 17 && f[56] == 547 >> 8 && f[57] == (547 & 0xff)) {
		assert_int_equal(f[62], DHCP6_INFORMATION_REQUEST);
		assert_int_equal(f[38], 0xff); /* to all agents and servers */
		memcpy(asked.xid, f + 63, 3);
		memcpy(asked.duid, f + 70, 10);
		asked.requests++;
	}
	if (side == 0 && f[12] == 0x86 && f[20] == 0 && f[62] == 143) { /* MLDv2, to ff02::16 */
		assert_true(f[38] == 0xff && f[53] == 0x16);
		asked.mld_reports++;
	}
	return true;
}

/* An IPv6 frame from a router, fe80::9, with its checksum where CSUM says. */
static void from_router(struct netdev *dev, const struct net_addr *dst, u8 proto, u8 *payload, u32 n,
			u32 csum)
{
	struct net_addr src = {.b = {0xfe, 0x80, [15] = 9}};
	struct packet *p = packet_alloc(66, 54 + n);
	u8 *f = packet_put(p, 54 + n);
	u16 sum = csum_fold(csum_partial(payload, n, csum_pseudo(&src, dst, n, proto)));

	memcpy(payload + csum, &sum, 2);
	memset(f, 0, 54);
	memcpy(f, dev->mac, 6);
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[18] = (u8)(n >> 8);
	f[19] = (u8)n;
	f[20] = proto;
	f[21] = 255;
	memcpy(f + 22, &src, 16);
	memcpy(f + 38, dst, 16);
	memcpy(f + 54, payload, n);
	net_enter();
	netdev_receive(dev, p);
	net_leave();
}

/* A router gives a prefix and a name server, and says that DHCPv6 knows more. */
static void test_ipv6_configuration(void **st)
{
	u8 ra[] = {134,	 0,   0,    0,	  64, 0x40, 7,	8,  0, 0, 0, 0, 0, 0,  0, 0, /* other configuration,
											half an hour */
		   3,	 4,   64,   0xc0, 0,  0,    14, 16, 0, 0, 7, 8, 0, 0,  0, 0, 0x20, 1, 0x0d,
		   0xb8, 0,   0,    0,	  0,  0,    0,	0,  0, 0, 0, 0, 0, 25, 3, 0, 0,	   0, 0,
		   0,	 100, 0xfd, 0,	  0,  0,    0,	0,  0, 0, 0, 0, 0, 0,  0, 0, 0,	   53};
	u8 reply[] = {2, 35, 2, 34, 0, 61, 0, 0, 7, 0,	0, 0,  0,  1, 0,  10,	0,   0,	  0, 0, 0,
		      0, 0,  0, 0,  0, 0,  2, 0, 2, 9,	9, 0,  23, 0, 16, 0xfd, 0,   0,	  0, 0, 0,
		      0, 0,  0, 0,  0, 0,  0, 0, 0, 54, 0, 24, 0,  5, 3,  'l',	'a', 'n', 0};
	struct net_addr all = {.b = {0xff, 2, [15] = 1}}, own = {},
			far = {.b = {0x20, 1, 0x48, 0x60, [15] = 1}}, any = {};
	struct net_addr prefix = {.b = {0x20, 1, 0x0d, 0xb8}};
	struct route_result rt;

	start();
	memset(&asked, 0, sizeof(asked));
	link.filter = hear_dhcp6;
	assert_int_equal(ip6_stack_init(&a->net), 0);
	sim_run(2 * SEC);
	assert_in_range(asked.mld_reports, 2, 3); /* the solicited-node group of fe80::..., twice */
	from_router(&a->dev, &all, 58, ra, sizeof(ra), 2);
	sim_run(2 * SEC);
	for (const struct if_addr *i = net_if(&a->dev)->addrs; i; i = i->next)
		if (addr_prefix_equal(&i->addr, &prefix, 64) && !(i->flags & IFA_F_TENTATIVE))
			own = i->addr;
	assert_true(addr_prefix_equal(&own, &prefix, 64));
	assert_int_equal(route_lookup(&a->net, &far, &any, 0, &rt), 0);
	assert_int_equal(rt.nexthop.b[15], 9);
	assert_true(addr_equal(&any, &own));
	assert_int_equal(a->net.dns6[0].b[15], 53);
	assert_true(a->net.dns6_until > clock_monotonic() &&
		    a->net.dns6_until < clock_monotonic() + 100 * SEC);
	/* It asks, and again until somebody answers. */
	assert_true(asked.requests >= 1);
	sim_run(10 * SEC);
	assert_in_range(asked.requests, 2, 5);
	memcpy(reply + 9, asked.xid, 3);
	memcpy(reply + 16, asked.duid, 10);
	for (const struct if_addr *i = net_if(&a->dev)->addrs; i; i = i->next)
		if (addr_is_link_local(&i->addr))
			own = i->addr;
	from_router(&a->dev, &own, 17, reply, sizeof(reply), 6);
	assert_int_equal(a->net.dns6[0].b[15], 54);
	assert_string_equal(a->net.search6, "lan");
	asked.requests = 0;
	sim_run(80000 * SEC);
	assert_int_equal(asked.requests, 0);
	sim_run(10000 * SEC); /* a day: what we know gets old */
	assert_true(asked.requests > 0);
	finish();
}

/* What a host says about its groups: the last report that it sent. */
static struct {
	unsigned frames;
	u8 data[200];
	u32 len;
} said;

static bool hear_igmp(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	if (side == 0 && f[12] == 8 && f[23] == 2) {
		u32 at = 14 + (f[14] & 15) * 4u;

		said.frames++;
		said.len = (u32)(f[16] << 8 | f[17]) + 14 - at;
		assert_true(said.len <= sizeof(said.data));
		memcpy(said.data, f + at, said.len);
		assert_int_equal(ip_checksum(said.data, said.len), 0);
		assert_int_equal(f[22], 1);    /* TTL */
		assert_int_equal(f[34], 0x94); /* router alert */
	}
	return true;
}

static void igmp_query(u8 code, u32 group, bool v3)
{
	u8 q[12] = {0x11, code};
	struct packet *p = packet_alloc(66, 14 + 20 + sizeof(q));
	u32 n = v3 ? 12 : 8;
	u8 *f = packet_put(p, 34 + n);
	struct iphdr *ip = (struct iphdr *)(f + 14);
	u16 sum;

	memcpy(q + 4, &group, 4);
	sum = ip_checksum(q, n);
	memcpy(q + 2, &sum, 2);
	memset(f, 0, 34);
	memcpy(f, (u8[]){1, 0, 0x5e, 0, 0, 1}, 6);
	f[12] = 8;
	*ip = (struct iphdr){.version = 4,
			     .ihl = 5,
			     .ttl = 1,
			     .protocol = 2,
			     .saddr = B_IP,
			     .daddr = IP4(224, 0, 0, 1),
			     .tot_len = be16((u16)(20 + n))};
	ip->check = ip_checksum(ip, 20);
	memcpy(f + 34, q, n);
	net_enter();
	netdev_receive(&a->dev, p);
	net_leave();
}

static void expect_record(u8 type, u16 nsources, u32 group)
{
	assert_int_equal(said.data[0], 0x22);
	assert_int_equal(said.data[7], 1); /* one record */
	assert_int_equal(said.data[8], type);
	assert_int_equal(said.data[10] << 8 | said.data[11], nsources);
	assert_memory_equal(said.data + 12, &group, 4);
}

static void test_igmp(void **st)
{
	struct ip_mreqn m = {.imr_multiaddr.s_addr = IP4(239, 1, 2, 3), .imr_ifindex = 2};
	struct ip_mreq_source ms = {
		.imr_multiaddr = IP4(232, 1, 1, 1), .imr_interface = A_IP, .imr_sourceaddr = B_IP};
	struct socket *x;

	start();
	memset(&said, 0, sizeof(said));
	link.filter = hear_igmp;
	x = udp(a, 500);
	/* A change is told at once, and once more; a query is answered; the end, too, is told twice. */
	assert_int_equal(x->ops->setsockopt(x, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	sim_run(MS);
	assert_int_equal(said.frames, 1);
	expect_record(4, 0, m.imr_multiaddr.s_addr);
	sim_run(2 * SEC);
	assert_int_equal(said.frames, 2);
	igmp_query(20, 0, true);
	assert_int_equal(said.frames, 2);
	sim_run(3 * SEC);
	assert_int_equal(said.frames, 3);
	expect_record(2, 0, m.imr_multiaddr.s_addr);
	assert_int_equal(x->ops->setsockopt(x, SOL_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	sim_run(2 * SEC);
	assert_int_equal(said.frames, 5);
	expect_record(3, 0, m.imr_multiaddr.s_addr);
	/* One source only. */
	assert_int_equal(x->ops->setsockopt(x, SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, &ms, sizeof(ms)), 0);
	sim_run(2 * SEC);
	assert_int_equal(said.frames, 7);
	expect_record(3, 1, ms.imr_multiaddr);
	assert_memory_equal(said.data + 16, &ms.imr_sourceaddr, 4);
	ms.imr_sourceaddr = IP4(10, 0, 0, 77);
	assert_int_equal(x->ops->setsockopt(x, SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, &ms, sizeof(ms)), 0);
	sim_run(2 * SEC);
	expect_record(3, 2, ms.imr_multiaddr);
	assert_int_equal(x->ops->setsockopt(x, SOL_IP, IP_DROP_SOURCE_MEMBERSHIP, &ms, sizeof(ms)), 0);
	sim_run(2 * SEC);
	expect_record(3, 1, ms.imr_multiaddr);
	/* An old router: version 2 is spoken for a while. */
	igmp_query(100, 0, false);
	sim_run(11 * SEC);
	assert_int_equal(said.data[0], 0x16);
	assert_int_equal(said.len, 8);
	said.frames = 0;
	socket_close(x);
	sim_run(2 * SEC);
	assert_int_equal(said.data[0], 0x17);
	assert_true(said.frames > 0);
	assert_null(net_if(&a->dev)->groups);
	finish();
}

/* A route leads to an interface, or says why there is no way; anything else a look-up could not answer. */
static void test_route_types(void **st)
{
	struct route r = {.dst = addr_v4(IP4(192, 168, 0, 0)), .plen = 16, .gateway = addr_v4(0)};
	struct net_addr any = addr_v4(0), dst = addr_v4(IP4(192, 168, 1, 1));
	struct route_result rt;

	start();
	r.type = RTN_UNICAST;
	assert_int_equal(route_add(&a->net, &r, true), -EINVAL);
	for (r.type = RTN_LOCAL; r.type <= RTN_MULTICAST; r.type++)
		assert_int_equal(route_add(&a->net, &r, true), -EINVAL);
	r.type = RTN_PROHIBIT;
	assert_int_equal(route_add(&a->net, &r, true), 0);
	assert_int_equal(route_lookup(&a->net, &dst, &any, 0, &rt), -EACCES);
	r.type = RTN_UNREACHABLE;
	assert_int_equal(route_add(&a->net, &r, false), -EEXIST);
	assert_int_equal(route_add(&a->net, &r, true), 0);
	assert_int_equal(route_lookup(&a->net, &dst, &any, 0, &rt), -EHOSTUNREACH);
	assert_int_equal(route_del(&a->net, &r), 0);
	assert_int_equal(route_lookup(&a->net, &dst, &any, 0, &rt), -ENETUNREACH);
	finish();
}

UNIT_TESTS(test_datagrams, test_fragments, test_hostile_fragments, test_broadcast_and_multicast, test_ping,
	   test_arp, test_dhcp, test_dhcp_conflict, test_receive_buffer_limit, test_route_types,
	   test_ipv6_configuration, test_igmp, test_udp_segments)
