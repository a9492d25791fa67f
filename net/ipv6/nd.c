/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbour discovery (RFC 4861 sections 4, 7): solicitations and advertisements. */
#include "base/string.h"
#include "net/abi.h"
#include "net/ip6.h"

struct nd_message { /* solicitation and advertisement */
	struct icmp6_header h;
	struct net_addr target;
} __packed;

enum { ADVERT_ROUTER = 0x80, ADVERT_SOLICITED = 0x40, ADVERT_OVERRIDE = 0x20 };

struct net_addr ip6_solicited_node(const struct net_addr *a)
{
	return (struct net_addr){
		.b = {0xff, 2, [11] = 1, [12] = 0xff, [13] = a->b[13], [14] = a->b[14], [15] = a->b[15]}};
}

const u8 *nd_option(const u8 *p, const u8 *end, u8 type, u8 *len, bool *bad)
{
	const u8 *found = NULL;

	while (p < end) {
		u32 n;

		if (end - p < 8 || !p[1] || (n = p[1] * 8u) > (u32)(end - p)) {
			*bad = true;
			return NULL;
		}
		if (p[0] == type && !found) {
			found = p;
			*len = p[1];
		}
		p += n;
	}
	return found;
}

static void send(struct netdev *dev, u8 type, const struct net_addr *target, const struct net_addr *src,
		 const struct net_addr *dst, u32 flags, u8 option)
{
	struct net_stack *net = net_if(dev)->net;
	struct ip_flow f = {
		.src = *src, .dst = *dst, .oif = dev->index, .proto = IPPROTO_ICMPV6, .ttl = ND_HOPS};
	bool any = addr_is_any(src);
	struct nd_message *m;
	struct packet *p;
	u8 *o;

	net_enter();
	if (ip_route_flow(net, &f))
		goto out;
	if (any)
		f.src = NET_ADDR_ANY; /* duplicate address detection: nobody yet */
	p = packet_alloc(PACKET_HEADROOM, sizeof(*m) + 8);
	if (!p)
		goto out;
	m = (struct nd_message *)packet_put(p, sizeof(*m));
	m->h = (struct icmp6_header){.type = type, .info = be32(flags << 24)};
	m->target = *target;
	if (option) {
		o = packet_put(p, 8);
		o[0] = option;
		o[1] = 1;
		memcpy(o + 2, dev->mac, 6);
	}
	icmp6_transmit(net, p, &f);
out:
	net_leave();
}

void nd_solicit_from(struct netdev *dev, const struct net_addr *target, const struct net_addr *src,
		     const u8 *mac)
{
	struct net_addr dst = mac ? *target : ip6_solicited_node(target);

	send(dev, ND_SOLICIT, target, src, &dst, 0, addr_is_any(src) ? 0 : ND_OPT_SOURCE);
}

void nd_solicit(struct netdev *dev, const struct net_addr *target, const u8 *mac)
{
	struct net_addr src = NET_ADDR_ANY;
	struct route_result rt;

	if (route_lookup(net_if(dev)->net, target, &src, dev->index, &rt) || addr_is_any(&src))
		return;
	nd_solicit_from(dev, target, &src, mac);
}

void nd_announce(struct netdev *dev, const struct net_addr *addr)
{
	struct net_addr all = IP6_ALL_NODES;

	send(dev, ND_ADVERT, addr, addr, &all, ADVERT_OVERRIDE, ND_OPT_TARGET);
}

static struct if_addr *own(struct netdev *dev, const struct net_addr *a)
{
	for (struct if_addr *i = rcu_dereference(net_if(dev)->addrs); i; i = rcu_dereference(i->next))
		if (addr_equal(&i->addr, a))
			return i;
	return NULL;
}

void nd_solicit_input(struct packet *p)
{
	const struct nd_message *m = (const struct nd_message *)p->data;
	struct ip_cb *cb = ip_cb(p);
	struct net_addr target, all = IP6_ALL_NODES;
	const struct if_addr *a;
	const u8 *lla;
	bool bad = false;
	u8 len = 0;

	if (p->len < sizeof(*m))
		return;
	target = m->target;
	if (addr_is_multicast(&target))
		return;
	lla = nd_option(p->data + sizeof(*m), p->tail, ND_OPT_SOURCE, &len, &bad);
	if (bad || (lla && addr_is_any(&cb->src)))
		return;
	a = own(p->dev, &target);
	if (!a)
		return;
	if (a->flags & IFA_F_TENTATIVE) {
		if (addr_is_any(&cb->src)) /* another station tests the same address */
			slaac_duplicate(p->dev, &target);
		return;
	}
	if (addr_is_any(&cb->src)) {
		send(p->dev, ND_ADVERT, &target, &target, &all, ADVERT_OVERRIDE, ND_OPT_TARGET);
		return;
	}
	if (lla)
		neigh_update(p->dev, &cb->src, lla + 2, false, NEIGH_REPLACE, true);
	send(p->dev, ND_ADVERT, &target, &target, &cb->src, ADVERT_SOLICITED | ADVERT_OVERRIDE,
	     ND_OPT_TARGET);
}

void nd_advert_input(struct packet *p)
{
	const struct nd_message *m = (const struct nd_message *)p->data;
	struct ip_cb *cb = ip_cb(p);
	struct net_addr target;
	const struct if_addr *a;
	const u8 *lla;
	bool bad = false, solicited;
	u8 flags, len = 0;

	if (p->len < sizeof(*m))
		return;
	target = m->target;
	flags = (u8)(be32(m->h.info) >> 24);
	solicited = flags & ADVERT_SOLICITED;
	if (addr_is_multicast(&target) || (solicited && addr_is_multicast(&cb->dst)))
		return;
	lla = nd_option(p->data + sizeof(*m), p->tail, ND_OPT_TARGET, &len, &bad);
	if (bad)
		return;
	a = own(p->dev, &target);
	if (a) {
		if (a->flags & IFA_F_TENTATIVE)
			slaac_duplicate(p->dev, &target);
		return;
	}
	if (lla)
		neigh_update(p->dev, &target, lla + 2, solicited,
			     flags & ADVERT_OVERRIDE ? NEIGH_REPLACE : NEIGH_DOUBT, false);
	else if (solicited)
		neigh_confirm(p->dev, &target);
}
