// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of TCP between two simulated hosts share: the hosts, sockets, and how to get a connection.
 */
#pragma once

#include "tests/unit/net/pair.h"

#include "fs/file.h"
#include "net/tcp.h"
#include <linux/errqueue.h>

#define PORT 80

static __maybe_unused void start(void)
{
	start_with((struct sim_link_params){.delay_ns = 5 * MS});
}

static __maybe_unused void finish(void)
{
	u64 until = clock_monotonic() + 400 * SEC;

	while ((atomic_load(&a->net.tcp->sockets) || atomic_load(&b->net.tcp->sockets) ||
		a->net.tcp->tw_count || b->net.tcp->tw_count || link.in_flight) &&
	       clock_monotonic() < until)
		sim_step(SEC);
	assert_int_equal(atomic_load(&a->net.tcp->sockets), 0);
	assert_int_equal(atomic_load(&b->net.tcp->sockets), 0);
	assert_int_equal(a->net.tcp->tw_count, 0);
	assert_int_equal(b->net.tcp->tw_count, 0);
	end_pair();
}

static __maybe_unused struct socket *listen_at(struct sim_host *h, int backlog)
{
	struct socket *l = sim_socket(&h->net, AF_INET, SOCK_STREAM);

	sim_setopt(l, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(sim_bind(l, 0, PORT), 0);
	assert_int_equal(l->ops->listen(l, backlog), 0);
	return l;
}

static __maybe_unused struct socket *client(void)
{
	struct socket *c = sim_socket(&a->net, AF_INET, SOCK_STREAM);

	assert_int_equal(sim_connect(c, B_IP, PORT), -EINPROGRESS);
	return c;
}

static __maybe_unused struct socket *accept_one(struct socket *l)
{
	for (unsigned i = 0; i < 1000; i++) {
		struct socket *s = l->ops->accept(l, true);

		if (!IS_ERR(s))
			return s;
		sim_run(10 * MS);
	}
	fail_msg("nothing to accept");
	return NULL;
}

static __maybe_unused void open_pair(struct socket **c, struct socket **s)
{
	struct socket *l = listen_at(b, 5);

	*c = client();
	*s = accept_one(l);
	assert_int_equal(sim_connect(*c, B_IP, PORT), 0);
	assert_int_equal(sim_connect(*c, B_IP, PORT), -EISCONN);
	socket_close(l);
}

static __maybe_unused u8 state(struct socket *s)
{
	return tcp_sk(s)->state;
}

static __maybe_unused int so_error(struct socket *s)
{
	int v, len = sizeof(v);

	assert_int_equal(socket_get_option(s, SO_ERROR, &v, &len), 0);
	return v;
}

/* A frame from b's host to a's, forged from the outside: SRC and so on are b's. */
static __maybe_unused void forge(u32 src, u32 dst, u16 sport, u16 dport, u32 seq, u32 ack, u8 flags,
				 const char *data)
{
	u32 n = data ? (u32)strlen(data) : 0;
	struct packet *p = packet_alloc(66, 54 + n);
	u8 *f = packet_put(p, 54 + n);
	struct net_addr s4 = addr_v4(src), d4 = addr_v4(dst);
	struct iphdr *ip = (struct iphdr *)(f + 14);
	struct tcphdr *th = (struct tcphdr *)(f + 34);
	struct sim_host *to = dst == A_IP ? a : b;

	memset(f, 0, 54);
	memcpy(f, to->dev.mac, 6);
	f[12] = 8;
	*ip = (struct iphdr){.version = 4,
			     .ihl = 5,
			     .ttl = 64,
			     .protocol = 6,
			     .saddr = src,
			     .daddr = dst,
			     .tot_len = be16((u16)(40 + n))};
	ip->check = ip_checksum(ip, 20);
	th->source = be16(sport);
	th->dest = be16(dport);
	th->seq = be32(seq);
	th->ack_seq = be32(ack);
	th->doff = 5;
	f[47] = flags;
	th->window = be16(1000);
	if (n)
		memcpy(f + 54, data, n);
	th->check = csum_fold(csum_partial(f + 34, 20 + n, csum_pseudo(&s4, &d4, 20 + n, 6)));
	net_enter();
	netdev_receive(&to->dev, p);
	net_leave();
}
