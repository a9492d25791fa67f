/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast listener discovery, version 2 (RFC 3810), and version 1 (RFC 2710) for as long as an older router
 * is heard. */
#include "base/string.h"
#include "kernel/clock.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/ip6.h"
#include "net/multicast.h"

struct mld_message {
	struct icmp6_header h; /* info: maximum response delay; in a version 2 report the number of records */
	struct net_addr group;
} __packed;

struct mld_record {
	u8 type, aux_len;
	u16 nsources;
	struct net_addr group;
	struct net_addr sources[];
} __packed;

#define MLD_V2_QUERY_LEN 28
#define OLD_QUERIER_NS	 (260 * NSEC_PER_SEC)

/* Send P, an MLD message, to DST, with the router alert option. */
static void transmit(struct netdev *dev, struct packet *p, const struct net_addr *dst)
{
	static const u8 hop_by_hop[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0}; /* router alert, PadN */
	struct net_stack *net = net_if(dev)->net;
	struct ip_flow f = {.dst = *dst, .oif = dev->index, .proto = IPPROTO_ICMPV6, .ttl = 1};
	struct icmp6_header *h = (struct icmp6_header *)p->data;

	if (ip_route_flow(net, &f)) {
		packet_free(p);
		return;
	}
	if (!addr_is_link_local(&f.src))
		f.src = NET_ADDR_ANY;
	h->checksum =
		csum_fold(packet_csum(p, 0, p->len, csum_pseudo(&f.src, &f.dst, p->len, IPPROTO_ICMPV6)));
	memcpy(packet_push(p, sizeof(hop_by_hop)), hop_by_hop, sizeof(hop_by_hop));
	f.proto = 0; /* the hop-by-hop header comes first */
	ip6_output(net, p, &f);
}

static void old_report(struct netdev *dev, const struct mc_record *r)
{
	struct net_addr dst = r->gone ? IP6_ALL_ROUTERS : r->group;
	struct packet *p = packet_alloc(PACKET_HEADROOM, sizeof(struct mld_message));

	if (!p)
		return;
	*(struct mld_message *)packet_put(p, sizeof(struct mld_message)) =
		(struct mld_message){.h.type = r->gone ? MLD_DONE : MLD_REPORT, .group = r->group};
	transmit(dev, p, &dst);
}

void mld_report(struct netdev *dev, const struct mc_record *r, unsigned n)
{
	static const struct net_addr routers = {.b = {0xff, 2, [15] = 0x16}};
	struct net_if *nif = net_if(dev);
	u32 len = sizeof(struct icmp6_header);
	struct packet *p;

	if (!nif->net->ip6)
		return;
	if (nif->mld_v1_until > clock_monotonic()) {
		for (unsigned i = 0; i < n; i++)
			old_report(dev, &r[i]);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		len += (u32)sizeof(struct mld_record) + 16u * r[i].nsources;
	p = packet_alloc(PACKET_HEADROOM, len);
	if (!p)
		return;
	*(struct icmp6_header *)packet_put(p, sizeof(struct icmp6_header)) =
		(struct icmp6_header){.type = MLD_V2_REPORT, .info = be32(n)};
	for (unsigned i = 0; i < n; i++) {
		struct mld_record *o =
			(struct mld_record *)packet_put(p, (u32)sizeof(*o) + 16u * r[i].nsources);

		*o = (struct mld_record){
			.type = r[i].type, .nsources = be16(r[i].nsources), .group = r[i].group};
		memcpy(o->sources, r[i].sources, 16u * r[i].nsources);
	}
	transmit(dev, p, &routers);
}

/* What routers send and other listeners; P's data at the ICMPv6 header, checked. Does not take P over. */
void mld_input(struct packet *p)
{
	struct net_if *nif = net_if(p->dev);
	const struct mld_message *m;
	struct net_addr group;
	u32 ms;

	if (!packet_may_pull(p, sizeof(*m)) || ip_cb(p)->ttl != 1 || !addr_is_link_local(&ip_cb(p)->src))
		return;
	m = (const struct mld_message *)p->data;
	group = m->group;
	if (m->h.type == MLD_REPORT) {
		mc_heard_report(p->dev, &group);
		return;
	}
	ms = be32(m->h.info) >> 16;
	if (p->len >= MLD_V2_QUERY_LEN)
		ms = mc_float(ms, 12);
	else
		nif->mld_v1_until = clock_monotonic() + OLD_QUERIER_NS;
	mc_query(p->dev, false, &group, ms * NSEC_PER_MSEC);
}
