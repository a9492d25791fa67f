// SPDX-License-Identifier: BSD-2-Clause
/* What a host learns from its network, and forgets again: routers' advertisements, duplicates of its
 * addresses, path MTUs, neighbours, queries for its groups; and what it says to others within limits. */
// clang-format off
// sources: tests/net-sim/sim.c net/core/*.c net/ipv4/*.c net/ipv6/*.c net/tcp/*.c net/udp/*.c net/dhcp/*.c
// sources: net/netlink/*.c net/socket/socket.c net/socket/queue.c net/socket/error_queue.c net/socket/options.c net/socket/inet.c
// sources: net/socket/inet_options.c net/socket/inet_groups.c kernel/lib/bpf.c kernel/lib/iter.c kernel/lib/rbtree.c kernel/lib/siphash.c
// cflags: -Itests/net-sim
// clang-format on
#include "tests/unit/net/pair.h"

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

static u64 counted(struct sim_host *h, enum mib_index i)
{
	return atomic_load(&h->net.mib[i]);
}

/* An ICMPv6 message from SRC to a; its checksum is made here. */
static void icmp6_from(const struct net_addr *src, const struct net_addr *dst, u8 hops, u8 *m, u32 n)
{
	struct packet *p = packet_alloc(66, 54 + n);
	u8 *f = packet_put(p, 54 + n);
	u16 sum;

	memset(m + 2, 0, 2);
	sum = csum_fold(csum_partial(m, n, csum_pseudo(src, dst, n, IPPROTO_ICMPV6)));
	memcpy(m + 2, &sum, 2);
	memset(f, 0, 54);
	memcpy(f, a->dev.mac, 6);
	memcpy(f + 12, (u8[]){0x86, 0xdd, 0x60}, 3);
	memcpy(f + 18, (u8[]){(u8)(n >> 8), (u8)n, IPPROTO_ICMPV6, hops}, 4);
	memcpy(f + 22, src, 16);
	memcpy(f + 38, dst, 16);
	memcpy(f + 54, m, n);
	net_enter();
	netdev_receive(&a->dev, p);
	net_leave();
}

static const struct net_addr router = {.b = {0xfe, 0x80, [15] = 9}};
static const struct net_addr all_nodes = {.b = {0xff, 2, [15] = 1}};
static const struct net_addr far = {.b = {0x20, 1, 0x48, 0x60, [15] = 1}};

static struct if_addr *address_of_a(u8 first)
{
	for (struct if_addr *i = net_if(&a->dev)->addrs; i; i = i->next)
		if (!addr_is_v4(&i->addr) && i->addr.b[0] == first)
			return i;
	return NULL;
}

static u8 *put32(u8 *p, u32 v)
{
	v = be32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

/* The router's lifetime, 2001:db8::/64 for so long, name servers for so long; all in seconds. */
static void advertise(u16 lifetime, u32 valid, u32 preferred, u32 dns)
{
	u8 m[160] = {134, 0, 0, 0, 64, 0, (u8)(lifetime >> 8), (u8)lifetime}, *p = m + 16;

	memcpy(p, (u8[]){3, 4, 64, 0xc0}, 4);
	put32(put32(p + 4, valid), preferred);
	memcpy(p + 16, (u8[]){0x20, 1, 0x0d, 0xb8}, 4);
	p += 32;
	memcpy(p, (u8[]){5, 1}, 2);
	put32(p + 4, 1400);
	p += 8;
	memcpy(p, (u8[]){25, 3}, 2);
	put32(p + 4, dns);
	p[8] = 0xfd;
	p[23] = 53;
	p += 24;
	memcpy(p, (u8[]){31, 3}, 2);
	put32(p + 4, dns);
	memcpy(p + 8, "\4corp\7example\0\0\0", 16);
	p += 24;
	icmp6_from(&router, &all_nodes, 255, m, (u32)(p - m));
}

static int way_to(const struct net_addr *dst, struct route_result *rt)
{
	struct net_addr any = {};

	return route_lookup(&a->net, dst, &any, 0, rt);
}

static void test_lifetimes_of_advertisements(void **st)
{
	struct route_result rt;
	struct if_addr *own;
	u64 now;

	start();
	assert_int_equal(ip6_stack_init(&a->net), 0);
	sim_run(2 * SEC);
	advertise(1800, 90000, 50000, 600);
	sim_run(2 * SEC);
	assert_int_equal(way_to(&far, &rt), 0);
	assert_int_equal(rt.mtu, 1400);
	assert_string_equal(a->net.search6, "corp.example");
	own = address_of_a(0x20);
	assert_non_null(own);
	assert_false(own->flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED));
	/* A router that gives up; its prefix is still good. */
	advertise(0, 90000, 0, 0);
	assert_int_not_equal(way_to(&far, &rt), 0);
	assert_true(a->net.dns6_until <= clock_monotonic() && a->net.search6_until <= clock_monotonic());
	sim_run(MS);
	assert_true(own->flags & IFA_F_DEPRECATED);
	/* Nobody can end an address at once (RFC 4862 5.5.3): two hours are left to it. */
	advertise(60, 1, 1, 600);
	now = clock_monotonic();
	assert_in_range(own->valid_until, now + 7199 * SEC, now + 7201 * SEC);
	assert_int_equal(way_to(&far, &rt), 0);
	sim_run(61 * SEC);
	assert_int_not_equal(way_to(&far, &rt), 0);
	sim_run(7200 * SEC);
	assert_null(address_of_a(0x20));
	/* More preferred than valid is nonsense; a hop limit below 255 comes from afar. */
	advertise(0, 100, 200, 0);
	assert_null(address_of_a(0x20));
	finish();
}

static unsigned adverts, reports;

static bool hear(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	if (side == 0 && f[12] == 0x86 && f[20] == IPPROTO_ICMPV6 && f[54] == ND_ADVERT)
		adverts++;
	if (side == 0 && f[12] == 0x86 && f[20] == 0 && f[62] == MLD_V2_REPORT)
		reports++;
	return true;
}

static void test_duplicate_addresses(void **st)
{
	u8 m[24];
	struct net_addr own, group, any = {};

	for (unsigned round = 0; round < 3; round++) {
		bool solicited = round != 1;

		start();
		adverts = 0;
		link.filter = hear;
		assert_int_equal(ip6_stack_init(&a->net), 0);
		own = address_of_a(0xfe)->addr;
		group = ip6_solicited_node(&own);
		assert_true(address_of_a(0xfe)->flags & IFA_F_TENTATIVE);
		if (round == 2)
			sim_run(2 * SEC);
		memset(m, 0, sizeof(m));
		m[0] = solicited ? ND_SOLICIT : ND_ADVERT;
		m[4] = solicited ? 0 : 0x20;
		memcpy(m + 8, &own, 16);
		icmp6_from(solicited ? &any : &router, solicited ? &group : &all_nodes, 255, m, sizeof(m));
		sim_run(2 * SEC);
		/* Tested by another, or another's; but once it is ours we say so. */
		assert_int_equal(address_of_a(0xfe) != NULL, round == 2);
		assert_int_equal(adverts, round == 2);
		finish();
	}
}

static void test_listener_queries(void **st)
{
	u8 query[28] = {MLD_QUERY, 0, 0, 0, 3, 232}; /* within a second */
	unsigned before;

	start();
	link.filter = hear;
	assert_int_equal(ip6_stack_init(&a->net), 0);
	sim_run(3 * SEC);
	before = reports;
	icmp6_from(&router, &all_nodes, 1, query, sizeof(query));
	sim_run(1100 * MS);
	assert_int_equal(reports, before + 1);
	icmp6_from(&router, &all_nodes, 2, query, sizeof(query)); /* not from the link */
	sim_run(2 * SEC);
	assert_int_equal(reports, before + 1);
	finish();
}

static void test_path_mtu(void **st)
{
	static u8 d[1400];
	struct socket *x, *y;

	start();
	x = udp(a, 0);
	y = udp(b, 53);
	link.path_mtu = 1000;
	/* Lost, but the router's word is believed for ten minutes. */
	assert_int_equal(sim_sendto(x, d, sizeof(d), B_IP, 53), sizeof(d));
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, d, sizeof(d), 0), -EAGAIN);
	for (unsigned minute = 0; minute < 9; minute++) {
		assert_int_equal(sim_sendto(x, d, sizeof(d), B_IP, 53), sizeof(d));
		sim_run(20 * MS);
		assert_int_equal(sim_recv(y, d, sizeof(d), 0), sizeof(d));
		sim_run(60 * SEC);
	}
	assert_true(counted(a, MIB_IP_FRAG_OKS) >= 9);
	sim_setopt(x, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	assert_int_equal(sim_sendto(x, d, 973, B_IP, 53), -EMSGSIZE);
	assert_int_equal(sim_sendto(x, d, 972, B_IP, 53), 972);
	sim_setopt(x, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE); /* it tries the path for itself */
	assert_int_equal(sim_sendto(x, d, sizeof(d), B_IP, 53), sizeof(d));
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, d, sizeof(d), 0), 972);
	assert_int_equal(sim_recv(y, d, sizeof(d), 0), -EAGAIN);
	sim_run(700 * SEC);
	link.path_mtu = 0;
	sim_setopt(x, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	assert_int_equal(sim_sendto(x, d, sizeof(d), B_IP, 53), sizeof(d)); /* forgotten */
	sim_run(20 * MS);
	assert_int_equal(sim_recv(y, d, sizeof(d), 0), sizeof(d));
	socket_close(x);
	socket_close(y);
	finish();
}

static void test_errors_within_a_rate(void **st)
{
	struct socket *x;
	u64 first;

	start();
	x = udp(a, 0);
	sim_sendto(x, "x", 1, B_IP, 9); /* ARP */
	sim_run(2 * SEC);
	first = counted(b, MIB_ICMP_OUT_DEST_UNREACHS);
	assert_int_equal(first, 1);
	for (unsigned i = 0; i < 200; i++)
		sim_sendto(x, "x", 1, B_IP, 9);
	sim_run(10 * MS);
	assert_in_range(counted(b, MIB_ICMP_OUT_DEST_UNREACHS), first + 50, first + 70);
	assert_true(counted(b, MIB_ICMP_OUT_RATE_LIMIT) >= 130);
	first = counted(b, MIB_ICMP_OUT_DEST_UNREACHS);
	sim_run(SEC);
	sim_sendto(x, "x", 1, B_IP, 9);
	sim_run(10 * MS);
	assert_int_equal(counted(b, MIB_ICMP_OUT_DEST_UNREACHS), first + 1);
	socket_close(x);
	finish();
}

static bool only_first_fragment;

static bool lose_fragments(struct sim_link *l, unsigned side, u8 *f, u32 len, void *arg)
{
	u32 off = (u32)(f[20] << 8 | f[21]) & IP_OFF_MASK;

	return side != 0 || f[12] != 8 || f[13] || f[23] != IPPROTO_UDP || (off == 0) == only_first_fragment;
}

/* The sender of a datagram that never became whole hears of it if its first part came (RFC 1122 3.3.2). */
static void test_fragments_that_wait_in_vain(void **st)
{
	static u8 d[3000];
	struct socket *x;

	start();
	x = udp(a, 0);
	link.filter = lose_fragments;
	only_first_fragment = true;
	sim_sendto(x, d, sizeof(d), B_IP, 53);
	sim_run(29 * SEC);
	assert_int_equal(counted(a, MIB_ICMP_IN_TIME_EXCDS), 0);
	sim_run(2 * SEC);
	assert_int_equal(counted(a, MIB_ICMP_IN_TIME_EXCDS), 1);
	assert_int_equal(counted(b, MIB_IP_REASM_TIMEOUT), 1);
	only_first_fragment = false;
	sim_sendto(x, d, sizeof(d), B_IP, 53);
	sim_run(40 * SEC);
	assert_int_equal(counted(a, MIB_ICMP_IN_TIME_EXCDS), 1);
	assert_int_equal(counted(b, MIB_IP_REASM_TIMEOUT), 2);
	socket_close(x);
	finish();
}

struct question {
	u32 v4;
	u16 state;
};

static bool note_state(const struct neigh_info *n, void *arg)
{
	struct question *q = arg;

	if (n->addr.w[3] == q->v4)
		q->state = n->state;
	return true;
}

static u16 state_of(u32 v4)
{
	struct question q = {.v4 = v4, .state = NUD_NONE};

	neigh_for_each(&a->net, note_state, &q);
	return q.state;
}

static void test_neighbour_states(void **st)
{
	struct socket *x, *y;

	start();
	x = udp(a, 0);
	y = udp(b, 53);
	sim_sendto(x, "1", 1, B_IP, 53);
	assert_int_equal(state_of(B_IP), NUD_INCOMPLETE);
	sim_run(20 * MS);
	assert_int_equal(state_of(B_IP), NUD_REACHABLE);
	/* Long ago: used at once, and asked about five seconds later. */
	sim_run(50 * SEC);
	sim_sendto(x, "2", 1, B_IP, 53);
	assert_int_equal(state_of(B_IP), NUD_DELAY);
	sim_run(4 * SEC);
	assert_int_equal(state_of(B_IP), NUD_DELAY);
	sim_run(2 * SEC);
	assert_int_equal(state_of(B_IP), NUD_REACHABLE);
	/* Gone. */
	sim_run(50 * SEC);
	link.down = true;
	sim_sendto(x, "3", 1, B_IP, 53);
	sim_run(5500 * MS);
	assert_int_equal(state_of(B_IP), NUD_PROBE);
	sim_run(3 * SEC);
	assert_int_equal(state_of(B_IP), NUD_FAILED);
	link.down = false;
	/* Who announces himself is only believed where somebody asked. */
	arp_announce(&b->dev, B_IP);
	sim_run(20 * MS);
	assert_int_equal(state_of(B_IP), NUD_STALE);
	arp_announce(&b->dev, IP4(10, 0, 0, 77));
	sim_run(20 * MS);
	assert_int_equal(state_of(IP4(10, 0, 0, 77)), NUD_NONE);
	while (sim_recv(y, (u8[8]){}, 8, 0) >= 0)
		;
	socket_close(x);
	socket_close(y);
	finish();
}

UNIT_TESTS(test_lifetimes_of_advertisements, test_duplicate_addresses, test_listener_queries, test_path_mtu,
	   test_errors_within_a_rate, test_fragments_that_wait_in_vain, test_neighbour_states)
