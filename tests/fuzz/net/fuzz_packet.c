// SPDX-License-Identifier: BSD-2-Clause
/* Frames from the wire into a stack that listens, talks and resolves. The input is a list of records: a
 * length (two bytes, little endian), then so many bytes of a frame; a length with the top bit set is a step
 * of time instead, in milliseconds. Frames get their addresses and checksums put right half of the time (by
 * the first byte), so that the fuzzer gets deep. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/config.h"
#include "net/ip6.h"
#include "net/tcp.h"
#include "sim.h"

static void repair(struct sim_host *h, struct socket *c, u8 *f, u32 len)
{
	struct iphdr *ip = (struct iphdr *)(f + 14);
	u32 hdr;

	memcpy(f, h->dev.mac, 6);
	if (len < 34 || f[12] != 8 || f[13] != 0)
		return;
	ip->version = 4;
	if (ip->ihl < 5)
		ip->ihl = 5;
	hdr = ip->ihl * 4u;
	if (len < 14 + hdr + 8)
		return;
	ip->saddr = IP4(10, 0, 0, 2);
	ip->daddr = IP4(10, 0, 0, 1);
	ip->tot_len = be16((u16)(len - 14));
	ip->check = 0;
	ip->check = ip_checksum(ip, hdr);
	if (ip->protocol == 6 && len >= 14 + hdr + 20) {
		struct tcphdr *th = (struct tcphdr *)(f + 14 + hdr);
		struct net_addr s = addr_v4(ip->saddr), d = addr_v4(ip->daddr);
		struct tcp_sock *tp = tcp_sk(c);

		if (th->dest & 1) { /* for the connection, near its window */
			th->source = be16(tp->inet.fport);
			th->dest = be16(tp->inet.lport);
			th->seq = be32(tp->rcv_nxt + (be32(th->seq) & 0x1ffff) - 0x1000);
			th->ack_seq = be32(tp->snd_una + (be32(th->ack_seq) & 0x3fff) - 0x100);
		} else {
			th->dest = be16(80);
		}
		th->check = 0;
		th->check =
			csum_fold(csum_partial(th, len - 14 - hdr, csum_pseudo(&s, &d, len - 14 - hdr, 6)));
	} else if (ip->protocol == 17) {
		u8 *u = f + 14 + hdr;

		u[4] = (u8)((len - 14 - hdr) >> 8);
		u[5] = (u8)(len - 14 - hdr);
		u[6] = u[7] = 0;
	} else if (ip->protocol == 1) {
		u16 sum;

		f[14 + hdr + 2] = f[14 + hdr + 3] = 0;
		sum = ip_checksum(f + 14 + hdr, len - 14 - hdr);
		memcpy(f + 14 + hdr + 2, &sum, 2);
	}
}

static void repair6(u8 *f, u32 len)
{
	struct net_addr src, dst;
	u16 sum;

	if (len < 62 || f[12] != 0x86 || f[13] != 0xdd || f[20] != 58)
		return;
	f[14] = 0x60;
	f[18] = (u8)((len - 54) >> 8);
	f[19] = (u8)(len - 54);
	f[21] = 255;
	memcpy(&src, f + 22, 16);
	memcpy(&dst, f + 38, 16);
	f[56] = f[57] = 0;
	sum = csum_fold(csum_partial(f + 54, len - 54, csum_pseudo(&src, &dst, len - 54, 58)));
	memcpy(f + 56, &sum, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_host h[2];
	static struct sim_link link;
	struct sim_link_params lp = {.delay_ns = NSEC_PER_MSEC};
	struct socket *l, *c, *s, *u;
	u64 before = host_heap_live();
	char buf[4096];

	sim_pair(&h[0], &h[1], &link, &lp, 1);
	if (ip6_stack_init(&h[0].net))
		abort();
	l = sim_socket(&h[1].net, AF_INET, SOCK_STREAM);
	sim_bind(l, 0, 80);
	l->ops->listen(l, 5);
	c = sim_socket(&h[0].net, AF_INET, SOCK_STREAM);
	sim_connect(c, IP4(10, 0, 0, 2), 80);
	sim_run(30 * NSEC_PER_MSEC);
	s = l->ops->accept(l, true);
	socket_close(l);
	l = sim_socket(&h[0].net, AF_INET6, SOCK_STREAM);
	{
		struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = be16(80)};

		l->ops->bind(l, (struct sockaddr *)&sa, sizeof(sa));
	}
	l->ops->listen(l, 3);
	u = sim_socket(&h[0].net, AF_INET, SOCK_DGRAM);
	sim_bind(u, 0, 53);
	dhcp_start(&h[0].dev);
	sim_send(c, "some data of ours that is under way", 35, 0);
	while (size >= 3) {
		u32 n = data[0] | (u32)data[1] << 8;

		if (n & 0x8000) {
			sim_run((n & 0x7fff) * NSEC_PER_MSEC);
			data += 2;
			size -= 2;
			continue;
		}
		n = min(n, (u32)size - 3);
		if (n >= 14) {
			struct packet *p = packet_alloc(66, n);
			u8 *f = packet_put(p, n);

			memcpy(f, data + 3, n);
			if (data[2] & 1) {
				repair(&h[0], c, f, n);
				repair6(f, n);
			}
			net_enter();
			netdev_receive(&h[0].dev, p);
			net_leave();
			sim_recv(c, buf, data[2], 0);
			sim_recv(u, buf, sizeof(buf), 0);
		}
		data += 3 + n;
		size -= 3 + n;
	}
	socket_close(c);
	if (!IS_ERR(s))
		socket_close(s);
	socket_close(l);
	socket_close(u);
	sim_run(400 * NSEC_PER_SEC);
	if (atomic_load(&h[0].net.tcp->sockets) || atomic_load(&h[0].net.mem_used))
		abort();
	sim_pair_destroy(&h[0], &h[1], &link);
	if (host_heap_live() != before)
		abort();
	return 0;
}
