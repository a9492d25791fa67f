// SPDX-License-Identifier: BSD-2-Clause
/* Fragments of IPv4 and IPv6 datagrams. The input is a list of records of six bytes: flags (1 IPv6, 2 more
 * follow, 4 a step of time instead, in tenths of a second), an identification, an offset in units of eight
 * bytes and a length (both little endian). The bytes of a datagram are a function of its identification and
 * their place, so what comes out whole can be judged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host.h"
#include "kernel/clock.h"
#include "net/checksum.h"
#include "net/ip6.h"
#include "net/packet.h"
#include "net/tcp.h"
#include "sim.h"

#define PROTO 253 /* for experiments (RFC 3692): raw sockets get all of it */

static u8 byte_at(u8 id, u32 at)
{
	return (u8)(id * 31 + at * 7 + (at >> 8));
}

static u32 ip_header(u8 *f, bool v6, bool more, u8 id, u32 off, u32 len)
{
	static const u8 src6[16] = {0xfd, [15] = 2}, dst6[16] = {0xfd, [15] = 1};
	struct iphdr *ip = (struct iphdr *)(f + 14);
	u16 place = be16((u16)(off << 3 | more));

	f[12] = v6 ? 0x86 : 8;
	f[13] = v6 ? 0xdd : 0;
	if (!v6) {
		*ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = PROTO, .id = be16(id)};
		ip->tot_len = be16((u16)(20 + len));
		ip->frag_off = be16((u16)(off | (more ? IP_OFF_MF : 0)));
		ip->saddr = IP4(10, 0, 0, 2);
		ip->daddr = IP4(10, 0, 0, 1);
		ip->check = ip_checksum(ip, 20);
		return 20;
	}
	memcpy(f + 14, (u8[]){0x60, 0, 0, 0, (u8)((8 + len) >> 8), (u8)(8 + len), 44, 64}, 8);
	memcpy(f + 22, src6, 16);
	memcpy(f + 38, dst6, 16);
	memcpy(f + 54, (u8[]){PROTO, 0, 0, 0, 0, 0, 0, id}, 8);
	memcpy(f + 56, &place, 2);
	return 48;
}

static void fragment(struct sim_host *h, bool v6, bool more, u8 id, u32 off, u32 len)
{
	struct packet *p = packet_alloc(66, 14 + 48 + len);
	u8 *f = p->tail;
	u32 hdr = ip_header(f, v6, more, id, off, len);

	memcpy(f, h->dev.mac, 6);
	packet_put(p, 14 + hdr + len);
	for (u32 i = 0; i < len; i++)
		f[14 + hdr + i] = byte_at(id, off * 8 + i);
	net_enter();
	netdev_receive(&h->dev, p);
	net_leave();
}

/* Whatever came out whole holds the right bytes. The first two tell the identification: 31 is odd. */
static void judge(struct socket *s, u32 header)
{
	static u8 buf[65536];
	ssize_t n;

	while ((n = sim_recv(s, buf, sizeof(buf), 0)) >= 0)
		for (u32 i = header; i < (u32)n; i++)
			if (buf[i] != (u8)(buf[header] + byte_at(0, i - header)))
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_host h[2];
	static struct sim_link link;
	struct sim_link_params lp = {.delay_ns = NSEC_PER_MSEC, .ipv6 = true};
	struct socket *four, *six;
	u64 before = host_heap_live();

	sim_pair(&h[0], &h[1], &link, &lp, 1);
	four = socket_create(&h[0].net, AF_INET, SOCK_RAW, PROTO);
	six = socket_create(&h[0].net, AF_INET6, SOCK_RAW, PROTO);
	if (IS_ERR(four) || IS_ERR(six))
		abort();
	for (; size >= 6; data += 6, size -= 6) {
		u32 off = (data[2] | (u32)data[3] << 8) & IP_OFF_MASK,
		    len = (data[4] | (u32)data[5] << 8) & 0x7ff;

		if (data[0] & 4)
			sim_run(data[1] * 100 * NSEC_PER_MSEC);
		else
			fragment(&h[0], data[0] & 1, data[0] & 2, data[1], off, len);
		judge(four, 20);
		judge(six, 0);
	}
	socket_close(four);
	socket_close(six);
	sim_run(100 * NSEC_PER_SEC);
	if (atomic_load(&h[0].net.mem_used))
		abort();
	sim_pair_destroy(&h[0], &h[1], &link);
	if (host_heap_live() != before)
		abort();
	return 0;
}
