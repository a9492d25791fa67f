// SPDX-License-Identifier: BSD-2-Clause
/* Pieces without state: checksums against a plain reference, TCP options, DHCP messages, addresses as text,
 * netlink attributes, packets in parts. */
// clang-format off
// sources: net/core/checksum.c net/core/packet.c net/core/addr_text.c net/tcp/tcp_options.c net/dhcp/dhcp_parse.c
// sources: net/dhcp/dhcp6_parse.c net/dhcp/dns_names.c net/netlink/netlink_msg.c kernel/lib/iter.c
// clang-format on
#include "unit.h"

#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/dhcp.h"
#include "net/ip.h"
#include "net/netlink.h"
#include "net/packet.h"
#include "net/tcp.h"

/* What the linked pieces call but these tests do not reach. */
DEFINE_PER_CPU(struct net_cpu, net_cpu);
void net_run_pending(void)
{
}
void *net_alloc(size_t n)
{
	return kmalloc(n);
}
void *net_zalloc(size_t n)
{
	return kzalloc(n);
}
void route_changed(struct net_stack *net)
{
}
void igmp_group_changed(struct netdev *dev, const struct net_addr *group, bool joined)
{
}

static u16 reference(const u8 *p, size_t n)
{
	u32 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (u32)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return be16((u16)~sum);
}

static void test_checksum(void **state)
{
	u8 buf[2000];

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (u8)(i * i >> 3 ^ i);
	for (unsigned off = 0; off < 17; off++)
		for (unsigned n = 0; n < 300; n++)
			assert_int_equal(ip_checksum(buf + off, n), reference(buf + off, n));
	assert_int_equal(ip_checksum(buf, sizeof(buf)), reference(buf, sizeof(buf)));
	/* In blocks of any length, odd ones included. */
	for (unsigned cut = 0; cut <= 100; cut++) {
		u32 sum = csum_partial(buf, cut, 0);

		sum = csum_block_add(sum, csum_partial(buf + cut, 100 - cut, 0), cut);
		assert_int_equal(csum_fold(sum), reference(buf, 100));
	}
}

static struct tcp_options parse(const u8 *opt, u8 n, bool syn)
{
	u8 h[60] = {};
	struct tcphdr *th = (struct tcphdr *)h;
	struct tcp_options o;

	th->doff = (u8)((20 + n) / 4);
	th->syn = syn;
	memcpy(h + 20, opt, n);
	tcp_parse_options(th, &o);
	return o;
}

static void test_options(void **state)
{
	static const u8 syn[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
	static const u8 big_shift[] = {3, 3, 30, 0};
	static const u8 ts[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
	static const u8 sack[] = {1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 2, 0};
	static const u8 zero_len[] = {2, 0, 5, 0xb4}, past_end[] = {1, 1, 8, 10}, cut[] = {1, 1, 1, 2};
	static const u8 bad_sack[] = {5, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0}, end_first[] = {0, 2, 4, 5};
	struct tcp_options o = parse(syn, sizeof(syn), true);

	assert_int_equal(o.mss, 1460);
	assert_true(o.sack_ok && o.have_ts && o.have_wscale);
	assert_int_equal(o.wscale, 7);
	o = parse(syn, sizeof(syn), false); /* these count in a SYN only */
	assert_true(!o.mss && !o.sack_ok && !o.have_wscale && o.have_ts);
	assert_int_equal(parse(big_shift, 4, true).wscale, TCP_MAX_WSCALE);
	o = parse(ts, sizeof(ts), false);
	assert_true(o.have_ts && o.ts_val == 0x01020304 && o.ts_ecr == 0x05060708);
	o = parse(sack, sizeof(sack), false);
	assert_int_equal(o.nsack, 2);
	assert_true(o.sack[1].start == 256 && o.sack[1].end == 512);
	assert_int_equal(parse(zero_len, 4, true).mss, 0);
	assert_false(parse(past_end, 4, false).have_ts);
	assert_false(parse(cut, 4, true).mss);
	assert_int_equal(parse(bad_sack, 12, false).nsack, 0);
	assert_int_equal(parse(end_first, 4, true).mss, 0);
}

static void test_options_round_trip(void **state)
{
	struct tcp_sock *tp = calloc(1, sizeof(*tp));
	struct tcp_options o;
	u8 buf[40];
	u32 n;

	struct tcp_syn_options syn = {
		.mss = 1400, .wscale_ok = true, .wscale = 9, .sack = true, .ts = true, .ts_val = 7};

	n = tcp_write_syn_options(buf, &syn);
	assert_int_equal(n % 4, 0);
	o = parse(buf, (u8)n, true);
	assert_true(o.mss == 1400 && o.wscale == 9 && o.sack_ok && o.have_ts && o.ts_val == 7);
	n = tcp_write_syn_options(buf, &(struct tcp_syn_options){.mss = 1400}); /* only the MSS */
	o = parse(buf, (u8)n, true);
	assert_true(o.mss == 1400 && !o.have_wscale && !o.sack_ok && !o.have_ts);
	tp->ts_ok = tp->sack_ok = true;
	tp->gaps = calloc(1, sizeof(*tp->gaps));
	tp->gaps->nrecent = 4;
	for (unsigned i = 0; i < 4; i++)
		tp->gaps->recent[i] = (struct tcp_sack){100 * i, 100 * i + 50};
	tp->dsack_due = true;
	tp->gaps->dsack = (struct tcp_sack){1, 2};
	n = tcp_write_options(buf, tp, 5 * NSEC_PER_MSEC, 40);
	assert_true(n <= 40 && n % 4 == 0);
	o = parse(buf, (u8)n, false);
	assert_int_equal(o.nsack, 3); /* with timestamps there is room for three */
	assert_true(o.sack[0].start == 1 && o.sack[1].start == 0 && o.sack[2].start == 100);
	assert_int_equal(tcp_write_options(buf, tp, 0, 12), 12); /* a full segment has room for none */
	free(tp->gaps);
	free(tp);
}

static void test_dhcp_messages(void **state)
{
	u8 mac[6] = {2, 0, 0, 0, 0, 1}, buf[600] = {};
	struct dhcp_message *m = (struct dhcp_message *)buf;
	struct dhcp_lease l;
	u8 good[] = {53, 1, 5,	1, 4, 255, 255, 255, 0, 51,  4,	  0,   0,   0,	 30,
		     54, 4, 10, 0, 0, 2,   6,	4,   1, 1,   1,	  1,   121, 8,	 16,
		     10, 1, 10, 0, 0, 9,   0,	15,  5, 'a', '.', '/', 'x', 'y', 255};

	m->op = 2;
	m->htype = 1;
	m->hlen = 6;
	m->xid = 99;
	m->yiaddr = IP4(10, 0, 0, 5);
	m->cookie = DHCP_COOKIE;
	memcpy(m->chaddr, mac, 6);
	memcpy(m + 1, good, sizeof(good));
	assert_int_equal(dhcp_parse(buf, sizeof(buf), 98, mac, &l), -ESRCH);
	assert_int_equal(dhcp_parse(buf, 100, 99, mac, &l), -EINVAL);
	assert_int_equal(dhcp_parse(buf, sizeof(buf), 99, mac, &l), DHCP_ACK);
	assert_int_equal(l.plen, 24);
	assert_int_equal(l.seconds, 60); /* never below a minute */
	assert_int_equal(l.t1, 30);
	assert_int_equal(l.dns[0], IP4(1, 1, 1, 1));
	assert_int_equal(l.nroutes, 1);
	assert_int_equal(l.routes[0].plen, 16);
	assert_int_equal(l.routes[0].gateway, IP4(10, 0, 0, 9));
	assert_string_equal(l.domain, ""); /* a name with a slash is none */
	/* Times out of order are put in order: T1, T2, the end. */
	memcpy(m + 1, good, sizeof(good));
	memcpy((u8 *)(m + 1) + sizeof(good) - 1, "\x33\4\0\0\3\xe8\x3a\4\0\0\3\xd4\xff", 13);
	assert_int_equal(dhcp_parse(buf, sizeof(buf), 99, mac, &l), DHCP_ACK);
	assert_int_equal(l.seconds, 1000);
	assert_int_equal(l.t2, 875);
	assert_int_equal(l.t1, 500);
	memcpy(m + 1, good, sizeof(good));
	/* Cut anywhere: an error or a message without what was cut, never a read beyond. */
	for (size_t n = sizeof(*m); n < sizeof(*m) + sizeof(good); n++) {
		u8 *copy = malloc(n);

		memcpy(copy, buf, n);
		(void)dhcp_parse(copy, n, 99, mac, &l);
		free(copy);
	}
	memcpy(m + 1, (u8[]){53, 1, 5, 1, 4, 255, 0, 255, 0, 255}, 10); /* a mask with holes */
	assert_int_equal(dhcp_parse(buf, sizeof(buf), 99, mac, &l), -EINVAL);
}

static void expect_text(const u8 b[16], const char *want)
{
	char text[ADDR_TEXT_MAX];
	struct net_addr a;

	memcpy(&a, b, 16);
	assert_string_equal(addr_text(&a, text), want);
}

static void test_addresses(void **state)
{
	struct net_addr p = {.b = {0xfe, 0x80}}, q = {.b = {0xfe, 0x80, [15] = 1}};
	const char *end;
	u32 v4;

	expect_text((u8[16]){}, "::");
	expect_text((u8[16]){[15] = 1}, "::1");
	expect_text((u8[16]){0xfe, 0x80, [8] = 2, [15] = 9}, "fe80::200:0:0:9");
	expect_text((u8[16]){0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, "2001:db8:0:1::1");
	expect_text((u8[16]){[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, "127.0.0.1");
	expect_text((u8[16]){0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7}, "1:2:3:4:5:6:7:0");
	assert_true(ip4_parse("10.0.2.15:x", &v4, &end) && v4 == IP4(10, 0, 2, 15) && *end == ':');
	assert_false(ip4_parse("10.0.2", &v4, NULL));
	assert_false(ip4_parse("256.1.1.1", &v4, NULL));
	assert_false(ip4_parse("", &v4, NULL));
	assert_true(addr_prefix_equal(&p, &q, 64) && addr_prefix_equal(&p, &q, 127) &&
		    !addr_prefix_equal(&p, &q, 128));
	assert_true(addr_prefix_equal(&p, &q, 0));
	assert_int_equal(ip4_mask(0), 0);
	assert_int_equal(ip4_mask(20), IP4(255, 255, 240, 0));
	assert_int_equal(ip4_mask(32), 0xffffffff);
}

static void test_packet_parts(void **state)
{
	struct packet *p = packet_alloc(16, 10);
	struct netbuf *b = netbuf_alloc(100), *c = netbuf_alloc(100);
	u8 want[110], got[110];
	struct packet *copy;

	for (unsigned i = 0; i < 110; i++)
		want[i] = (u8)(i * 3);
	memcpy(packet_put(p, 10), want, 10);
	memcpy(b->data, want + 10, 50);
	memcpy(c->data + 7, want + 60, 50);
	assert_true(packet_add_netbuf(p, b, 0, 20));
	assert_true(packet_add_netbuf(p, b, 20, 30)); /* joins the fragment before */
	assert_true(packet_add_netbuf(p, c, 7, 50));
	assert_int_equal(p->nfrags, 2);
	assert_int_equal(p->len, 110);
	netbuf_put(b);
	netbuf_put(c);
	for (unsigned off = 0; off < 110; off += 7) {
		packet_copy_bits(p, off, got, 110 - off);
		assert_memory_equal(got, want + off, 110 - off);
		assert_int_equal(csum_fold(packet_csum(p, off, 110 - off, 0)),
				 reference(want + off, 110 - off));
	}
	copy = packet_copy(p, 40);
	packet_copy_bits(copy, 0, got, 110);
	assert_memory_equal(got, want, 110);
	packet_free(copy);
	packet_advance(p, 5);
	assert_true(packet_pull_linear(p, 70));
	assert_memory_equal(p->data, want + 5, 70);
	packet_advance(p, 90);
	assert_int_equal(p->len, 15);
	packet_trim(p, 4);
	packet_copy_bits(p, 0, got, 4);
	assert_memory_equal(got, want + 95, 4);
	assert_false(packet_pull_linear(p, 5));
	packet_free(p);
	assert_int_equal(host_heap_live(), 0);
}

static void test_domain_names(void **state)
{
	static const u8 list[] = "\3eng\7example\3org\0\4test\xc0\4\xc0\0";
	static const u8 loop[] = "\3abc\xc0\0", ahead[] = "\1a\xc0\5\1b", slash[] = "\3a/b";
	char out[64], small[20];

	assert_int_equal(dns_name_list(list, sizeof(list) - 1, true, out, sizeof(out)), 48);
	assert_string_equal(out, "eng.example.org test.example.org eng.example.org");
	assert_int_equal(dns_name_list(list, sizeof(list) - 1, false, out, sizeof(out)), 0); /* a pointer */
	assert_int_equal(dns_name_list(list, 17, false, out, sizeof(out)), 15);
	assert_string_equal(out, "eng.example.org");
	assert_int_equal(dns_name_list(list, sizeof(list) - 1, true, small, sizeof(small)),
			 15); /* what fits */
	assert_int_equal(dns_name_list(loop, sizeof(loop) - 1, true, out, sizeof(out)), 0);
	assert_int_equal(dns_name_list(ahead, sizeof(ahead) - 1, true, out, sizeof(out)), 0);
	assert_int_equal(dns_name_list(slash, sizeof(slash), true, out, sizeof(out)), 0);
	for (size_t n = 0; n < sizeof(list) - 1; n++) { /* cut anywhere: no read beyond */
		u8 *copy = malloc(n + !n);

		memcpy(copy, list, n);
		(void)dns_name_list(copy, n, true, out, sizeof(out));
		free(copy);
	}
}

static void test_dhcp6_messages(void **state)
{
	struct netdev dev = {.mac = {2, 0, 0, 0, 0, 1}};
	static const u8 good[] = {7, 1,	 2, 3,	0,  1, 0,  10,	 0,   3,   0, 1, 2,  0, 0, 0, 0, 1, 0, 2, 0,
				  2, 9,	 9, 0,	23, 0, 16, 0xfd, 0,   0,   0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
				  0, 53, 0, 24, 0,  5, 3,  'l',	 'a', 'n', 0, 0, 32, 0, 4, 0, 0, 0, 5};
	struct dhcp6_answer a;

	assert_true(dhcp6_parse(good, sizeof(good), &dev, 0x10203, &a));
	assert_int_equal(a.ndns, 1);
	assert_int_equal(a.dns[0].b[15], 53);
	assert_string_equal(a.search, "lan");
	assert_int_equal(a.refresh, 600);
	assert_false(dhcp6_parse(good, sizeof(good), &dev, 0x10204, &a));
	for (size_t n = 0; n < sizeof(good); n++) {
		u8 *copy = malloc(n + !n);

		memcpy(copy, good, n);
		(void)dhcp6_parse(copy, n, &dev, 0x10203, &a);
		free(copy);
	}
	dev.mac[5] = 2; /* somebody else's */
	assert_false(dhcp6_parse(good, sizeof(good), &dev, 0x10203, &a));
}

static void test_netlink_attributes(void **state)
{
	const struct nlattr *at[4];
	struct nl_msg m;

	assert_true(nl_alloc(&m, 64));
	nl_begin(&m, 1, 2, 16, 0, 4);
	nl_attr_str(&m, 1, "eth0");
	nl_attr_u32(&m, 2, 77);
	assert_true(nl_end(&m));
	assert_int_equal(nl_parse(m.p->data + 20, m.p->len - 20, at, 3), 0);
	assert_string_equal(nl_data(at[1]), "eth0");
	assert_int_equal(*(const u32 *)nl_data(at[2]), 77);
	assert_null(at[3]);
	/* One that does not fit is taken back whole. */
	nl_begin(&m, 1, 2, 16, 0, 4);
	nl_attr_str(&m, 1, "a long string that does not fit");
	assert_false(nl_end(&m));
	assert_int_equal(m.p->len, 16 + 4 + 12 + 8);
	((struct nlattr *)(m.p->data + 20))->nla_len = 2;
	assert_int_equal(nl_parse(m.p->data + 20, m.p->len - 20, at, 3), -EINVAL);
	((struct nlattr *)(m.p->data + 20))->nla_len = 200;
	assert_int_equal(nl_parse(m.p->data + 20, m.p->len - 20, at, 3), -EINVAL);
	packet_free(m.p);
}

UNIT_TESTS(test_checksum, test_options, test_options_round_trip, test_dhcp_messages, test_addresses,
	   test_packet_parts, test_domain_names, test_dhcp6_messages, test_netlink_attributes)
