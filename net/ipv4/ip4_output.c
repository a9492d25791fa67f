/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending IPv4 (RFC 791): header, identification, fragmentation, and copies of multicast and broadcast to
 * ourselves. */
#include "base/err.h"
#include "base/string.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/ip.h"

int ip_route_flow(struct net_stack *net, struct ip_flow *f)
{
	int err = route_lookup(net, &f->dst, &f->src, f->oif, &f->rt);

	if (err)
		mib_inc(net, MIB_IP_OUT_NO_ROUTES);
	return err;
}

u32 ip_flow_mtu(struct net_stack *net, const struct ip_flow *f)
{
	return f->rt.type == RTN_UNICAST && !f->dev_mtu ? pmtu_get(net, &f->dst, f->rt.mtu) : f->rt.mtu;
}

/* Identification: a counter per hashed pair of addresses, so that one peer cannot count our traffic to others
 * (RFC 7739). */
static u16 next_id(struct net_stack *net, u32 src, u32 dst, u8 proto)
{
	u32 key[3] = {src, dst, proto};
	u64 h = siphash(key, sizeof(key), &net->isn_key);

	return (u16)(atomic_fetch_add_explicit(&net->ip_id[h % ARRAY_SIZE(net->ip_id)], 1,
					       memory_order_relaxed) +
		     (h >> 32));
}

int ip_transmit(struct packet *p, const struct route_result *rt)
{
	return neigh_output(rt->dev, &rt->nexthop, p);
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

static int send_fragment(struct packet *p, const u8 *hdr, u32 hdr_len, u32 off, u32 n, bool more,
			 const struct route_result *rt)
{
	struct packet *s = packet_alloc(PACKET_HEADROOM, hdr_len + n);
	struct iphdr *ip;

	if (!s)
		return -ENOBUFS;
	ip = (struct iphdr *)packet_put(s, hdr_len);
	memcpy(ip, hdr, hdr_len);
	packet_copy_bits(p, hdr_len + off, packet_put(s, n), n);
	s->protocol = ETH_TYPE_IP4;
	s->network_off = PACKET_HEADROOM;
	s->transport_off = (u16)(PACKET_HEADROOM + hdr_len);
	ip->tot_len = be16((u16)(hdr_len + n));
	ip->frag_off = be16((u16)(off / 8 | (more ? IP_OFF_MF : 0)));
	ip->check = 0;
	ip->check = ip_checksum(ip, hdr_len);
	return ip_transmit(s, rt);
}

/* P at its IP header, without DF. Takes it over. */
int ip4_fragment(struct packet *p, u32 mtu, const struct route_result *rt)
{
	struct net_stack *net = net_if(rt->dev)->net;
	u32 hdr_len = ((struct iphdr *)p->data)->ihl * 4u, payload = p->len - hdr_len;
	u32 step = ALIGN_DOWN(mtu - hdr_len, 8u);
	u8 hdr[60];
	int err = -EMSGSIZE;

	if (p->ip_summed == PACKET_CSUM_PARTIAL) { /* the sum covers all fragments: complete it now */
		u32 start = p->transport_off - packet_headroom(p);
		u16 sum;

		if (!packet_may_pull(p, start + p->csum_offset + 2u))
			goto out;
		sum = csum_fold(packet_csum(p, start, p->len - start, 0));
		if (!sum)
			sum = 0xffff;
		memcpy(p->data + start + p->csum_offset, &sum, 2);
		p->ip_summed = PACKET_CSUM_NONE;
	}
	memcpy(hdr, p->data, hdr_len);
	for (u32 off = 0; off < payload; off += step) {
		u32 n = min(step, payload - off);

		err = send_fragment(p, hdr, hdr_len, off, n, off + n < payload, rt);
		if (err)
			break;
		mib_inc(net, MIB_IP_FRAG_CREATES);
	}
	mib_inc(net, err ? MIB_IP_FRAG_FAILS : MIB_IP_FRAG_OKS);
out:
	packet_free(p);
	return err;
}

int ip4_output(struct net_stack *net, struct packet *p, const struct ip_flow *f)
{
	struct iphdr *ip;
	/* TCP cuts its segments itself, and is told of those that became too long. */
	u32 mtu = f->proto == IPPROTO_TCP ? f->rt.mtu : ip_flow_mtu(net, f);
	bool multi = f->rt.type == RTN_MULTICAST, lo = f->rt.dev->features & NETDEV_LOOPBACK;
	bool df = f->df || (f->df_fit && p->len + IP_HDR_LEN <= mtu);

	mib_inc(net, MIB_IP_OUT_REQUESTS);
	p->protocol = ETH_TYPE_IP4;
	if (!f->hdrincl) {
		p->transport_off = (u16)packet_headroom(p);
		ip = (struct iphdr *)packet_push(p, IP_HDR_LEN);
		ip->version = 4;
		ip->ihl = 5;
		ip->tos = f->tos;
		ip->tot_len = p->len > 0xffff ? 0 : be16((u16)p->len);
		ip->id = df && !p->gso_size && p->len <= f->rt.mtu
				 ? 0
				 : be16(next_id(net, f->src.w[3], f->dst.w[3], f->proto));
		ip->frag_off = df ? be16(IP_OFF_DF) : 0;
		ip->ttl = f->ttl || f->confined ? f->ttl : (multi ? 1 : net->default_ttl);
		ip->protocol = f->proto;
		ip->saddr = f->src.w[3];
		ip->daddr = f->dst.w[3];
		ip->check = 0;
		if (!lo)
			ip->check = ip_checksum(ip, IP_HDR_LEN);
	} else {
		ip = (struct iphdr *)p->data;
	}
	mib_add(net, MIB_IP_OUT_OCTETS, p->len);
	p->network_off = (u16)packet_headroom(p);
	if (multi && f->mc_loop && !lo && if_group_member(f->rt.dev, &f->dst))
		loop_copy(f->rt.dev, p);
	if (multi && ip->ttl == 0 && !lo) {
		packet_free(p);
		return 0;
	}
	if (f->rt.type == RTN_BROADCAST && !lo)
		loop_copy(f->rt.dev, p);
	if (likely(p->len <= mtu || p->gso_size || (lo && f->proto == IPPROTO_TCP)))
		return ip_transmit(p, &f->rt);
	if (f->whole || ip->frag_off & be16(IP_OFF_DF)) {
		mib_inc(net, MIB_IP_FRAG_FAILS);
		packet_free(p);
		return -EMSGSIZE;
	}
	return ip4_fragment(p, mtu, &f->rt);
}

int ip_output(struct net_stack *net, struct packet *p, const struct ip_flow *f)
{
	if (addr_is_v4(&f->dst))
		return ip4_output(net, p, f);
	return ip6_output(net, p, f);
}
