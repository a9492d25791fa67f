/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling routers which multicast groups we receive: IGMPv2 (RFC 2236) and, for IPv6, MLDv1 reports (RFC
 * 2710). A join is reported at once; a query is answered at once for every group: an interface has few. */
#include "base/string.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/ip.h"
#include "net/ip6.h"

struct igmp_header {
	u8 type, max_response;
	u16 checksum;
	u32 group;
} __packed;

enum { IGMP_QUERY = 0x11, IGMP_V2_REPORT = 0x16, IGMP_LEAVE = 0x17 };

static void igmp_send(struct netdev *dev, u8 type, u32 group, u32 dst)
{
	struct net_stack *net = net_if(dev)->net;
	struct ip_flow f = {.dst = addr_v4(dst),
			    .src = addr_v4(0),
			    .oif = dev->index,
			    .proto = IPPROTO_IGMP,
			    .ttl = 1,
			    .tos = 0xc0};
	struct packet *p;
	struct igmp_header *h;

	net_enter();
	if (ip_route_flow(net, &f))
		goto out;
	p = packet_alloc(PACKET_HEADROOM, sizeof(*h));
	if (!p)
		goto out;
	h = (struct igmp_header *)packet_put(p, sizeof(*h));
	*h = (struct igmp_header){.type = type, .group = group};
	h->checksum = ip_checksum(h, sizeof(*h));
	ip_output(net, p, &f);
out:
	net_leave();
}

static bool silent(const struct netdev *dev, const struct net_addr *group)
{
	return (dev->flags & IFF_LOOPBACK) || !(dev->flags & IFF_UP) || group->w[3] == IP4(224, 0, 0, 1);
}

void igmp_group_changed(struct netdev *dev, const struct net_addr *group, bool joined)
{
	if (!addr_is_v4(group)) {
		mld_group_changed(dev, group, joined);
		return;
	}
	if (silent(dev, group))
		return;
	if (joined)
		igmp_send(dev, IGMP_V2_REPORT, group->w[3], group->w[3]);
	else
		igmp_send(dev, IGMP_LEAVE, group->w[3], IP4(224, 0, 0, 2));
}

void igmp_input(struct net_stack *net, struct packet *p)
{
	const struct igmp_header *h;

	if (!packet_may_pull(p, sizeof(*h)) || csum_fold(packet_csum(p, 0, p->len, 0)) != 0)
		goto out;
	h = (const struct igmp_header *)p->data;
	if (h->type == IGMP_QUERY) {
		u32 group = h->group;

		for (struct if_group *g = rcu_dereference(net_if(p->dev)->groups); g;
		     g = rcu_dereference(g->next))
			if (addr_is_v4(&g->addr) && (!group || group == g->addr.w[3]) &&
			    !silent(p->dev, &g->addr))
				igmp_send(p->dev, IGMP_V2_REPORT, g->addr.w[3], g->addr.w[3]);
	}
out:
	packet_free(p);
}
