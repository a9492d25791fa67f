/* SPDX-License-Identifier: BSD-2-Clause */
/* IGMP version 3 (RFC 3376), and versions 1 and 2 (RFC 1112, 2236) for as long as an older router is heard.
 */
#include "base/string.h"
#include "kernel/clock.h"
#include "net/abi.h"
#include "net/checksum.h"
#include "net/multicast.h"

struct igmp_header {
	u8 type, max_response;
	u16 checksum;
	u32 group; /* version 3 report: reserved, number of records */
} __packed;

struct igmp_record {
	u8 type, aux_len;
	u16 nsources;
	u32 group;
	u32 sources[];
} __packed;

enum {
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22
};

#define OLD_QUERIER_NS (260 * NSEC_PER_SEC) /* twice the query interval, and the time to answer */
#define IP_RA_LEN      (IP_HDR_LEN + 4)

/* Send P, an IGMP message, to DST, with the router alert option that snooping switches and routers look for.
 */
static void transmit(struct netdev *dev, struct packet *p, u32 dst)
{
	struct net_stack *net = net_if(dev)->net;
	struct ip_flow f = {.dst = addr_v4(dst),
			    .src = addr_v4(0),
			    .oif = dev->index,
			    .proto = IPPROTO_IGMP,
			    .hdrincl = true};
	struct igmp_header *h = (struct igmp_header *)p->data;
	struct iphdr *ip;

	if (ip_route_flow(net, &f)) {
		packet_free(p);
		return;
	}
	h->checksum = 0;
	h->checksum = ip_checksum(h, p->len);
	ip = (struct iphdr *)packet_push(p, IP_RA_LEN);
	*ip = (struct iphdr){.version = 4,
			     .ihl = IP_RA_LEN / 4,
			     .tos = 0xc0,
			     .tot_len = be16((u16)p->len),
			     .frag_off = be16(IP_OFF_DF),
			     .ttl = 1,
			     .protocol = IPPROTO_IGMP,
			     .saddr = f.src.w[3],
			     .daddr = dst};
	memcpy(ip + 1, (u8[]){0x94, 4, 0, 0}, 4);
	ip->check = ip_checksum(ip, IP_RA_LEN);
	p->transport_off = (u16)(packet_headroom(p) + IP_RA_LEN);
	ip4_output(net, p, &f);
}

static void old_message(struct netdev *dev, u8 type, u32 group, u32 dst)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, sizeof(struct igmp_header));

	if (!p)
		return;
	*(struct igmp_header *)packet_put(p, sizeof(struct igmp_header)) =
		(struct igmp_header){.type = type, .group = group};
	transmit(dev, p, dst);
}

static void old_report(struct netdev *dev, const struct mc_record *r, bool v1)
{
	u32 group = r->group.w[3];

	if (!r->gone)
		old_message(dev, v1 ? IGMP_V1_REPORT : IGMP_V2_REPORT, group, group);
	else if (!v1)
		old_message(dev, IGMP_LEAVE, group, IP4(224, 0, 0, 2));
}

void igmp_report(struct netdev *dev, const struct mc_record *r, unsigned n)
{
	struct net_if *nif = net_if(dev);
	u64 now = clock_monotonic();
	bool v1 = nif->igmp_v1_until > now;
	struct packet *p;
	u32 len = sizeof(struct igmp_header);

	if (v1 || nif->igmp_v2_until > now) {
		for (unsigned i = 0; i < n; i++)
			old_report(dev, &r[i], v1);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		len += (u32)sizeof(struct igmp_record) + 4u * r[i].nsources;
	p = packet_alloc(PACKET_HEADROOM, len);
	if (!p)
		return;
	*(struct igmp_header *)packet_put(p, sizeof(struct igmp_header)) =
		(struct igmp_header){.type = IGMP_V3_REPORT, .group = be32(n)};
	for (unsigned i = 0; i < n; i++) {
		struct igmp_record *o =
			(struct igmp_record *)packet_put(p, (u32)sizeof(*o) + 4u * r[i].nsources);

		*o = (struct igmp_record){
			.type = r[i].type, .nsources = be16(r[i].nsources), .group = r[i].group.w[3]};
		for (unsigned k = 0; k < r[i].nsources; k++)
			o->sources[k] = r[i].sources[k].w[3];
	}
	transmit(dev, p, IP4(224, 0, 0, 22));
}

static void query(struct packet *p, const struct igmp_header *h)
{
	struct net_if *nif = net_if(p->dev);
	struct net_addr group = addr_v4(h->group);
	u64 until = clock_monotonic() + OLD_QUERIER_NS;
	u32 tenths = h->max_response;

	if (p->len >= 12) {
		tenths = mc_float(tenths, 4);
	} else if (tenths) {
		nif->igmp_v2_until = until;
	} else {
		nif->igmp_v1_until = until;
		tenths = 100;
	}
	mc_query(p->dev, true, &group, tenths * (NSEC_PER_SEC / 10));
}

void igmp_input(struct net_stack *net, struct packet *p)
{
	const struct igmp_header *h;
	struct net_addr group;

	if (!packet_may_pull(p, sizeof(*h)) || ip_cb(p)->ttl != 1 ||
	    csum_fold(packet_csum(p, 0, p->len, 0)) != 0)
		goto out;
	h = (const struct igmp_header *)p->data;
	switch (h->type) {
	case IGMP_QUERY:
		query(p, h);
		break;
	case IGMP_V1_REPORT:
	case IGMP_V2_REPORT:
		group = addr_v4(h->group);
		mc_heard_report(p->dev, &group);
		break;
	}
out:
	packet_free(p);
}
