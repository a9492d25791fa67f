/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending IPv6 (RFC 8200): header, fragmentation by the source, copies of multicast to ourselves. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/random.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/ip6.h"

#define FRAG_HDR 8

static void write_header(u8 *h, const struct ip_flow *f, u32 payload, u8 next)
{
	u8 hops = f->ttl || f->confined
			  ? f->ttl
			  : (f->rt.type == RTN_MULTICAST ? 1 : net_if(f->rt.dev)->net->default_ttl);

	h[0] = (u8)(0x60 | f->tos >> 4);
	h[1] = (u8)(f->tos << 4 | (f->flow_label >> 16 & 0xf));
	h[2] = (u8)(f->flow_label >> 8);
	h[3] = (u8)f->flow_label;
	h[4] = payload > 0xffff ? 0 : (u8)(payload >> 8);
	h[5] = payload > 0xffff ? 0 : (u8)payload;
	h[6] = next;
	h[7] = hops;
	memcpy(h + 8, &f->src, 16);
	memcpy(h + 24, &f->dst, 16);
}

/* What DEV's own host is sent back, as if it came in there. */
static void loop_copy(struct netdev *dev, struct packet *p)
{
	struct packet *c = packet_copy(p, PACKET_HEADROOM);

	if (!c)
		return;
	c->ip_summed = PACKET_CSUM_VALID;
	c->dev = dev;
	net_loopback_queue(c);
}

/* A whole packet or a fragment. */
static int transmit(struct packet *p, const struct ip_flow *f)
{
	struct netdev *dev = f->rt.dev;

	if (f->rt.type == RTN_MULTICAST && f->mc_loop && !(dev->features & NETDEV_LOOPBACK) &&
	    (if_group_member(dev, &f->dst) || ip6_own_group(dev, &f->dst)))
		loop_copy(dev, p);
	if (f->confined && !(dev->features & NETDEV_LOOPBACK)) {
		packet_free(p);
		return 0;
	}
	return ip_transmit(p, &f->rt);
}

/* P's data at the transport header. Takes it over. */
static int fragment(struct net_stack *net, struct packet *p, const struct ip_flow *f, u32 mtu)
{
	u32 step = ALIGN_DOWN(mtu - IP6_HDR_LEN - FRAG_HDR, 8u), id = (u32)random_u64(), total = p->len;
	int err = 0;

	if (p->ip_summed == PACKET_CSUM_PARTIAL) {
		u16 sum;

		if (!packet_may_pull(p, p->csum_offset + 2u)) {
			packet_free(p);
			return -ENOBUFS;
		}
		sum = csum_fold(packet_csum(p, 0, p->len, 0));
		if (!sum)
			sum = 0xffff;
		memcpy(p->data + p->csum_offset, &sum, 2);
	}
	for (u32 off = 0; off < total && !err; off += step) {
		u32 n = min(step, total - off);
		struct packet *s = packet_alloc(PACKET_HEADROOM, IP6_HDR_LEN + FRAG_HDR + n);
		u16 field = (u16)(off | (off + n < total));
		u8 *h;

		if (!s) {
			err = -ENOBUFS;
			break;
		}
		h = packet_put(s, IP6_HDR_LEN + FRAG_HDR);
		write_header(h, f, FRAG_HDR + n, 44);
		h[IP6_HDR_LEN] = f->proto;
		h[IP6_HDR_LEN + 1] = 0;
		h[IP6_HDR_LEN + 2] = (u8)(field >> 8);
		h[IP6_HDR_LEN + 3] = (u8)field;
		memcpy(h + IP6_HDR_LEN + 4, &id, 4);
		packet_copy_bits(p, off, packet_put(s, n), n);
		s->protocol = ETH_TYPE_IP6;
		s->network_off = PACKET_HEADROOM;
		s->transport_off = PACKET_HEADROOM + IP6_HDR_LEN + FRAG_HDR;
		err = transmit(s, f);
		mib_inc(net, MIB_IP_FRAG_CREATES);
	}
	mib_inc(net, err ? MIB_IP_FRAG_FAILS : MIB_IP_FRAG_OKS);
	packet_free(p);
	return err;
}

int ip6_output(struct net_stack *net, struct packet *p, const struct ip_flow *f)
{
	bool lo = f->rt.dev->features & NETDEV_LOOPBACK;
	u32 mtu = f->rt.type == RTN_UNICAST ? ip_flow_mtu(net, f) : f->rt.mtu;

	mib_inc(net, MIB_IP6_OUT_REQUESTS);
	p->protocol = ETH_TYPE_IP6;
	if (f->hdrincl) {
		if (p->len < IP6_HDR_LEN) {
			packet_free(p);
			return -EINVAL;
		}
		p->network_off = (u16)packet_headroom(p);
		p->transport_off = (u16)(p->network_off + IP6_HDR_LEN);
	} else {
		if (unlikely(p->len + IP6_HDR_LEN > mtu && !p->gso_size &&
			     !(lo && f->proto == IPPROTO_TCP))) {
			if (f->df || f->whole || f->proto == IPPROTO_TCP) {
				packet_free(p);
				return -EMSGSIZE;
			}
			return fragment(net, p, f, mtu);
		}
		p->transport_off = (u16)packet_headroom(p);
		write_header(packet_push(p, IP6_HDR_LEN), f, p->len, f->proto);
		p->network_off = (u16)packet_headroom(p);
	}
	return transmit(p, f);
}
