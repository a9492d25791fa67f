/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast listener discovery, version 1 reports (RFC 2710), which version 2 routers take as well. Reports
 * go out at once: an interface is in few groups. */
#include "base/string.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/ip6.h"

struct mld_message {
	struct icmp6_header h; /* info: maximum response delay */
	struct net_addr group;
} __packed;

static void mld_send(struct netdev *dev, u8 type, const struct net_addr *group)
{
	static const u8 hop_by_hop[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0}; /* router alert, PadN */
	struct net_stack *net = net_if(dev)->net;
	struct net_addr dst = type == MLD_DONE ? IP6_ALL_ROUTERS : *group;
	struct ip_flow f = {.dst = dst, .oif = dev->index, .proto = IPPROTO_ICMPV6, .ttl = 1};
	struct mld_message *m;
	struct packet *p;

	net_enter();
	if (ip_route_flow(net, &f))
		goto out;
	if (!addr_is_link_local(&f.src))
		f.src = NET_ADDR_ANY;
	p = packet_alloc(PACKET_HEADROOM, sizeof(*m));
	if (!p)
		goto out;
	m = (struct mld_message *)packet_put(p, sizeof(*m));
	*m = (struct mld_message){.h.type = type, .group = *group};
	m->h.checksum = 0;
	m->h.checksum =
		csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&f.src, &f.dst, p->len, IPPROTO_ICMPV6)));
	memcpy(packet_push(p, sizeof(hop_by_hop)), hop_by_hop, sizeof(hop_by_hop));
	f.proto = 0; /* the hop-by-hop header comes first */
	ip6_output(net, p, &f);
out:
	net_leave();
}

static bool silent(const struct netdev *dev, const struct net_addr *group)
{
	return (dev->flags & IFF_LOOPBACK) || !(dev->flags & IFF_UP) || (group->b[1] & 0xf) < 2 ||
	       (group->q[0] == be64(0xff02000000000000ull) && group->q[1] == be64(1));
}

void mld_group_changed(struct netdev *dev, const struct net_addr *group, bool joined)
{
	if (!net_if(dev)->net->ip6 || silent(dev, group))
		return;
	mld_send(dev, joined ? MLD_REPORT : MLD_DONE, group);
}

void mld_query_input(struct packet *p)
{
	struct net_addr want;

	if (!packet_may_pull(p, sizeof(struct mld_message)) || ip_cb(p)->ttl != 1 ||
	    !addr_is_link_local(&ip_cb(p)->src))
		return;
	want = ((const struct mld_message *)p->data)->group;
	for (struct if_group *g = rcu_dereference(net_if(p->dev)->groups); g; g = rcu_dereference(g->next))
		if (!addr_is_v4(&g->addr) && (addr_is_any(&want) || addr_equal(&want, &g->addr)) &&
		    !silent(p->dev, &g->addr))
			mld_send(p->dev, MLD_REPORT, &g->addr);
	for (struct if_addr *a = rcu_dereference(net_if(p->dev)->addrs); a; a = rcu_dereference(a->next)) {
		struct net_addr s = ip6_solicited_node(&a->addr);

		if (!addr_is_v4(&a->addr) && (addr_is_any(&want) || addr_equal(&want, &s)) &&
		    !silent(p->dev, &s))
			mld_send(p->dev, MLD_REPORT, &s);
	}
}
