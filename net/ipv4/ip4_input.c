/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving IPv4 (RFC 791, 1122 3.2): header checks, reassembly, delivery to protocols. Hosts only: nothing
 * is forwarded. */
#include "base/string.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/ip.h"

static bool destination_is_ours(struct net_stack *net, struct packet *p, u32 dst)
{
	struct net_addr a = addr_v4(dst);

	if (net_addr_is_local(net, &a, NULL))
		return !ip4_is_loopback(dst) || p->dev == net->lo; /* 127/8 never comes from a wire */
	if (ip4_is_multicast(dst))
		return if_group_member(p->dev, &a) || p->dev == net->lo;
	return net_addr_is_broadcast(net, dst, p->dev == net->lo ? NULL : p->dev);
}

/* A DHCP server may answer to the address that it is about to give. */
static bool for_dhcp(struct packet *p, u32 hdr_len)
{
	const u8 *h;

	if (!net_if(p->dev)->dhcp || p->data[9] != IPPROTO_UDP || !packet_may_pull(p, hdr_len + 8))
		return false;
	h = p->data + hdr_len;
	return (h[2] << 8 | h[3]) == 68 && !(be16(((const struct iphdr *)p->data)->frag_off) & IP_OFF_MASK);
}

void ip_deliver(struct net_stack *net, struct packet *p)
{
	u8 proto = ip_cb(p)->proto;
	bool raw = raw_input(net, p, proto);

	mib_inc(net, MIB_IP_IN_DELIVERS);
	switch (proto) {
	case IPPROTO_TCP:
		tcp_input(net, p);
		return;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		udp_input(net, p);
		return;
	case IPPROTO_ICMP:
		if (addr_is_v4(&ip_cb(p)->dst)) {
			icmp_input(net, p);
			return;
		}
		break;
	case IPPROTO_ICMPV6:
		if (!addr_is_v4(&ip_cb(p)->dst)) {
			icmp6_input(net, p);
			return;
		}
		break;
	case IPPROTO_IGMP:
		igmp_input(net, p);
		return;
	}
	if (!raw) {
		mib_inc(net, MIB_IP_IN_UNKNOWN_PROTOS);
		if (addr_is_v4(&ip_cb(p)->dst))
			icmp_send(net, p, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	}
	packet_free(p);
}

void ip4_input(struct packet *p)
{
	struct net_stack *net = net_if(p->dev)->net;
	struct iphdr *ip;
	struct ip_cb *cb = ip_cb(p);
	u32 hdr_len, total, off;
	u16 frag, id;

	mib_inc(net, MIB_IP_IN_RECEIVES);
	mib_add(net, MIB_IP_IN_OCTETS, p->len);
	if (!packet_may_pull(p, IP_HDR_LEN))
		goto bad_header;
	ip = (struct iphdr *)p->data;
	hdr_len = ip->ihl * 4u;
	if (ip->version != 4 || hdr_len < IP_HDR_LEN || !packet_may_pull(p, hdr_len))
		goto bad_header;
	ip = (struct iphdr *)p->data;
	total = be16(ip->tot_len);
	if (unlikely(total == 0 && (p->gso_size || p->dev == net->lo)))
		total = p->len; /* more than 64 KiB on the loopback */
	if (total < hdr_len || total > p->len)
		goto bad_header;
	if (p->dev != net->lo && ip_checksum(ip, hdr_len) != 0)
		goto bad_header;
	if (ip4_is_multicast(ip->saddr) || ip->saddr == IP4_BROADCAST ||
	    (ip4_is_loopback(ip->saddr) && p->dev != net->lo))
		goto bad_addr;
	if (!destination_is_ours(net, p, ip->daddr) && !for_dhcp(p, hdr_len))
		goto bad_addr;
	ip = (struct iphdr *)p->data;
	packet_trim(p, total);
	p->network_off = (u16)packet_headroom(p);
	cb->src = addr_v4(ip->saddr);
	cb->dst = addr_v4(ip->daddr);
	cb->iif = p->dev->index;
	cb->proto = ip->protocol;
	cb->ttl = ip->ttl;
	cb->tos = ip->tos;
	cb->hdr_len = (u8)hdr_len;
	cb->stamp = 0;
	frag = be16(ip->frag_off);
	id = ip->id;
	packet_advance(p, hdr_len);
	p->transport_off = (u16)packet_headroom(p);
	off = (frag & IP_OFF_MASK) * 8u;
	if (unlikely(off || (frag & IP_OFF_MF))) {
		p = frag_reassemble(net, p, id, off, frag & IP_OFF_MF, hdr_len);
		if (!p)
			return;
	}
	ip_deliver(net, p);
	return;
bad_header:
	mib_inc(net, MIB_IP_IN_HDR_ERRORS);
	packet_free(p);
	return;
bad_addr:
	mib_inc(net, MIB_IP_IN_ADDR_ERRORS);
	packet_free(p);
}
