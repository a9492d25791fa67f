/* SPDX-License-Identifier: BSD-2-Clause */
/* Segmentation offload in software: one TCP or UDP super-packet becomes frames of gso_size payload, headers
 * adjusted. */
#include "base/err.h"
#include "base/string.h"
#include "net/checksum.h"
#include "net/gso.h"
#include "net/abi.h"
#include "net/ip.h"
#include "net/udp.h"
#include <linux/tcp.h>

bool gso_device_can(const struct netdev *dev, const struct packet *p)
{
	return dev->features & (p->gso_type == GSO_UDP	  ? NETDEV_USO
				: p->gso_type == GSO_TCP6 ? NETDEV_TSO6
							  : NETDEV_TSO4);
}

static void fix_headers(struct packet *s, u32 net_off, u32 tcp_off, u32 seq_add, bool last, unsigned index)
{
	u8 *nh = s->data + net_off;

	if (s->csum_offset == offsetof(struct udp_header, check)) {
		((struct udp_header *)(s->data + tcp_off))->len = be16((u16)(s->len - tcp_off));
	} else {
		struct tcphdr *th = (struct tcphdr *)(s->data + tcp_off);

		th->seq = be32(be32(th->seq) + seq_add);
		if (!last) {
			th->fin = 0;
			th->psh = 0;
		}
	}
	if (nh[0] >> 4 == 4) {
		struct iphdr *ip = (struct iphdr *)nh;

		ip->tot_len = be16((u16)(s->len - net_off));
		ip->id = be16((u16)(be16(ip->id) + index));
		ip->check = 0;
		ip->check = ip_checksum(ip, ip->ihl * 4u);
	} else {
		((struct ipv6hdr *)nh)->payload_len = be16((u16)(s->len - net_off - sizeof(struct ipv6hdr)));
	}
}

/* The checksum field holds the pseudo-header's sum with the super-packet's length: redo it for N bytes of
 * segment. */
static void fix_pseudo(struct packet *s, u32 net_off, u32 tcp_off)
{
	bool udp = s->csum_offset == offsetof(struct udp_header, check);
	const u8 *nh = s->data + net_off;
	struct net_addr src, dst;
	u16 sum;

	if (nh[0] >> 4 == 4) {
		src = addr_v4(((const struct iphdr *)nh)->saddr);
		dst = addr_v4(((const struct iphdr *)nh)->daddr);
	} else {
		memcpy(&src, nh + 8, 16);
		memcpy(&dst, nh + 24, 16);
	}
	sum = (u16)~csum_fold(csum_pseudo(&src, &dst, s->len - tcp_off, udp ? IPPROTO_UDP : IPPROTO_TCP));
	memcpy(s->data + tcp_off + s->csum_offset, &sum, 2);
}

int gso_send_segments(struct netdev *dev, struct packet *p)
{
	u32 net_off = p->network_off - packet_headroom(p), tcp_off = p->transport_off - packet_headroom(p);
	bool udp = p->gso_type == GSO_UDP;
	u32 hdr = tcp_off +
		  (udp ? (u32)sizeof(struct udp_header) : ((struct tcphdr *)packet_transport(p))->doff * 4u);
	u32 payload = p->len - hdr, mss = p->gso_size;
	u32 front = PACKET_HEADROOM + (-net_off & 3); /* the IP header at a multiple of four */
	int err = 0;
	unsigned index = 0;

	for (u32 off = 0; off < payload; off += mss, index++) {
		u32 n = min(mss, payload - off);
		struct packet *s = packet_alloc(front, hdr + n);

		if (!s) {
			err = -ENOBUFS;
			break;
		}
		memcpy(packet_put(s, hdr), p->data, hdr);
		packet_copy_bits(p, hdr + off, packet_put(s, n), n);
		s->protocol = p->protocol;
		s->network_off = (u16)(front + net_off);
		s->transport_off = (u16)(front + tcp_off);
		s->ip_summed = PACKET_CSUM_PARTIAL;
		s->csum_offset = udp ? offsetof(struct udp_header, check) : offsetof(struct tcphdr, check);
		fix_headers(s, net_off, tcp_off, off, off + n == payload, index);
		fix_pseudo(s, net_off, tcp_off);
		err = netdev_send(dev, s);
		if (err)
			break;
	}
	packet_free(p);
	return err;
}
